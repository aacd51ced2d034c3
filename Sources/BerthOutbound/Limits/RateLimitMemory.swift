// What counts against limits, in a form that survives a restart: a provider's window does not begin anew with us.

public import BerthModel
import BerthSeams

/// Requests sent lately. Durations are turned into wall time for keeping, and back at the next start.
public struct RateLimitMemory: Sendable, Hashable, Codable {
    /// One limit's.
    public var windows: [Window]

    /// Requests that count against one limit.
    public struct Window: Sendable, Hashable, Codable {
        /// Which provider.
        public var provider: ProviderName
        /// Which connection; nil: a limit that all connections of the provider share.
        public var connection: ConnectionID?
        /// The limit's number.
        public var requests: Int
        /// The limit's window.
        public var windowSeconds: Int
        /// The limit's class.
        public var requestClass: String?
        /// When they were sent.
        public var sentAt: [Timestamp]
        /// How many at each of these times.
        public var counts: [Int]
    }
}

extension CurlOutbound {
    /// What counts now; to be stored at a regular stop, and now and then.
    public func rateLimitMemory() -> RateLimitMemory {
        let now = Monotonic.now()
        let wall = clock.now()
        return RateLimitMemory(
            windows: admissions.flatMap { provider, admission in
                admission.memory(now).map { item in
                    RateLimitMemory.Window(
                        provider: provider, connection: item.connection, requests: item.limit.requests,
                        windowSeconds: item.limit.windowSeconds, requestClass: item.limit.requestClass,
                        // Rounded to later: never too early by a part of a millisecond.
                        sentAt: item.sent.map { wall.adding(milliseconds: 1 - $0.age / 1_000_000) }, counts: item.sent.map(\.count))
                }
            })
    }

    /// Takes up what counted before this start; call it before the first request. Times in the future, after a
    /// clock was set back, count as now.
    public func restore(_ memory: RateLimitMemory) {
        let now = Monotonic.now()
        let wall = clock.now()
        for window in memory.windows {
            let limit = PluginManifest.RateLimit(
                requests: window.requests, windowSeconds: window.windowSeconds, requestClass: window.requestClass)
            let sent = zip(window.sentAt, window.counts).map { time, count in
                SentRequests(age: max(0, min(wall.milliseconds - time.milliseconds, 86_400_000)) * 1_000_000, count: count)
            }
            admissions[window.provider, default: RequestAdmission(shared: configuration.providerLimits[window.provider] ?? [])]
                .remember(window.connection, limit, sent, now: now)
        }
    }
}
