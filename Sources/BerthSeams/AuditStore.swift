// The audit log in the store.

public import BerthModel

/// The audit log: append only.
public protocol AuditStore: Sendable {
    /// Appends; batched, durable within a second or at the next commit, and always before `close` returns.
    func audit(_ entries: [AuditEntry]) async throws(BerthError)
    /// Newest first.
    func auditEntries(_ filter: AuditFilter, page: PageRequest) async throws(BerthError) -> Page<AuditEntry>
}

/// Where what is being done was asked from: set by the listeners, read where an entry is written.
public enum AuditOrigin {
    /// A peer's address, or `unix:pid=N` for one on the control socket; nil: the daemon itself.
    @TaskLocal public static var address: String?
}

/// Which audit entries.
public struct AuditFilter: Sendable {
    /// Of this kind, or, ending in a full stop, of all kinds that begin so: `connection.`
    public var kind: String?
    /// By this actor.
    public var actor: String?
    /// On this connection.
    public var connection: ConnectionID?
    /// At or after.
    public var since: Timestamp?
    /// Before.
    public var until: Timestamp?
    /// All.
    public init(
        kind: String? = nil, actor: String? = nil, connection: ConnectionID? = nil, since: Timestamp? = nil, until: Timestamp? = nil
    ) {
        self.kind = kind
        self.actor = actor
        self.connection = connection
        self.since = since
        self.until = until
    }
}

/// One thing somebody did or tried.
public struct AuditEntry: Sendable, Hashable {
    /// When.
    public var at: Timestamp
    /// `webhook.accepted`, `webhook.refused`, `connection.created`, `sync.started`...
    public var kind: String
    /// Who: `uid:1000`, `provider`, `scheduler`.
    public var actor: String
    /// On what.
    public var connection: ConnectionID?
    /// More, secrets masked.
    public var detail: String
    /// The peer's address, if any.
    public var address: String?
    /// An entry.
    public init(at: Timestamp, kind: String, actor: String, connection: ConnectionID?, detail: String, address: String?) {
        self.at = at
        self.kind = kind
        self.actor = actor
        self.connection = connection
        self.detail = detail
        self.address = address
    }
}
