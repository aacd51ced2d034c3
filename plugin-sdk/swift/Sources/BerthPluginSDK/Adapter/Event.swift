// One webhook delivery as an adapter sees it, copied out of the daemon's memory so that it may be kept.

internal import CBerthPlugin

/// A delivery, verified and durable before it comes here.
public struct Event: Sendable {
    /// `evt_...`
    public let id: String
    /// By `webhook.event_kind` of the manifest; may be empty.
    public let kind: String
    /// 1 for the first time.
    public let attempt: Int
    /// When its head was read.
    public let receivedAt: ProviderTime
    /// `POST`
    public let method: String
    /// Raw, without `?`.
    public let query: String
    /// Raw.
    public let body: [UInt8]
    /// Names in lower case, in order.
    public let headers: [(name: String, value: String)]

    /// The first value of a header, name in lower case.
    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The body as JSON; throws `invalidEvent` naming the place when it is not.
    public func json() throws -> JSONNode {
        do {
            return try JSONDocument(body).root
        } catch {
            throw ProviderError.invalidEvent("the delivery's body is not JSON: \(error)")
        }
    }

    init(_ event: UnsafePointer<berth_event_v1>) {
        let raw = event.pointee
        id = raw.id.text
        kind = raw.kind.text
        attempt = Int(raw.attempt)
        receivedAt = ProviderTime(milliseconds: raw.received_at)
        method = raw.method.text
        query = raw.query.text
        body = raw.body.bytes
        headers = UnsafeBufferPointer(start: raw.headers, count: raw.headers == nil ? 0 : Int(raw.header_count))
            .map { ($0.name.text, $0.value.text) }
    }
}

extension berth_host_slice {
    /// A copy as text; invalid UTF-8 becomes replacement characters.
    var text: String { String(decoding: buffer, as: UTF8.self) }
    /// A copy.
    var bytes: [UInt8] { Array(buffer) }
    /// The bytes, valid until the call ends they came with.
    var buffer: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: ptr, count: ptr == nil ? 0 : Int(len)) }
}
