// Connections and their sealed secrets.

public import BerthModel
public import BerthSeams
import Foundation
import GRDB
import Logging

extension SQLiteStore {
    public func insertConnection(_ connection: Connection) async throws(BerthError) {
        let definition = try StoredConnection(connection).text
        try await queue.write { writer in
            let insert = try writer.statement(
                """
                INSERT INTO connection (id, provider, workspace, name, status, failures, last_error, last_sync, created, updated, definition)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING
                """)
            insert.bind(1, connection.id.description)
            insert.bind(2, connection.provider.text)
            insert.bind(3, connection.workspace.text)
            insert.bind(4, connection.name)
            insert.bind(5, connection.status.rawValue)
            insert.bind(6, Int64(connection.consecutiveFailures))
            insert.bind(7, connection.lastError)
            insert.bind(8, connection.lastSyncAt?.milliseconds)
            insert.bind(9, connection.createdAt.milliseconds)
            insert.bind(10, connection.updatedAt.milliseconds)
            insert.bind(11, definition)
            guard try insert.run() == 1 else {
                throw BerthError(
                    .conflict, "workspace '\(connection.workspace)' already has a \(connection.provider) connection '\(connection.name)'",
                    hint: "choose another name")
            }
        }
    }

    public func updateConnection(_ connection: Connection) async throws(BerthError) {
        let definition = try StoredConnection(connection).text
        try await queue.write { writer in
            let update = try writer.statement(
                """
                UPDATE OR IGNORE connection SET name = ?2, status = ?3, failures = ?4, last_error = ?5, last_sync = ?6, updated = ?7,
                  definition = ?8 WHERE id = ?1 AND removed IS NULL
                """)
            update.bind(1, connection.id.description)
            update.bind(2, connection.name)
            update.bind(3, connection.status.rawValue)
            update.bind(4, Int64(connection.consecutiveFailures))
            update.bind(5, connection.lastError)
            update.bind(6, connection.lastSyncAt?.milliseconds)
            update.bind(7, connection.updatedAt.milliseconds)
            update.bind(8, definition)
            guard try update.run() == 1 else {
                throw BerthError(
                    .notFound, "there is no connection \(connection.id), or its new name is taken", hint: "berthctl connection list")
            }
        }
    }

    public func deleteConnection(_ id: ConnectionID) async throws(BerthError) -> Bool {
        let now = clock.now()
        let (isGone, hasMore) = try await queue.write { writer in
            let update = try writer.statement(
                "UPDATE connection SET removed = ?2, status = 'disconnected' WHERE id = ?1 AND removed IS NULL")
            update.bind(1, id.description)
            update.bind(2, now.milliseconds)
            guard try update.run() == 1 else { return (false, false) }
            let secrets = try writer.statement("DELETE FROM secret WHERE connection = ?1")
            secrets.bind(1, id.description)
            try secrets.run()
            writer.forgetOwner(id)
            return (true, try writer.endEvents(ofRemoved: try writer.owner(id).number, now))
        }
        if hasMore {
            // The connection is gone whatever becomes of this; what is left is ended with the next pruning.
            do throws(BerthError) { try await endEventsOfRemovedConnections(now: now) } catch {
                logger.error("events of a removed connection still wait", metadata: ["connection": "\(id)", "error": "\(error)"])
            }
        }
        return isGone
    }

    public func connections() async throws(BerthError) -> [Connection] {
        try await read { database in
            try ReadQuery(
                """
                SELECT id, provider, workspace, name, status, failures, last_error, last_sync, created, updated, definition
                FROM connection WHERE removed IS NULL ORDER BY provider, name, number
                """
            ).all(database) { row in
                guard let id = ConnectionID(row.text(0)), let provider = ProviderName(row.text(1)),
                    let workspace = WorkspaceName(row.text(2)), let status = ConnectionStatus(rawValue: row.text(4))
                else { throw BerthError("store_corrupt", "connection row '\(row.text(0))' is unreadable") }
                let stored = try JSONDecoder().decode(StoredConnection.self, from: Data(row.text(10).utf8))
                return Connection(
                    id: id, provider: provider, workspace: workspace, name: row.text(3), baseURL: stored.baseURL, settings: stored.settings,
                    credentialKind: stored.credentialKind, webhook: stored.webhook,
                    schedules: Dictionary(
                        stored.schedules.compactMap { name, text in StreamName(name).map { ($0, text) } },
                        uniquingKeysWith: { first, _ in first }),
                    status: status, consecutiveFailures: Int(row.int64(5)), lastError: row.optionalText(6),
                    createdAt: Timestamp(milliseconds: row.int64(8)), updatedAt: Timestamp(milliseconds: row.int64(9)),
                    lastSyncAt: row.optionalInt64(7).map { Timestamp(milliseconds: $0) })
            }
        }
    }

