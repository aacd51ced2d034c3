// A webhook delivery on its way in: raw from the wire, then verified. Only a verified one can be accepted.

/// A request to a webhook URL, exactly as received.
public struct RawDelivery: Sendable {
    /// Provider segment of the path.
    public var provider: String
    /// Connection segment: a connection's name or id; nil for `/webhooks/{provider}`.
    public var connection: String?
    /// Token segment, if any.
    public var pathToken: String?
    /// `POST`, `GET`...
    public var method: String
    /// Path as received, without query.
    public var path: String
    /// Raw query without `?`.
    public var query: String
    /// Names in lower case, in order, duplicates kept.
    public var headers: [(name: String, value: String)]
    /// The body.
    public var body: [UInt8]
    /// The peer's address, textual, without port.
    public var remoteAddress: String
    /// When its head was read.
    public var receivedAt: Timestamp

    /// All parts.
    public init(
        provider: String, connection: String?, pathToken: String?, method: String, path: String, query: String,
        headers: [(name: String, value: String)], body: [UInt8], remoteAddress: String, receivedAt: Timestamp
    ) {
        self.provider = provider
        self.connection = connection
        self.pathToken = pathToken
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.remoteAddress = remoteAddress
        self.receivedAt = receivedAt
    }

    /// The first value of a header, name in lower case.
    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// A delivery whose origin is proven and whose keys are known: ready to be made durable.
public struct VerifiedDelivery: Sendable {
    /// The id the event gets unless it is a duplicate.
    public var id: EventID
    /// The connection it is for.
    public var connection: ConnectionID
    /// Its provider.
    public var provider: ProviderName
    /// By the manifest; empty when not found.
    public var kind: String
    /// Unique per connection for 30 days.
    public var dedupKey: String
    /// Keys with equal text are processed in order of acceptance; nil: no order.
    public var orderingKey: String?
    /// As received.
    public var method: String
    /// As received.
    public var query: String
    /// As received, minus credentials (Authorization, Cookie, signature values stay: they are needed for replay checks).
    public var headers: [(name: String, value: String)]
    /// As received.
    public var body: [UInt8]
    /// When its head was read.
    public var receivedAt: Timestamp
    /// For the audit log: scheme and the signature masked to its first 4 characters.
    public var audit: String
    /// The peer's address.
    public var remoteAddress: String
    /// What the signature does not cover; kind and keys are without it.
    public var unproven: UnprovenParts = []

    /// All parts but `unproven`. Made only by the signature verifier.
    public init(
        id: EventID, connection: ConnectionID, provider: ProviderName, kind: String, dedupKey: String, orderingKey: String?,
        method: String, query: String, headers: [(name: String, value: String)], body: [UInt8], receivedAt: Timestamp,
        audit: String, remoteAddress: String
    ) {
        self.id = id
        self.connection = connection
        self.provider = provider
        self.kind = kind
        self.dedupKey = dedupKey
        self.orderingKey = orderingKey
        self.method = method
        self.query = query
        self.headers = headers
        self.body = body
        self.receivedAt = receivedAt
        self.audit = audit
        self.remoteAddress = remoteAddress
    }
}
