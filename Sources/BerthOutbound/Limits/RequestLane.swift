// One connection's part of the admission: its queues by request class, limits, pauses and running requests.

import BerthModel
import BerthSeams

/// State of one connection. Pure.
struct RequestLane {
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
    private(set) var declared: [PluginManifest.RateLimit] = []
    var limits = LimitSet()
    private var maxConcurrent = 1
    private var running = 0
    private var queues: [String: Queue] = [:]
    private(set) var pauses: [String: Monotonic] = [:]
    /// Of connections that share no limit, by class.
    var backoffs: [String: RefusalBackoff] = [:]
    private(set) var waitingCount = 0

    /// True when the manifest's limits changed.
    mutating func configure(_ http: PluginManifest.HTTP, keptSince: Monotonic?, now: Monotonic) -> Bool {
        maxConcurrent = max(1, http.maxConcurrent)
        guard http.rateLimits != declared else { return false }
        declared = http.rateLimits
        limits.configure(declared.filter { $0.scope == .connection }, keptSince: keptSince, now: now)
        return true
    }

    mutating func opening(_ requestClass: String, now: Monotonic) -> Monotonic {
        max(pauseEnd(requestClass, now), limits.opening(requestClass, ahead: waitingCount, aheadOfClass: waiting(requestClass), now: now))
    }

    private func pauseEnd(_ requestClass: String, _ now: Monotonic) -> Monotonic {
        max(now, max(pauses[""] ?? now, pauses[requestClass] ?? now))
    }

    /// Tickets of a class that wait; empty: of all.
    func waiting(_ requestClass: String) -> Int { requestClass.isEmpty ? waitingCount : queues[requestClass]?.count ?? 0 }

    /// Classes somebody waits in.
    var waitingClasses: Set<String> { waitingCount == 0 ? [] : Set(queues.lazy.filter { $0.value.count > 0 }.map(\.key)) }

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

    /// The next ticket, of a class for which `mayShare` holds.
    mutating func next(_ now: Monotonic, _ mayShare: (String) -> Bool) -> Ticket? {
        guard running < maxConcurrent, waitingCount > 0 else { return nil }
        // Of the classes that may go, the one whose first request waits longest; ids grow with time.
        var chosen: Ticket?
        for (name, queue) in queues {
            guard let first = queue.first, chosen.map({ first.id < $0.id }) ?? true, pauseEnd(name, now) <= now, mayShare(name),
                limits.isOpen(name, now: now)
            else { continue }
            chosen = first
        }
        guard let ticket = chosen else { return nil }
        queues[ticket.requestClass]?.popFirst()
        if queues[ticket.requestClass]?.count == 0 { queues[ticket.requestClass] = nil }
        waitingCount -= 1
        running += 1
        limits.reserve(ticket.requestClass)
        return ticket
    }

    /// When somebody may go for what this lane knows; `shared` tells the same of what it shares, nil: not before something ends.
    mutating func nextOpening(_ now: Monotonic, _ shared: (String) -> Monotonic?) -> Monotonic? {
        guard running < maxConcurrent else { return nil }
        var earliest: Monotonic?
        for (name, queue) in queues where queue.count > 0 && !limits.awaitsClaim(name) {
            guard let open = shared(name) else { continue }
            let time = max(open, max(pauseEnd(name, now), limits.opening(name, now: now)))
            earliest = min(earliest ?? time, time)
        }
        return earliest
    }

    mutating func finish(_ ticket: Ticket, wasSent: Bool) {
        running -= 1
        if !wasSent { limits.refund(ticket.requestClass) }
    }

    mutating func pause(_ requestClass: String, until time: Monotonic) {
        pauses[requestClass] = max(pauses[requestClass] ?? time, time)
    }

    /// Answers the classes they were of.
    mutating func endPauses() -> [String] {
        defer {
            pauses = [:]
            backoffs = [:]
        }
        return Array(pauses.keys)
    }

    func isIdle(_ now: Monotonic) -> Bool {
        running == 0 && waitingCount == 0 && limits.isEmpty(now) && pauses.values.allSatisfy { $0 <= now }
    }
}
