// How the rest of the daemon learns of requests, for metrics. Nothing here holds a URL, a header or a secret.

public import BerthModel

/// Told of every exchange and circuit change, on the outbound thread: implementations must be quick and not block.
public protocol OutboundObserver: Sendable {
    /// A request ended, however it did.
    func exchanged(_ exchange: OutboundExchange)
    /// A circuit opened or closed.
    func circuitChanged(_ circuit: CircuitStatus)
    /// A request of a class whose answers are kept came to the cache, or an answer was put into it.
    func cacheUsed(_ outcome: CacheOutcome, of provider: ProviderName)
}

extension OutboundObserver {
    /// For observers that do not count it.
    public func cacheUsed(_ outcome: CacheOutcome, of provider: ProviderName) {}
}

/// What the cache did.
public enum CacheOutcome: String, Sendable, Hashable, CaseIterable {
    /// Answered without a request.
    case hit
    /// Asked on condition; the provider called the kept answer current.
    case revalidated
    /// Asked, and answered by the provider.
    case miss
    /// A new answer was kept.
    case stored
}

/// One finished request.
public struct OutboundExchange: Sendable {
    /// Which provider.
    public var provider: ProviderName
    /// Which connection.
    public var connection: ConnectionID
    /// The manifest's class, or `other` for any that it does not declare: those may be as many as the plugin likes; nil: none.
    public var requestClass: String?
    /// HTTP status; nil: no answer.
    public var status: Int?
    /// Why there was no answer.
    public var failure: AttemptStatus?
    /// From call to answer, waiting and retries included.
    public var seconds: Double
    /// Of that, waiting for limits.
    public var waitedSeconds: Double
    /// Bytes of the answer's body.
    public var bytes: Int
    /// Tries made; 0: never sent.
    public var tries: Int

    /// Whether the provider, or the way to it, had its say: not where the request was refused, had no token or no turn, or was given up.
    public var isSent: Bool {
        switch failure {
        case nil: true
        case .remoteDown, .timeout: tries > 0
        default: false
        }
    }
}
