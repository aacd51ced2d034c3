// "At most N in any window of W": a log of when requests were sent. Exact, unlike counters per calendar window,
// which let 2N pass around a boundary, and unlike a token bucket, which lets N + N pass in one window.

import BerthModel

/// Requests that count against a window.
struct SentRequests: Hashable, Sendable {
    /// Nanoseconds since they were sent.
    var age: Int64
    /// How many.
    var count: Int
}

/// One limit's state. Pure: time is given.
///
/// Where counts are kept beyond the process, a request goes only under a claim: "so many more may have been sent" is
/// written down before they are. A kill then loses the claimed ones at most (they count as sent at the next start), and
/// never lets the next life send what this one did already. Claims come in blocks, because a write per request would
/// cost each an fsync; a block is a fortieth of the limit, so that a kill leaves 96 of 100 usable.
struct SlidingWindow {
    let limit: Int
    /// Nanoseconds; the manifest's window and a margin, because a request sent later may arrive sooner.
    let length: Int64
    /// Admitted and not sent yet: they count and do not age.
    private(set) var reserved = 0
    /// Requests that may still go under what was written down; nil: nothing is written down of this window.
    private(set) var claimed: Int?
    /// Whether a claim is being written.
    private(set) var isClaiming = false
    private var log: [(time: Monotonic, begin: Monotonic, count: Int)] = []
    private var head = 0
    private var logged = 0

    /// Log entries are merged beyond this many, each then ageing from its last request: never more than the limit,
    /// at most a thousandth fewer.
    private static let entryLimit = 1024

    init(_ limit: PluginManifest.RateLimit) {
        self.init(limit: limit.requests, windowSeconds: limit.windowSeconds)
    }

    init(limit: Int, windowSeconds: Int) {
        self.limit = max(1, limit)
        let window = Int64(max(1, windowSeconds)) * 1_000_000_000
        length = window + min(1_000_000_000, max(20_000_000, window / 50))
    }

    private mutating func expire(_ now: Monotonic) {
        while head < log.count, now - log[head].time >= length {
            logged -= log[head].count
            head += 1
        }
        if head > 256, head > log.count / 2 {
            log.removeFirst(head)
            head = 0
        }
    }

    /// When a request with `ahead` others before it may go; `now` or earlier: at once. Exact when nothing is in flight.
    mutating func opening(_ now: Monotonic, ahead: Int = 0) -> Monotonic {
        expire(now)
        var excess = reserved + logged + ahead - limit + 1
        if excess <= 0 { return now }
        let rounds = Int64((excess - 1) / limit)
        excess = (excess - 1) % limit + 1
        for entry in log[head...] {
            excess -= entry.count
            if excess <= 0 { return entry.time + length &* rounds + length }
        }
        return now + length &* rounds + length
    }

    /// Whether one more may go now.
    mutating func isOpen(_ now: Monotonic) -> Bool {
        expire(now)
        return reserved + logged < limit && (claimed ?? 1) > 0
    }

    /// Whether only a claim that is being written stands in the way.
    var awaitsClaim: Bool { isClaiming && (claimed ?? 1) <= 0 }

    mutating func reserve() {
        reserved += 1
        claimed? -= 1
    }

    /// It never went out.
    mutating func refund() {
        reserved -= 1
        claimed? += 1
    }

    /// It goes out now.
    mutating func send(_ now: Monotonic) {
        reserved -= 1
        append(now)
    }

    /// One more went out than was reserved.
    mutating func record(_ now: Monotonic) {
        claimed? -= 1
        append(now)
    }

    private mutating func append(_ now: Monotonic) {
        logged += 1
        if log.count - head >= Self.entryLimit, let last = log.last, now - last.begin < length / Int64(Self.entryLimit) {
            log[log.count - 1] = (now, last.begin, last.count + 1)
        } else {
            log.append((now, now, 1))
        }
    }

    // MARK: What is kept

    /// From now on requests go under claims; those of the same window before it was configured anew go on.
    mutating func requireClaims(like old: SlidingWindow?) {
        claimed = old?.claimed ?? 0
        isClaiming = old?.isClaiming ?? false
    }

    /// How many more to claim, when it is time to; it is being written from then on.
    mutating func claimDue(_ now: Monotonic) -> Int? {
        let block = min(64, max(1, limit / 40))
        guard let claimed, !isClaiming, claimed <= block / 2 else { return nil }
        expire(now)
        let amount = min(block, limit - reserved - logged - claimed)
        guard amount > 0 else { return nil }
        isClaiming = true
        return amount
    }

    /// A claim is written down.
    mutating func claim(_ amount: Int) {
        claimed? += amount
        isClaiming = false
    }

    /// What counts, oldest first: age in nanoseconds and how many. Reserved ones are under way and kept as sent now.
    func memory(_ now: Monotonic) -> [SentRequests] {
        var kept = logMemory(now)
        if reserved > 0 { kept.append(SentRequests(age: 0, count: reserved)) }
        return kept
    }

    /// As `memory`, without the reserved ones.
    func logMemory(_ now: Monotonic) -> [SentRequests] {
        log[head...].map { SentRequests(age: now - $0.time, count: $0.count) }.filter { $0.age < length }
    }

    /// Takes up what counted in another window, or before this process began; oldest first, before anything is logged.
    mutating func remember(_ memory: [SentRequests], now: Monotonic) {
        let known = log[head...].map { (time: $0.time, begin: $0.begin, count: $0.count) }
        let added = memory.filter { $0.age < length && $0.count > 0 }.map { (now + -max(0, $0.age), now + -max(0, $0.age), $0.count) }
        log = (known + added).sorted { $0.time < $1.time }
        head = 0
        logged = log.reduce(0) { $0 + $1.count }
    }

    /// What counts now.
    mutating func used(_ now: Monotonic) -> Int {
        expire(now)
        return reserved + logged
    }

    /// Whether nothing counts any more.
    func isEmpty(_ now: Monotonic) -> Bool { reserved == 0 && !isClaiming && !log[head...].contains { now - $0.time < length } }
}
