// One connection's part of the admission: its queues by request class, windows, pauses and running requests.

import BerthModel

/// State of one connection. Pure.
struct RequestLane {
    private struct Limit {
        var declared: PluginManifest.RateLimit
        var window: SlidingWindow
    }
    private struct Queue {
        var tickets: [Ticket] = []
        var head = 0
        var first: Ticket? { head < tickets.count ? tickets[head] : nil }
        var count: Int { tickets.count - head }
        mutating func popFirst() {
            head += 1
            if head > 64, head > tickets.count / 2 {
                tickets.removeFirst(head)
                head = 0
            }
        }
    }
    private var declared: [PluginManifest.RateLimit] = []
    private var limits: [Limit] = []
    private var maxConcurrent = 1
    private var running = 0
    private var queues: [String: Queue] = [:]
    private var pauses: [String: Monotonic] = [:]
    private(set) var waitingCount = 0

    mutating func configure(_ http: PluginManifest.HTTP, now: Monotonic) {
        maxConcurrent = max(1, http.maxConcurrent)
        guard http.rateLimits != declared else { return }
        declared = http.rateLimits
        limits = http.rateLimits.map { declared in
            // The same window keeps its log under a new number; running requests stay reserved in it.
            var window = SlidingWindow(declared)
            let old = limits.first {
                $0.declared.windowSeconds == declared.windowSeconds && $0.declared.requestClass == declared.requestClass
            }
            if let old {
                // Its memory holds the reserved ones as sent now; they are reserved here instead.
                window.remember(old.window.memory(now).filter { $0.age > 0 }, now: now)
                for _ in 0..<old.window.reserved { window.reserve() }
            } else {
                for _ in 0..<running { window.reserve() }
            }
            return Limit(declared: declared, window: window)
        }
    }

    private func concerns(_ limit: Limit, _ requestClass: String) -> Bool {
        limit.declared.requestClass == nil || limit.declared.requestClass == requestClass
    }

    mutating func opening(_ requestClass: String, now: Monotonic) -> Monotonic {
        var time = max(now, max(pauses[""] ?? now, pauses[requestClass] ?? now))
        for index in limits.indices where concerns(limits[index], requestClass) {
            let ahead = limits[index].declared.requestClass == nil ? waitingCount : queues[requestClass]?.count ?? 0
            time = max(time, limits[index].window.opening(now, ahead: ahead))
        }
        return time
    }

    mutating func enqueue(_ ticket: Ticket) {
        queues[ticket.requestClass, default: Queue()].tickets.append(ticket)
        waitingCount += 1
    }

    mutating func withdraw(_ ticket: Ticket) -> Bool {
        guard let queue = queues[ticket.requestClass], let index = queue.tickets[queue.head...].firstIndex(of: ticket) else { return false }
        queues[ticket.requestClass]?.tickets.remove(at: index)
        waitingCount -= 1
        return true
    }

    private mutating func mayGo(_ requestClass: String, now: Monotonic) -> Bool {
        if let pause = pauses[""], pause > now { return false }
        if let pause = pauses[requestClass], pause > now { return false }
        for index in limits.indices where concerns(limits[index], requestClass) {
            if !limits[index].window.isOpen(now) { return false }
        }
        return true
    }

    mutating func next(_ now: Monotonic) -> Ticket? {
        guard running < maxConcurrent, waitingCount > 0 else { return nil }
        // Of the classes that may go, the one whose first request waits longest; ids grow with time.
        var chosen: Ticket?
        for (name, queue) in queues {
            guard let first = queue.first, chosen.map({ first.id < $0.id }) ?? true, mayGo(name, now: now) else { continue }
            chosen = first
        }
        guard let ticket = chosen else { return nil }
        queues[ticket.requestClass]?.popFirst()
        if queues[ticket.requestClass]?.count == 0 { queues[ticket.requestClass] = nil }
        waitingCount -= 1
        running += 1
        for index in limits.indices where concerns(limits[index], ticket.requestClass) { limits[index].window.reserve() }
        return ticket
    }

    mutating func nextOpening(_ now: Monotonic) -> Monotonic? {
        guard running < maxConcurrent else { return nil }
        var earliest: Monotonic?
        for (name, queue) in queues where queue.count > 0 {
            var time = max(now, max(pauses[""] ?? now, pauses[name] ?? now))
            for index in limits.indices where concerns(limits[index], name) { time = max(time, limits[index].window.opening(now)) }
            earliest = min(earliest ?? time, time)
        }
        return earliest
    }

    mutating func sending(_ ticket: Ticket, isFirst: Bool, now: Monotonic) {
        for index in limits.indices where concerns(limits[index], ticket.requestClass) {
            if isFirst, limits[index].window.reserved > 0 { limits[index].window.send(now) } else { limits[index].window.record(now) }
        }
    }

    mutating func finish(_ ticket: Ticket, wasSent: Bool) {
        running -= 1
        guard !wasSent else { return }
        for index in limits.indices where concerns(limits[index], ticket.requestClass) && limits[index].window.reserved > 0 {
            limits[index].window.refund()
        }
    }

    mutating func pause(_ requestClass: String, until time: Monotonic) {
        pauses[requestClass] = max(pauses[requestClass] ?? time, time)
    }

    func isIdle(_ now: Monotonic) -> Bool {
        running == 0 && waitingCount == 0 && limits.allSatisfy { $0.window.isEmpty(now) } && pauses.values.allSatisfy { $0 <= now }
    }

    func memory(_ now: Monotonic) -> [(limit: PluginManifest.RateLimit, sent: [SentRequests])] {
        limits.map { ($0.declared, $0.window.memory(now)) }.filter { !$0.1.isEmpty }
    }

    mutating func remember(_ limit: PluginManifest.RateLimit, _ sent: [SentRequests], now: Monotonic) {
        let index = limits.firstIndex { $0.declared.windowSeconds == limit.windowSeconds && $0.declared.requestClass == limit.requestClass }
        if let index {
            limits[index].window.remember(sent, now: now)
        } else {
            var window = SlidingWindow(limit)
            window.remember(sent, now: now)
            limits.append(Limit(declared: limit, window: window))
        }
    }
}
