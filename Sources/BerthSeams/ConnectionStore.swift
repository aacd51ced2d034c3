// Connections in the store.

public import BerthModel

/// Connections.
public protocol ConnectionStore: Sendable {
    /// Adds one; throws `conflict` when provider, workspace and name are taken.
    func insertConnection(_ connection: Connection) async throws(BerthError)
    /// Replaces one by id; throws `notFound`.
    func updateConnection(_ connection: Connection) async throws(BerthError)
    /// Removes one with its secrets; its events, records and runs stay until retention. False: there was none.
    func deleteConnection(_ id: ConnectionID) async throws(BerthError) -> Bool
    /// All, by provider and name.
    func connections() async throws(BerthError) -> [Connection]
    /// When each secret of a connection, or of all, was given, by slot text.
    func secretTimes(of connection: ConnectionID?) async throws(BerthError) -> [ConnectionID: [String: Timestamp]]
}
