// What goes into the harness and what comes out, as values a test can write down and compare.

public import BerthPluginSDK
internal import CBerthPlugin

/// A delivery to hand to an adapter.
public struct HarnessEvent: Sendable {
    /// By the manifest.
    public var kind: String
    /// `POST`
    public var method: String
    /// Raw, without `?`.
    public var query: String
    /// Names in lower case.
    public var headers: [(name: String, value: String)]
    /// Raw.
    public var body: [UInt8]
    /// When it came.
    public var receivedAt: ProviderTime
    /// 1 for the first time.
    public var attempt = 1

    /// A delivery.
    public init(
        kind: String, method: String = "POST", query: String = "", headers: [(name: String, value: String)] = [], body: String = "",
        receivedAt: ProviderTime = ProviderTime(milliseconds: 1_772_700_000_000)
    ) {
        self.kind = kind
        self.method = method
        self.query = query
        self.headers = headers
        self.body = Array(body.utf8)
        self.receivedAt = receivedAt
    }
}

/// A request as the daemon would get it, before credentials.
public struct HarnessRequest: Sendable {
    /// `GET`
    public var method: String
    /// Path and query, or an absolute URL.
    public var url: String
    /// In order.
    public var headers: [(name: String, value: String)]
    /// Raw.
    public var body: [UInt8]
    /// Of the manifest.
    public var requestClass: String
    /// Whether the daemon may repeat it.
    public var isIdempotent: Bool

    /// The part before `?`.
    public var path: String { String(url.prefix { $0 != "?" }) }
    /// A query field, decoded.
    public func query(_ name: String) -> String? { QueryText.value(name, of: url) }
    /// The body as JSON; nil when it is none.
    public var json: JSONNode? { (try? JSONDocument(body))?.root }  // nil says it: a test compares

    init(_ raw: berth_http_request_v1) {
        method = raw.method.text
        url = raw.url.text
        body = raw.body.bytes
        requestClass = raw.request_class.text
        isIdempotent = raw.flags & BERTH_HTTP_IDEMPOTENT != 0
        headers = UnsafeBufferPointer(start: raw.headers, count: raw.headers == nil ? 0 : Int(raw.header_count))
            .map { ($0.name.text, $0.value.text) }
    }
}

/// A scripted answer.
public struct HarnessResponse: Sendable {
    /// 100 to 599.
    public var status: Int
    /// Names in lower case.
    public var headers: [(name: String, value: String)]
    /// Raw.
    public var body: [UInt8]

    /// An answer.
    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// JSON, 200 unless said otherwise.
    public static func json(_ body: String, status: Int = 200, headers: [(name: String, value: String)] = []) -> HarnessResponse {
        HarnessResponse(status: status, headers: headers + [("content-type", "application/json")], body: Array(body.utf8))
    }

    /// A status with plain text.
    public static func status(
        _ status: Int, _ body: String = "", headers: [(name: String, value: String)] = []
    ) -> HarnessResponse {
        HarnessResponse(status: status, headers: headers, body: Array(body.utf8))
    }
}

/// A record an adapter emitted.
public struct HarnessRecord: Sendable {
    /// Its stream.
    public var stream: String
    /// The provider's id.
    public var key: String
    /// A deletion.
    public var isDelete: Bool
    /// When it was so; nil: unknown.
    public var sourceTime: ProviderTime?
    /// JSON object of fields; empty for a deletion.
    public var payload: [UInt8]
    /// The original; empty when the payload is it.
    public var raw: [UInt8]
    let item: UInt32

    /// A field as plain text (JSON for lists and objects); nil when the record does not hold it, or clears it.
    public subscript(field: String) -> String? {
        guard let node = (try? JSONDocument(payload))?.root[member: field], !node.isNull else { return nil }  // broken JSON has no fields
        return node.scalarText ?? String(decoding: node.jsonBytes, as: UTF8.self)
    }

    /// The names of the fields it has values for, in order.
    public var fields: [String] { members.filter { !$0.value.isNull }.compactMap { $0.name.string } }
    /// The names of the fields it clears, in order.
    public var cleared: [String] { members.filter { $0.value.isNull }.compactMap { $0.name.string } }
    private var members: [(name: JSONNode, value: JSONNode)] {
        (try? JSONDocument(payload))?.root.members.map { $0 } ?? []  // broken JSON has no fields
    }

    init(_ record: berth_record_v1) {
        stream = record.stream.text
        key = record.key.text
        isDelete = record.kind == BERTH_RECORD_DELETE
        sourceTime = record.source_time == Int64.min ? nil : ProviderTime(milliseconds: record.source_time)
        payload = record.payload.bytes
        raw = record.raw.bytes
        item = record.item
    }
}

/// A durable position.
public struct HarnessCheckpoint: Sendable, Hashable {
    /// The adapter's `stateSchema`.
    public var schema: UInt32
    /// JSON.
    public var state: String

    /// A position.
    public init(schema: UInt32 = 1, state: String) {
        self.schema = schema
        self.state = state
    }
}

/// What one checkpoint made durable.
public struct HarnessPage: Sendable {
    /// Records emitted before it.
    public var records: [HarnessRecord]
    /// The position.
    public var checkpoint: HarnessCheckpoint
}

/// How a read went.
public struct HarnessRead {
    /// nil: to its end.
    public var error: (any Error)?
    /// What became durable.
    public var pages: [HarnessPage]
    /// All durable records.
    public var records: [HarnessRecord] { pages.flatMap(\.records) }
    /// The failure, when the adapter reported one.
    public var failure: ProviderError? { error as? ProviderError }
}

/// How an event, action, check or write went.
public struct HarnessOutcome {
    /// nil: well.
    public var error: (any Error)?
    /// What would be kept.
    public var records: [HarnessRecord]
    /// An action's or check's result document.
    public var reply: JSONNode?
    /// The failure, when the adapter reported one.
    public var failure: ProviderError? { error as? ProviderError }
}