    public func sealedSecret(connection: ConnectionID, slot: String) async throws(BerthError) -> SealedSecret? {
        try await read { database in
            var query = ReadQuery("SELECT key_id, sealed, set_at FROM secret")
            query.append(" WHERE connection = ?", connection.description)
            query.append(" AND slot = ?", slot)
            return try query.all(database) {
                SealedSecret(keyID: $0.text(0), bytes: $0.blob(1), setAt: $0.optionalInt64(2).map { Timestamp(milliseconds: $0) })
            }.first
        }
    }

    public func setSealedSecret(_ secret: SealedSecret, connection: ConnectionID, slot: String) async throws(BerthError) {
        let setAt = secret.setAt ?? clock.now()
        try await queue.write { writer in
            let insert = try writer.statement(
                """
                INSERT INTO secret (connection, slot, key_id, sealed, set_at) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed, set_at = excluded.set_at
                """)
            insert.bind(1, connection.description)
            insert.bind(2, slot)
            insert.bind(3, secret.keyID)
            insert.bindBlob(4, secret.bytes)
            insert.bind(5, setAt.milliseconds)
            try insert.run()
        }
    }

    public func removeSealedSecrets(connection: ConnectionID) async throws(BerthError) {
        try await queue.write { writer in
            let delete = try writer.statement("DELETE FROM secret WHERE connection = ?1")
            delete.bind(1, connection.description)
            try delete.run()
        }
    }

    public func allSealedSecrets() async throws(BerthError) -> [(connection: ConnectionID, slot: String, secret: SealedSecret)] {
        try await read { database in
            try ReadQuery("SELECT connection, slot, key_id, sealed, set_at FROM secret").all(database) { row in
                guard let id = ConnectionID(row.text(0)) else {
                    throw BerthError("store_corrupt", "a secret belongs to no readable connection")
                }
                let setAt = row.optionalInt64(4).map { Timestamp(milliseconds: $0) }
                return (connection: id, slot: row.text(1), secret: SealedSecret(keyID: row.text(2), bytes: row.blob(3), setAt: setAt))
            }
        }
    }

    public func secretTimes(of connection: ConnectionID?) async throws(BerthError) -> [ConnectionID: [String: Timestamp]] {
        let rows = try await read { database in
            var query = ReadQuery("SELECT connection, slot, set_at FROM secret WHERE set_at IS NOT NULL")
            if let connection { query.append(" AND connection = ?", connection.description) }
            return try query.all(database) { ($0.text(0), $0.text(1), Timestamp(milliseconds: $0.int64(2))) }
        }
        return rows.reduce(into: [:]) { times, row in
            if let id = ConnectionID(row.0) { times[id, default: [:]][row.1] = row.2 }
        }
    }
}

/// What of a connection has no column of its own.
private struct StoredConnection: Codable {
    var baseURL: String?
    var settings: [String: JSONValue]
    var credentialKind: CredentialSpec.Kind?
    var webhook: ConnectionWebhook?
    var schedules: [String: String]

    init(_ connection: Connection) {
        baseURL = connection.baseURL
        settings = connection.settings
        credentialKind = connection.credentialKind
        webhook = connection.webhook
        schedules = Dictionary(uniqueKeysWithValues: connection.schedules.map { ($0.key.text, $0.value) })
    }

    var text: String {
        get throws(BerthError) {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            do { return String(decoding: try encoder.encode(self), as: UTF8.self) } catch {
                throw BerthError(.internal, "a connection can't be written: \(error)")
            }
        }
    }
}
