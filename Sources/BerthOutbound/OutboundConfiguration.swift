// What the operator may set of outgoing requests, with its defaults.

public import BerthModel

/// Settings of ``CurlOutbound``.
public struct OutboundConfiguration: Sendable {
    /// Largest body of an answer, decompressed.
    public var maxResponseBytes = 32 << 20
    /// All header lines of an answer together.
    public var maxResponseHeaderBytes = 64 << 10
    /// Header lines of an answer.
    public var maxResponseHeaders = 200
    /// Largest body of a request.
    public var maxRequestBytes = 32 << 20
    /// For name, TCP and TLS together.
    public var connectTimeout: Duration = .seconds(10)
    /// A body that arrives slower than `lowSpeedBytes` in this time is given up.
    public var lowSpeedTime: Duration = .seconds(15)
    /// See `lowSpeedTime`.
    public var lowSpeedBytes = 1024
    /// Kept and open connections in all, of requests by the shared egress policy.
    public var maxConnections = 256
    /// The same for each egress policy that has a route of its own.
    public var maxConnectionsPerRoute = 64
    /// To one host and port.
    public var maxConnectionsPerHost = 32
    /// A kept connection unused for longer is not used again.
    public var maxIdleSeconds = 60
    /// Requests that may wait for their turn per provider.
    public var maxWaiting = 20_000
    /// Repeating.
    public var retry = RetryPolicy()
    /// Failures in a row that open a circuit.
    public var circuitThreshold = 5
    /// Until an open circuit lets a probe through.
    public var circuitOpenTime: Duration = .seconds(60)
    /// Hosts, addresses, proxy and authorities, where the broker is not told to ask by connection.
    public var egress = EgressPolicy()
    /// `User-Agent`, unless the plugin gives one.
    public var userAgent = "Berth"

    /// All defaults.
    public init() {}
}
