// What an operator sees of a connection's requests, and may do about them.

public import BerthModel

/// The broker's state, by connection.
public protocol OutboundInspection: Sendable {
    /// Circuit, limits and pauses of a connection now, at the target's server.
    func traffic(of target: OutboundTarget) async -> ConnectionTraffic
    /// The rules that a connection's requests keep to; nil when there is no such connection.
    func egress(of connection: ConnectionID) async -> EgressView?
    /// Circuits that are not closed.
    func openCircuits() async -> [ConnectionID: CircuitView]
    /// Closes a connection's circuit by hand, and ends the pauses that its provider asked for.
    func resetCircuit(of target: OutboundTarget) async
    /// Connections whose last request had no token to go with, and why. Known since the daemon's start, until a token is had.
    func tokenFailures() async -> [ConnectionID: String]
    /// Connections that were asked to wait for a minute or more, with the seconds left.
    func longPauses() async -> [ConnectionID: Double]
}

/// A connection's requests as they stand.
public struct ConnectionTraffic: Sendable {
    /// The circuit.
    public var circuit: CircuitView
    /// The manifest's limits in its order.
    public var limits: [LimitView]
    /// Classes that wait because the provider asked for it (empty: all), with the seconds left.
    public var pauses: [String: Double]
    /// All parts.
    public init(circuit: CircuitView, limits: [LimitView], pauses: [String: Double]) {
        self.circuit = circuit
        self.limits = limits
        self.pauses = pauses
    }
}

/// A circuit as it stands.
public struct CircuitView: Sendable, Hashable {
    /// `closed`, `open`, `half_open`.
    public var state: String
    /// Failures in a row.
    public var failures: Int
    /// Seconds until a request is let through; nil: now.
    public var retryAfterSeconds: Double?
    /// What the last failure was; nil: none.
    public var lastFailure: String?
    /// All parts.
    public init(state: String, failures: Int, retryAfterSeconds: Double?, lastFailure: String?) {
        self.state = state
        self.failures = failures
        self.retryAfterSeconds = retryAfterSeconds
        self.lastFailure = lastFailure
    }
}

/// A limit as it stands.
public struct LimitView: Sendable, Hashable {
    /// As declared.
    public var limit: PluginManifest.RateLimit
    /// Requests that count now.
    public var used: Int
    /// Seconds until one more may go; nil: now.
    public var retryAfterSeconds: Double?
    /// All parts.
    public init(limit: PluginManifest.RateLimit, used: Int, retryAfterSeconds: Double?) {
        self.limit = limit
        self.used = used
        self.retryAfterSeconds = retryAfterSeconds
    }
}
