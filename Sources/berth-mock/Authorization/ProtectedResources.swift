// The state behind the protected API: versions of cacheable things, the limit's counts, created items, and who asked for what.

/// A request to the protected API.
struct ResourceRequest: Sendable {
    var at: Milliseconds
    var method: String
    /// With query.
    var target: String
    var status: Int
}

/// What the protected API remembers.
struct ProtectedResources: Sendable {
    /// A cacheable thing.
    struct Cached: Sendable {
        var version = 1
        var changedAt: Milliseconds
        /// Answered in full, and with 304, by variant.
        var full: [String: Int] = [:]
        var notModified: [String: Int] = [:]
    }

    /// By name.
    var cached: [String: Cached] = [:]
    /// By access token, or by the empty text for the provider as a whole.
    var windows: [String: RequestWindow] = [:]
    /// Items that were posted: idempotency key to number.
    var posted: [(key: String?, number: Int)] = []
    /// By access token; requests without one under the empty text.
    private(set) var requests: [String: [ResourceRequest]] = [:]
    private(set) var requestCounts: [String: Int] = [:]
    private static let requestsPerTokenMax = 10_000

    /// Notes one request; the first ten thousand per token are kept, the others counted.
    mutating func note(_ request: ResourceRequest, token: String) {
        requestCounts[token, default: 0] += 1
        if requestCounts[token, default: 0] <= Self.requestsPerTokenMax { requests[token, default: []].append(request) }
    }

    /// Forgets requests and counts; versions and items stay.
    mutating func clear() {
        requests = [:]
        requestCounts = [:]
        windows = [:]
        for name in cached.keys {
            cached[name]?.full = [:]
            cached[name]?.notModified = [:]
        }
    }
}

/// Admits so many requests per window, and remembers when.
struct RequestWindow: Sendable {
    /// When requests were admitted, oldest first.
    private(set) var admitted: [Milliseconds] = []
    /// How many were refused.
    private(set) var refused = 0
    private var windowStart: Milliseconds = .min
    private var inWindow = 0
    private var oldest = 0

    /// What a request met.
    struct Outcome: Sendable {
        var isAdmitted: Bool
        var remaining: Int
        /// Until the window has room for everything again, or (refused) for one more.
        var wait: Milliseconds
    }

    /// Counts one request. Refused ones don't count against the limit. - Parameter isSliding: any stretch of a window's length holds at
    /// most `limit`; else windows begin at whole multiples of their length since 1970.
    mutating func admit(limit: Int, lengthMilliseconds length: Milliseconds, isSliding: Bool, now: Milliseconds) -> Outcome {
        if isSliding {
            while oldest < admitted.count, admitted[oldest] <= now - length { oldest += 1 }
            inWindow = admitted.count - oldest
            windowStart = oldest < admitted.count ? admitted[oldest] : now
        } else if now - now % length != windowStart {
            (windowStart, inWindow) = (now - now % length, 0)
        }
        let wait = windowStart + length - now
        guard inWindow < limit else {
            refused += 1
            return Outcome(isAdmitted: false, remaining: 0, wait: wait)
        }
        inWindow += 1
        admitted.append(now)
        return Outcome(isAdmitted: true, remaining: limit - inWindow, wait: wait)
    }

    /// Most requests admitted in any stretch of this length.
    func peak(lengthMilliseconds length: Milliseconds) -> Int {
        var (first, peak) = (0, 0)
        for (index, time) in admitted.enumerated() {
            while admitted[first] <= time - length { first += 1 }
            peak = max(peak, index - first + 1)
        }
        return peak
    }

    /// Admitted per window aligned to multiples of its length: start and count.
    func perWindow(lengthMilliseconds length: Milliseconds) -> [(start: Milliseconds, count: Int)] {
        var result: [(start: Milliseconds, count: Int)] = []
        for time in admitted {
            let start = time - time % length
            if result.last?.start == start { result[result.count - 1].count += 1 } else { result.append((start, 1)) }
        }
        return result
    }
}
