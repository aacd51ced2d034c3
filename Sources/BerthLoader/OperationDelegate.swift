// What happens when a plugin calls the host during an operation. Checked values only: the loader has looked at every
// pointer, length and number before.

public import BerthModel

/// Receives an operation's host calls, on the thread that runs the operation (log, isCancelled, remaining: any thread).
/// Methods that wait wake up when the operation is cancelled and answer `.cancelled`.
public protocol OperationDelegate: AnyObject, Sendable {
    /// A line for the operator; at most 4 KiB, valid UTF-8.
    func log(level: UInt32, message: String)
    /// Details of a failure; `item` is nil when it concerns no single one.
    func fail(_ failure: AttemptFailure, item: Int?)
    /// Whether the operation should end soon.
    var isCancelled: Bool { get }
    /// Milliseconds to the deadline.
    var remainingMilliseconds: UInt64 { get }
    /// Records; `item` as above.
    func emit(_ records: [(item: Int?, change: RecordChange)]) -> AttemptStatus
    /// A position; ordered after the emits before it.
    func checkpoint(_ checkpoint: Checkpoint) -> AttemptStatus
    /// The operation's result document.
    func reply(_ json: [UInt8]) -> AttemptStatus
    /// A request to the provider.
    func send(_ request: PluginRequest) -> Result<PluginResponse, AttemptFailure>
    /// Whether `expected` is the HMAC of `message` under one of the connection's keys.
    func hmacMatches(algorithm: UInt32, message: [UInt8], expected: [UInt8]) -> AttemptStatus
    /// The plugin broke a rule of the ABI; the operation's outcome is `contractViolation`.
    func violation(_ what: String)
}

/// A request as a plugin asked for it.
public struct PluginRequest: Sendable {
    /// `GET`...
    public var method: String
    /// Relative or absolute.
    public var url: String
    /// In order.
    public var headers: [(name: String, value: String)]
    /// May be empty.
    public var body: [UInt8]
    /// 0: the manifest's.
    public var timeoutMilliseconds: UInt64
    /// Limit class; empty: none.
    public var requestClass: String
    /// BERTH_HTTP_IDEMPOTENT
    public var isIdempotent: Bool
    /// Not BERTH_HTTP_NO_AUTH.
    public var isAuthenticated: Bool

    /// A request.
    public init(
        method: String, url: String, headers: [(name: String, value: String)], body: [UInt8], timeoutMilliseconds: UInt64,
        requestClass: String, isIdempotent: Bool, isAuthenticated: Bool
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeoutMilliseconds = timeoutMilliseconds
        self.requestClass = requestClass
        self.isIdempotent = isIdempotent
        self.isAuthenticated = isAuthenticated
    }
}

/// The provider's answer.
public struct PluginResponse: Sendable {
    /// 100...599
    public var status: UInt32
    /// Names in lower case.
    public var headers: [(name: String, value: String)]
    /// Decompressed.
    public var body: [UInt8]
    /// An answer.
    public init(status: UInt32, headers: [(name: String, value: String)], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// An event as the loader hands it to a plugin.
public struct PluginEvent: Sendable {
    /// `evt_...`
    public var id: String
    /// 1 for the first time.
    public var attempt: UInt32
    /// Milliseconds since 1970.
    public var receivedAt: Int64
    /// May be empty.
    public var kind: String
    /// As received.
    public var method: String
    /// As received.
    public var query: String
    /// Names in lower case.
    public var headers: [(name: String, value: String)]
    /// As received.
    public var body: [UInt8]
    /// An event.
    public init(
        id: String, attempt: UInt32, receivedAt: Int64, kind: String, method: String, query: String,
        headers: [(name: String, value: String)], body: [UInt8]
    ) {
        self.id = id
        self.attempt = attempt
        self.receivedAt = receivedAt
        self.kind = kind
        self.method = method
        self.query = query
        self.headers = headers
        self.body = body
    }
}
