// How long a failed event waits before its next attempt. Pure: time and chance come in as arguments.

import BerthModel

/// Exponential waits with jitter, up to a number of attempts. The default spreads 10 attempts over about three days,
/// so that a provider's or plugin's long weekend loses nothing.
public struct RetrySchedule: Sendable {
    /// Waits after the first, second, ... failed attempt.
    public var waits: [Duration]
    /// Part of a wait that chance adds or takes: 0.2 is ±20 %.
    public var jitter: Double

    /// Nine waits, so ten attempts: 5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 6 h, 15 h, 48 h.
    public init(
        waits: [Duration] = [
            .seconds(5), .seconds(30), .seconds(120), .seconds(600), .seconds(1800), .seconds(7200), .seconds(21_600), .seconds(54_000),
            .seconds(172_800),
        ], jitter: Double = 0.2
    ) {
        self.waits = waits
        self.jitter = jitter
    }

    /// The largest number of attempts.
    public var attemptsMax: Int { waits.count + 1 }

    /// The wait after attempt number `attempt` (1 is the first); nil when attempts are used up. What the plugin or
    /// provider asks for is honoured when longer, up to a day. `random` is uniform in 0..<1.
    public func wait(afterAttempt attempt: Int, asked: Duration?, random: Double) -> Duration? {
        guard attempt >= 1, attempt <= waits.count else { return nil }
        let spread = 1 + jitter * (2 * random - 1)
        let wait = waits[attempt - 1] * spread
        guard let asked else { return wait }
        return max(wait, min(asked, .seconds(86_400)))
    }
}
