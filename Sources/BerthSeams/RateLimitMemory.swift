// What counts against providers' limits, kept beyond the process that counted it: a provider's window does not begin
// anew with us, nor does a pause it asked for end.

public import BerthModel

/// Keeps counts of limits.
public protocol RateLimitStore: Sendable {
    /// Replaces what is kept under each mark's key; durable when it returns.
    func keepLimits(_ marks: [RateLimitMark]) async throws(BerthError)
    /// All that still counts at `now`; what no longer does is forgotten.
    func keptLimits(now: Timestamp) async throws(BerthError) -> [RateLimitMark]
    /// When the system's boot of this id began, as it was believed first: every later daemon of that boot gets the same, whatever
    /// the wall clock says then. Durable when it returns. Times of marks count from it, so that a clock that is set, in a running
    /// daemon or between two, neither ends a window nor makes it longer.
    func began(boot: String, believed: Timestamp) async throws(BerthError) -> Timestamp
}

/// One limit's count, or one pause, as of the moment it was kept.
public struct RateLimitMark: Sendable, Hashable {
    /// What it is of.
    public var key: Key
    /// Requests that were sent, oldest first, at most 64 entries; each counts until its time and the window are over.
    public var sent: [Sent]
    /// Requests that may have been sent since: nobody knows when, or whether.
    public var ahead: Int
    /// When nothing of it counts any more, or the pause's end.
    public var until: Timestamp

    /// Which limit, or which pause.
    public struct Key: Sendable, Hashable {
        /// Which provider.
        public var provider: ProviderName
        /// At which server, as `https://host:port`; empty: kept by a version that did not tell servers apart.
        public var origin: String
        /// Which connection; nil: a limit that all connections to the server share.
        public var connection: ConnectionID?
        /// The class; empty: all.
        public var requestClass: String
        /// The limit's window; 0: a pause.
        public var windowSeconds: Int
        /// A key.
        public init(provider: ProviderName, origin: String, connection: ConnectionID?, requestClass: String, windowSeconds: Int) {
            self.provider = provider
            self.origin = origin
            self.connection = connection
            self.requestClass = requestClass
            self.windowSeconds = windowSeconds
        }
    }

    /// Requests that count together.
    public struct Sent: Sendable, Hashable {
        /// When the last of them was sent.
        public var at: Timestamp
        /// How many.
        public var count: Int
        /// An entry.
        public init(at: Timestamp, count: Int) {
            self.at = at
            self.count = count
        }
    }

    /// A mark.
    public init(key: Key, sent: [Sent], ahead: Int, until: Timestamp) {
        self.key = key
        self.sent = sent
        self.ahead = ahead
        self.until = until
    }
}
