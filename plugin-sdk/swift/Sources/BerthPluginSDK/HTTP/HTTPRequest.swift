// A request to the provider before the daemon adds credentials to it.

/// A request. Paths go below the connection's address; an absolute URL must be on a host that the manifest allows.
public struct HTTPRequest: Sendable {
    /// `GET`
    public var method: String
    /// `/v2/campaigns`, without query.
    public var path: String
    /// Added to the path, percent-encoded, in order.
    public var query: [(name: String, value: String)] = []
    /// Without credentials, and without Content-Type, which `contentType` says.
    public var headers: [(name: String, value: String)] = []
    /// May be empty.
    public var body: [UInt8] = []
    /// Of the body; nil when there is none.
    public var contentType: String?
    /// Names a limit and cache class of the manifest.
    public var requestClass: String = ""
    /// Safe to repeat though the method is not: the daemon then retries it.
    public var isIdempotent = false
    /// Send no credential with it.
    public var isAnonymous = false
    /// For the whole exchange; nil: the manifest's.
    public var timeout: Duration?

    /// Any method.
    public init(method: String, path: String) {
        self.method = method
        self.path = path
    }

    /// GET with a query; pairs whose value is nil are left out.
    public static func get(_ path: String, query: KeyValuePairs<String, String?> = [:], class requestClass: String = "") -> HTTPRequest {
        var request = HTTPRequest(method: "GET", path: path)
        request.query = query.compactMap { pair in pair.value.map { (pair.key, $0) } }
        request.requestClass = requestClass
        return request
    }

    /// A method with a JSON object, whose members `body` writes.
    public static func json(
        _ method: String, _ path: String, class requestClass: String = "", isIdempotent: Bool = false,
        body: (inout JSONWriter) -> Void
    ) -> HTTPRequest {
        var json = JSONWriter()
        json.beginObject()
        body(&json)
        json.endObject()
        var request = HTTPRequest(method: method, path: path)
        request.body = json.bytes
        request.contentType = "application/json"
        request.requestClass = requestClass
        request.isIdempotent = isIdempotent
        return request
    }

    /// Path and query as sent.
    var target: String {
        guard !query.isEmpty else { return path }
        return path + (path.contains("?") ? "&" : "?") + QueryText.encoded(query)
    }
}
