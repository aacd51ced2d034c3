// The things that messages carry in both directions: events, records, headers, requests, answers, failures.

/// A header.
public struct WireHeader: Hashable, Sendable {
    /// Lower case towards the plugin, as written from it.
    public var name: String
    /// Its value.
    public var value: String
    /// A header.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// One delivery, as `berth_event_v1`.
public struct WireEvent: Hashable, Sendable {
    /// `evt_...`
    public var id: String
    /// May be empty.
    public var kind: String
    /// `POST`
    public var method: String
    /// Raw, without `?`.
    public var query: String
    /// In order.
    public var headers: [WireHeader]
    /// Raw.
    public var body: [UInt8]
    /// 1 for the first time.
    public var attempt: UInt32
    /// Milliseconds since the epoch.
    public var receivedAt: Int64
    /// All parts.
    public init(
        id: String, kind: String, method: String, query: String, headers: [WireHeader], body: [UInt8], attempt: UInt32, receivedAt: Int64
    ) {
        self.id = id
        self.kind = kind
        self.method = method
        self.query = query
        self.headers = headers
        self.body = body
        self.attempt = attempt
        self.receivedAt = receivedAt
    }
}

/// A record towards the store, as `berth_record_v1`.
public struct WireRecord: Hashable, Sendable {
    /// 1 upsert, 2 delete.
    public var kind: UInt8
    /// Index of its event, or ``WireLimits/noItem``.
    public var item: UInt32
    /// Milliseconds, or ``WireLimits/noTime``.
    public var sourceTime: Int64
    /// The stream.
    public var stream: String
    /// The provider's id.
    public var key: String
    /// JSON object; empty for a delete.
    public var payload: [UInt8]
    /// JSON; may be empty.
    public var raw: [UInt8]
    /// All parts.
    public init(kind: UInt8, item: UInt32, sourceTime: Int64, stream: String, key: String, payload: [UInt8], raw: [UInt8]) {
        self.kind = kind
        self.item = item
        self.sourceTime = sourceTime
        self.stream = stream
        self.key = key
        self.payload = payload
        self.raw = raw
    }
}

/// A record towards the provider, as `berth_outgoing_record_v1`.
public struct WireOutgoingRecord: Hashable, Sendable {
    /// 1 upsert, 2 delete.
    public var kind: UInt8
    /// The provider's id; empty: create.
    public var key: String
    /// The same when repeated.
    public var idempotencyKey: String
    /// JSON object.
    public var payload: [UInt8]
    /// All parts.
    public init(kind: UInt8, key: String, idempotencyKey: String, payload: [UInt8]) {
        self.kind = kind
        self.key = key
        self.idempotencyKey = idempotencyKey
        self.payload = payload
    }
}

/// Why something failed, as `berth_failure_v1`.
public struct WireFailure: Hashable, Sendable {
    /// ABI status.
    public var status: Int32
    /// Index in the batch, or ``WireLimits/noItem``.
    public var item: UInt32
    /// The provider's HTTP status or 0.
    public var remoteStatus: UInt32
    /// 0: unknown.
    public var retryAfterMilliseconds: UInt64
    /// For the operator.
    public var message: String
    /// The provider's own code.
    public var remoteCode: String
    /// JSON object of field to reason, may be empty.
    public var fields: [UInt8]
    /// All parts.
    public init(
        status: Int32, item: UInt32, remoteStatus: UInt32, retryAfterMilliseconds: UInt64, message: String, remoteCode: String,
        fields: [UInt8]
    ) {
        self.status = status
        self.item = item
        self.remoteStatus = remoteStatus
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.message = message
        self.remoteCode = remoteCode
        self.fields = fields
    }
}

/// A request to the provider, as `berth_http_request_v1`.
public struct WireRequest: Hashable, Sendable {
    /// ABI flags.
    public var flags: UInt32
    /// 0: the manifest's.
    public var timeoutMilliseconds: UInt64
    /// `GET`
    public var method: String
    /// Relative or absolute.
    public var url: String
    /// May be empty.
    public var requestClass: String
    /// In order.
    public var headers: [WireHeader]
    /// May be empty.
    public var body: [UInt8]
    /// All parts.
    public init(
        flags: UInt32, timeoutMilliseconds: UInt64, method: String, url: String, requestClass: String, headers: [WireHeader], body: [UInt8]
    ) {
        self.flags = flags
        self.timeoutMilliseconds = timeoutMilliseconds
        self.method = method
        self.url = url
        self.requestClass = requestClass
        self.headers = headers
        self.body = body
    }
}

/// The answer to a request: an ABI status, and what the provider said when that is 0.
public struct WireAnswer: Hashable, Sendable {
    /// ABI status.
    public var status: Int32
    /// The provider's HTTP status or 0.
    public var remoteStatus: UInt32
    /// In order.
    public var headers: [WireHeader]
    /// Decompressed.
    public var body: [UInt8]
    /// All parts.
    public init(status: Int32, remoteStatus: UInt32, headers: [WireHeader], body: [UInt8]) {
        self.status = status
        self.remoteStatus = remoteStatus
        self.headers = headers
        self.body = body
    }
}
