// Several limits that the same requests keep to: a connection's, or those all connections of a provider share. Knows
// nothing of queues and turns.

import BerthModel
import BerthSeams

/// State of some limits. Pure: time is given.
struct LimitSet {
    private struct Limit {
        var declared: PluginManifest.RateLimit
        var window: SlidingWindow
    }
    /// What counted before this process began, of a limit nobody has declared yet.
    private struct Remembered {
        var windowSeconds: Int
        var requestClass: String
        var sent: [SentRequests]
        var at: Monotonic
    }
    private var declared: [PluginManifest.RateLimit] = []
    private var limits: [Limit] = []
    private var remembered: [Remembered] = []
    /// Whether any of them goes under claims.
    private(set) var hasClaims = false
    /// Admitted and not sent yet, by class.
    private var unsent: [String: Int] = [:]

    /// Longest window whose count is not written down: a new process waits it out instead, which is shorter than its own
    /// start and costs no write per request.
    static let unkeptSeconds = 1

    /// Takes up limits; what was sent before keeps counting when they change. `keptSince`: counts are kept beyond the
    /// process, and this one took up its predecessor's then.
    mutating func configure(_ wanted: [PluginManifest.RateLimit], keptSince: Monotonic?, now: Monotonic) {
        guard wanted != declared else { return }
        declared = wanted
        limits = wanted.map { declared in
            var window = SlidingWindow(declared)
            let old = limits.first {
                $0.declared.windowSeconds == declared.windowSeconds && $0.declared.requestClass == declared.requestClass
            }
            if let old {
                // The same window keeps its log under a new number.
                window.remember(old.window.logMemory(now), now: now)
            } else if let keptSince, declared.windowSeconds <= Self.unkeptSeconds {
                window.remember([SentRequests(age: now - keptSince, count: declared.requests)], now: now)
            }
            for item in remembered where item.windowSeconds == declared.windowSeconds && item.requestClass == declared.requestClass ?? "" {
                window.remember(item.sent.map { SentRequests(age: $0.age + (now - item.at), count: $0.count) }, now: now)
            }
            for (name, count) in unsent where declared.requestClass == nil || declared.requestClass == name {
                for _ in 0..<count { window.reserve() }
            }
            if keptSince != nil, declared.windowSeconds > Self.unkeptSeconds { window.requireClaims(like: old?.window) }
            return Limit(declared: declared, window: window)
        }
        remembered = []
        hasClaims = limits.contains { $0.window.claimed != nil }
    }

    private static func concerns(_ limit: Limit, _ requestClass: String) -> Bool {
        limit.declared.requestClass == nil || limit.declared.requestClass == requestClass
    }

    /// Whether any limit holds for a class.
    func concerns(_ requestClass: String) -> Bool { limits.contains { Self.concerns($0, requestClass) } }

    /// When one of the class could go, with so many before it: of all, and of its class.
    mutating func opening(_ requestClass: String, ahead: Int = 0, aheadOfClass: Int = 0, now: Monotonic) -> Monotonic {
        var time = now
        for index in limits.indices where Self.concerns(limits[index], requestClass) {
            let before = limits[index].declared.requestClass == nil ? ahead : aheadOfClass
            time = max(time, limits[index].window.opening(now, ahead: before))
        }
        return time
    }

    /// Whether one of the class may go now.
    mutating func isOpen(_ requestClass: String, now: Monotonic) -> Bool {
        for index in limits.indices where Self.concerns(limits[index], requestClass) {
            if !limits[index].window.isOpen(now) { return false }
        }
        return true
    }

    /// Whether one of the class waits for a claim that is being written.
    func awaitsClaim(_ requestClass: String) -> Bool {
        limits.contains { Self.concerns($0, requestClass) && $0.window.awaitsClaim }
    }

    mutating func reserve(_ requestClass: String) {
        unsent[requestClass, default: 0] += 1
        for index in limits.indices where Self.concerns(limits[index], requestClass) { limits[index].window.reserve() }
    }

    /// It goes out now; `isFirst`: the reserved one.
    mutating func sending(_ requestClass: String, isFirst: Bool, now: Monotonic) {
        if isFirst { unreserve(requestClass) }
        for index in limits.indices where Self.concerns(limits[index], requestClass) {
            if isFirst { limits[index].window.send(now) } else { limits[index].window.record(now) }
        }
    }

