// An event in answers.

public import BerthModel

/// A webhook delivery.
public struct EventView: Codable, Sendable {
    /// `evt_...`
    public var id: String
    /// Connection id.
    public var connection: String
    /// Provider.
    public var provider: String
    /// Event kind.
    public var kind: String
    /// Where it stands.
    public var state: String
    /// Nobody handles its kind.
    public var unsupported: Bool
    /// Attempts made.
    public var attempt: Int
    /// Dedup key.
    public var dedup_key: String
    /// FIFO key.
    public var ordering_key: String?
    /// When it came.
    public var received_at: Timestamp
    /// When it is tried next.
    public var due_at: Timestamp?
    /// When it ended.
    public var settled_at: Timestamp?
    /// Why the last attempt failed.
    public var failure: AttemptFailure?
    /// As received.
    public var method: String
    /// As received.
    public var query: String
    /// Parts its signature does not cover: kept as they came, and not believed. Only of a single event.
    public var unproven: [String]?
    /// As received; only of a single event.
    public var headers: [[String]]?
    /// As received, when it is UTF-8; only of a single event.
    public var body: String?
    /// As received, when it is not.
    public var body_base64: String?

    /// A view.
    public init(_ event: Event, withContents: Bool) {
        id = event.id.description
        connection = event.connection.description
        provider = event.provider.text
        kind = event.kind
        state = event.state.rawValue
        unsupported = event.isUnsupported
        attempt = event.attempt
        dedup_key = event.dedupKey
        ordering_key = event.orderingKey
        received_at = event.receivedAt
        due_at = event.state == .completed || event.state == .discarded || event.state == .cancelled ? nil : event.dueAt
        settled_at = event.settledAt
        failure = event.lastFailure
        method = event.method
        query = event.query
        guard withContents else { return }
        unproven = event.unproven.isEmpty ? nil : event.unproven.names
        headers = event.headers.map { [$0.name, $0.value] }
        body = String(validating: event.body, as: UTF8.self)
        if body == nil { body_base64 = Base64.encode(event.body, urlSafe: false) }
    }
}
