// Keeps retries from multiplying load on a provider that is already in trouble.

/// A token bucket: every request puts a fifth of a token in, every retry takes one out. Pure.
package struct RetryBudget: Sendable {
    private var tokens: Double
    private let capacity: Double
    private let share: Double

    /// `share` of the requests may be retries, with `capacity` saved up at most and at the start.
    package init(share: Double = 0.2, capacity: Double = 10) {
        self.share = share
        self.capacity = capacity
        tokens = capacity
    }

    /// A request begins.
    package mutating func deposit() { tokens = min(capacity, tokens + share) }

    /// Whether a retry is affordable; takes it if so.
    package mutating func withdraw() -> Bool {
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
