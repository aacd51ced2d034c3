// An accepted delivery as the store gives it back.

/// An event in the inbox.
public struct Event: Sendable {
    /// Its id.
    public var id: EventID
    /// Its place in the order of acceptance; grows, with gaps.
    public var sequence: Int64
    /// The connection it came for.
    public var connection: ConnectionID
    /// Its provider.
    public var provider: ProviderName
    /// By the manifest; may be empty.
    public var kind: String
    /// Where it stands.
    public var state: EventState
    /// Marks a completed event of a kind nobody handles.
    public var isUnsupported: Bool
    /// Attempts made so far, the current one included.
    public var attempt: Int
    /// Attempts so far that brought the plugin down, hung or broke its contract.
    public var deaths = 0
    /// What its sender has not proven: kept, and not shown to the plugin.
    public var unproven: UnprovenParts = []
    /// Unique per connection.
    public var dedupKey: String
    /// FIFO key.
    public var orderingKey: String?
    /// As received.
    public var method: String
    /// As received.
    public var query: String
    /// As received.
    public var headers: [(name: String, value: String)]
    /// As received.
    public var body: [UInt8]
    /// When it came.
    public var receivedAt: Timestamp
    /// When it may be tried (again).
    public var dueAt: Timestamp
    /// When it reached an end state.
    public var settledAt: Timestamp?
    /// Why the last attempt failed.
    public var lastFailure: AttemptFailure?

    /// All parts.
    public init(
        id: EventID, sequence: Int64, connection: ConnectionID, provider: ProviderName, kind: String, state: EventState,
        isUnsupported: Bool, attempt: Int, dedupKey: String, orderingKey: String?, method: String, query: String,
        headers: [(name: String, value: String)], body: [UInt8], receivedAt: Timestamp, dueAt: Timestamp, settledAt: Timestamp?,
        lastFailure: AttemptFailure?
    ) {
        self.id = id
        self.sequence = sequence
        self.connection = connection
        self.provider = provider
        self.kind = kind
        self.state = state
        self.isUnsupported = isUnsupported
        self.attempt = attempt
        self.dedupKey = dedupKey
        self.orderingKey = orderingKey
        self.method = method
        self.query = query
        self.headers = headers
        self.body = body
        self.receivedAt = receivedAt
        self.dueAt = dueAt
        self.settledAt = settledAt
        self.lastFailure = lastFailure
    }
}
