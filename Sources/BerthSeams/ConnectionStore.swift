// Connections in the store. A connection is never written from a copy that somebody held meanwhile: it is read, changed and
// written in one transaction, together with its secrets and what the audit log says of it.

public import BerthModel

/// Connections.
public protocol ConnectionStore: Sendable {
    /// Adds one with its secrets and audit entries, all or nothing; throws `conflict` when provider, workspace and name are taken.
    func insertConnection(_ connection: Connection, secrets: SealedChange, audit: [AuditEntry]) async throws(BerthError)
        -> ConnectionVersion
    /// Reads one, changes it by `body` and writes it, with `secrets` and the audit entries that `body` answers; all durable when it
    /// returns. `body` runs on the store's writer and must be quick; it is told the slots of the secrets that are there after the
    /// change. Nothing is changed when it throws, when the connection is gone (`not_found`) or its new name is taken (`conflict`).
    ///
    /// `restartsStreams`: what was read so far was somebody else's. Streams stand nowhere then, queued runs have no checkpoint and
    /// no lower bound (a range keeps its own), and runs that go on move no position.
    func changeConnection(
        _ id: ConnectionID, secrets: SealedChange, restartsStreams: Bool,
        _ body: @escaping @Sendable (_ connection: inout Connection, _ slots: Set<String>) throws(BerthError) -> [AuditEntry]
    ) async throws(BerthError) -> ConnectionVersion
    /// Removes one with its secrets; its events, records and runs stay until retention. False: there was none.
    func deleteConnection(_ id: ConnectionID) async throws(BerthError) -> Bool
    /// All, by provider and name.
    func connections() async throws(BerthError) -> [Connection]
    /// When each secret of a connection, or of all, was given, by slot text.
    func secretTimes(of connection: ConnectionID?) async throws(BerthError) -> [ConnectionID: [String: Timestamp]]
    /// Removes the secrets of connections that are disconnected or not there; how many there were.
    func removeStraySecrets() async throws(BerthError) -> Int
}

extension ConnectionStore {
    /// A change after which streams go on where they stand.
    public func changeConnection(
        _ id: ConnectionID, secrets: SealedChange,
        _ body: @escaping @Sendable (_ connection: inout Connection, _ slots: Set<String>) throws(BerthError) -> [AuditEntry]
    ) async throws(BerthError) -> ConnectionVersion { try await changeConnection(id, secrets: secrets, restartsStreams: false, body) }
}

/// A connection as one commit left it.
public struct ConnectionVersion: Sendable, Hashable {
    /// The connection.
    public var connection: Connection
    /// Greater for a later commit of the same process.
    public var revision: UInt64
    /// A version.
    public init(_ connection: Connection, revision: UInt64) {
        self.connection = connection
        self.revision = revision
    }
}