    /// It never went out.
    mutating func refund(_ requestClass: String) {
        unreserve(requestClass)
        for index in limits.indices where Self.concerns(limits[index], requestClass) { limits[index].window.refund() }
    }

    private mutating func unreserve(_ requestClass: String) {
        let left = (unsent[requestClass] ?? 0) - 1
        unsent[requestClass] = left > 0 ? left : nil
    }

    /// Whether nothing counts any more, and nothing waits to be taken up.
    func isEmpty(_ now: Monotonic) -> Bool { remembered.isEmpty && limits.allSatisfy { $0.window.isEmpty(now) } }

    /// As an operator sees them.
    mutating func views(now: Monotonic) -> [LimitView] {
        limits.indices.map { index in
            let wait = limits[index].window.opening(now) - now
            return LimitView(
                limit: limits[index].declared, used: limits[index].window.used(now), retryAfterSeconds: wait > 0 ? Double(wait) / 1e9 : nil)
        }
    }

    // MARK: What is kept

    /// What of one limit is to be written down.
    struct Kept {
        var windowSeconds: Int
        var requestClass: String
        var sent: [SentRequests]
        /// May have been sent since, for all a later life knows.
        var ahead: Int
        /// Of those, claimed by this.
        var claim: Int
        /// Nanoseconds that the youngest counts from now.
        var length: Int64
    }

    /// Claims to be written: of limits that are in use, and of those that somebody waits for.
    mutating func claimsDue(waiting: Set<String>, now: Monotonic) -> [Kept] {
        var due: [Kept] = []
        for index in limits.indices {
            let isWaitedFor = limits[index].declared.requestClass.map { waiting.contains($0) } ?? !waiting.isEmpty
            guard isWaitedFor || limits[index].window.used(now) > 0, let claim = limits[index].window.claimDue(now) else { continue }
            due.append(Self.kept(limits[index], claim: claim, now))
        }
        return due
    }

    /// A claim is written down.
    mutating func claim(_ kept: Kept) {
        for index in limits.indices
        where limits[index].declared.windowSeconds == kept.windowSeconds && limits[index].declared.requestClass ?? "" == kept.requestClass {
            limits[index].window.claim(kept.claim)
        }
    }

    /// All that counts now, with nothing claimed: for a regular end. What is under way counts as sent.
    func memory(_ now: Monotonic) -> [Kept] {
        limits.compactMap { limit in
            guard limit.window.claimed != nil else { return nil }
            var kept = Self.kept(limit, claim: 0, now)
            kept.ahead = limit.window.reserved
            return kept
        }
    }

    private static func kept(_ limit: Limit, claim: Int, _ now: Monotonic) -> Kept {
        Kept(
            windowSeconds: limit.declared.windowSeconds, requestClass: limit.declared.requestClass ?? "",
            sent: compacted(limit.window.logMemory(now)), ahead: limit.window.reserved + max(0, limit.window.claimed ?? 0) + claim,
            claim: claim,
            length: limit.window.length)
    }

    /// At most 64 entries, each as old as its youngest.
    private static func compacted(_ sent: [SentRequests]) -> [SentRequests] {
        guard sent.count > 64 else { return sent }
        let size = (sent.count + 63) / 64
        return stride(from: 0, to: sent.count, by: size).map { begin in
            let group = sent[begin..<min(sent.count, begin + size)]
            return SentRequests(age: group.last?.age ?? 0, count: group.reduce(0) { $0 + $1.count })
        }
    }

    /// Takes up what counted before this process began; before or after `configure`.
    mutating func remember(windowSeconds: Int, requestClass: String, _ sent: [SentRequests], now: Monotonic) {
        let index = limits.firstIndex { $0.declared.windowSeconds == windowSeconds && $0.declared.requestClass ?? "" == requestClass }
        if let index {
            limits[index].window.remember(sent, now: now)
        } else {
            remembered.append(Remembered(windowSeconds: windowSeconds, requestClass: requestClass, sent: sent, at: now))
        }
    }
}
