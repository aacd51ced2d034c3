// The body of `GET /v1/requests`.

public import BerthModel

/// One request to a provider, as the log of requests keeps it.
public struct RequestView: Codable, Sendable {
    /// When it ended.
    public var at: Timestamp
    /// Connection id.
    public var connection: String
    /// Provider.
    public var provider: String
    /// HTTP method.
    public var method: String
    /// Where to, also of one that was not sent; empty when it names no host.
    public var host: String
    /// Path, values of query fields masked.
    public var path: String
    /// Class of the manifest.
    public var request_class: String?
    /// HTTP status.
    public var status: Int?
    /// Why there was no answer.
    public var failure: String?
    /// The same in words.
    public var reason: String?
    /// From call to answer, waiting and retries included.
    public var duration_seconds: Double
    /// Of that, waiting for limits.
    public var waited_seconds: Double
    /// Bytes of the answer's body.
    public var bytes: Int
    /// Tries made; 0: never sent.
    public var tries: Int

    /// A view.
    public init(
        at: Timestamp, connection: String, provider: String, method: String, host: String, path: String, request_class: String?,
        status: Int?,
        failure: String?, reason: String?, duration_seconds: Double, waited_seconds: Double, bytes: Int, tries: Int
    ) {
        self.at = at
        self.connection = connection
        self.provider = provider
        self.method = method
        self.host = host
        self.path = path
        self.request_class = request_class
        self.status = status
        self.failure = failure
        self.reason = reason
        self.duration_seconds = duration_seconds
        self.waited_seconds = waited_seconds
        self.bytes = bytes
        self.tries = tries
    }
}
