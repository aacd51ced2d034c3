// The one retry policy: what is repeated, how often, after how long. Syncs and events have their own, longer
// schedules above this one; here only what a few seconds can mend is mended.

/// Exponential backoff with full jitter. Pure.
public struct RetryPolicy: Sendable, Hashable {
    /// Tries in all.
    public var maxTries: Int
    /// Longest first wait.
    public var baseDelay: Duration
    /// Longest wait.
    public var maxDelay: Duration

    /// A policy.
    public init(maxTries: Int = 3, baseDelay: Duration = .milliseconds(250), maxDelay: Duration = .seconds(10)) {
        self.maxTries = maxTries
        self.baseDelay = baseDelay
        self.maxDelay = maxDelay
    }

    /// How a try ended, as far as repeating is concerned.
    package enum Ending: Sendable, Hashable {
        /// Answered with this status.
        case answered(status: Int, retryAfterNanoseconds: Int64?)
        /// No answer, but another try may get one. `wasSent`: the provider may have seen the request.
        case broken(wasSent: Bool)
        /// Another try ends the same.
        case final
    }

    /// Nanoseconds to wait before another try; nil: none. `random` is any 64 bits.
    package func delay(
        after ending: Ending, tries: Int, isIdempotent: Bool, remainingNanoseconds: Int64, random: UInt64
    ) -> Int64? {
        guard tries < maxTries else { return nil }
        var least: Int64 = 0
        switch ending {
        case .final: return nil
        case .broken(let wasSent): guard isIdempotent || !wasSent else { return nil }
        case .answered(let status, let retryAfter):
            guard isIdempotent, [429, 502, 503, 504].contains(status) else { return nil }
            least = retryAfter ?? 0
        }
        let ceiling = min(maxDelay.nanoseconds, baseDelay.nanoseconds << Int64(min(tries - 1, 20)))
        let jitter = Int64(random % UInt64(max(1, ceiling)))
        // What the provider asks for is a floor; jitter on top keeps its callers from all coming back at once.
        let wait = least > 0 ? least + jitter / 4 : jitter
        return wait < remainingNanoseconds ? wait : nil
    }

    /// Methods that may be repeated by their definition (RFC 9110 9.2.2).
    package static func isIdempotent(_ method: String) -> Bool {
        ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"].contains(method)
    }
}
