// The log of requests to providers: that they were made and how they ended, never what was in them.

public import BerthModel

/// Keeps a bounded log of requests.
public protocol RequestLogStore: Sendable {
    /// Appends; durable when it returns.
    func logRequests(_ entries: [RequestLogEntry]) async throws(BerthError)
    /// Newest first.
    func requestLog(_ filter: RequestLogFilter, page: PageRequest) async throws(BerthError) -> Page<RequestLogEntry>
}

/// One finished request. Holds no header, no body, no query value and no secret.
public struct RequestLogEntry: Sendable, Hashable {
    /// When it ended.
    public var at: Timestamp
    /// Which provider.
    public var provider: ProviderName
    /// Whose.
    public var connection: ConnectionID
    /// `GET`...
    public var method: String
    /// The host it went to, or should have; empty when it names none.
    public var host: String
    /// Path, and names of query fields with their values masked, and names that may be none.
    public var path: String
    /// Class of the manifest.
    public var requestClass: String?
    /// HTTP status; nil: no answer.
    public var status: Int?
    /// Why there was none; nil: there was.
    public var failure: AttemptStatus?
    /// The same in words, as the plugin's caller read them; nil: there was an answer, or it was logged by an older version.
    public var reason: String?
    /// From call to answer, waiting and retries included.
    public var milliseconds: Int64
    /// Of that, waiting for limits.
    public var waitedMilliseconds: Int64
    /// Bytes of the answer's body.
    public var bytes: Int
    /// Tries made; 0: never sent.
    public var tries: Int
    /// All parts.
    public init(
        at: Timestamp, provider: ProviderName, connection: ConnectionID, method: String, host: String, path: String, requestClass: String?,
        status: Int?, failure: AttemptStatus?, reason: String? = nil, milliseconds: Int64, waitedMilliseconds: Int64, bytes: Int, tries: Int
    ) {
        self.at = at
        self.provider = provider
        self.connection = connection
        self.method = method
        self.host = host
        self.path = path
        self.requestClass = requestClass
        self.status = status
        self.failure = failure
        self.reason = reason
        self.milliseconds = milliseconds
        self.waitedMilliseconds = waitedMilliseconds
        self.bytes = bytes
        self.tries = tries
    }
}

/// Which requests.
public struct RequestLogFilter: Sendable {
    /// Of this connection.
    public var connection: ConnectionID?
    /// Of this provider.
    public var provider: ProviderName?
    /// With this HTTP status.
    public var status: Int?
    /// Only those without a good answer: none, or status 400 and above.
    public var failedOnly: Bool
    /// At or after.
    public var since: Timestamp?
    /// Before.
    public var until: Timestamp?
    /// All.
    public init(
        connection: ConnectionID? = nil, provider: ProviderName? = nil, status: Int? = nil, failedOnly: Bool = false,
        since: Timestamp? = nil,
        until: Timestamp? = nil
    ) {
        self.connection = connection
        self.provider = provider
        self.status = status
        self.failedOnly = failedOnly
        self.since = since
        self.until = until
    }
}
