// A connection as a row: what has a column of its own, and the rest as JSON. Only the writer changes rows, always from what the row
// says in the same transaction.

import BerthModel
import BerthSeams
import Foundation
import GRDB

/// Reads rows of connections.
enum ConnectionRow {
    static let select = """
        SELECT id, provider, workspace, name, status, failures, last_error, last_sync, created, updated, definition FROM connection
        """

    /// A row of `select`.
    static func read(_ row: PreparedStatement) throws -> Connection {
        guard let id = ConnectionID(row.text(0)), let provider = ProviderName(row.text(1)), let workspace = WorkspaceName(row.text(2)),
            let status = ConnectionStatus(rawValue: row.text(4))
        else { throw BerthError("store_corrupt", "connection row '\(row.text(0))' is unreadable") }
        let stored = try JSONDecoder().decode(StoredConnection.self, from: Data(row.text(10).utf8))
        return Connection(
            id: id, provider: provider, workspace: workspace, name: row.text(3), baseURL: stored.baseURL, settings: stored.settings,
            credentialKind: stored.credentialKind, webhook: stored.webhook,
            schedules: Dictionary(
                stored.schedules.compactMap { name, text in StreamName(name).map { ($0, text) } }, uniquingKeysWith: { first, _ in first }),
            status: status, consecutiveFailures: Int(row.int64(5)), lastError: row.optionalText(6),
            createdAt: Timestamp(milliseconds: row.int64(8)), updatedAt: Timestamp(milliseconds: row.int64(9)),
            lastSyncAt: row.optionalInt64(7).map { Timestamp(milliseconds: $0) })
    }
}

extension Writer {
    /// The connection as it is in this transaction; nil when it is not there or was removed.
    func connection(_ id: ConnectionID) throws -> Connection? {
        let find = try statement(
            """
            SELECT id, provider, workspace, name, status, failures, last_error, last_sync, created, updated, definition FROM connection
            WHERE id = ?1 AND removed IS NULL
            """)
        find.bind(1, id.description)
        return try find.first(ConnectionRow.read)
    }

    /// Marks what this transaction made of it as the newest.
    func version(_ connection: Connection) -> ConnectionVersion {
        connectionRevision += 1
        return ConnectionVersion(connection, revision: connectionRevision)
    }

    /// Throws `conflict` when its name is taken.
    func insert(_ connection: Connection) throws {
        let insert = try statement(
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
        insert.bind(11, try StoredConnection(connection).text)
        guard try insert.run() == 1 else {
            throw BerthError(
                .conflict, "workspace '\(connection.workspace)' already has a \(connection.provider) connection '\(connection.name)'",
                hint: "choose another name")
        }
    }

    /// Throws `conflict` when its new name is taken.
    func update(_ connection: Connection) throws {
        let update = try statement(
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
        update.bind(8, try StoredConnection(connection).text)
        guard try update.run() == 1 else {
            throw BerthError(
                .conflict, "the name '\(connection.name)' is taken", hint: "berthctl connection list shows the names in use")
        }
    }

    /// The slots that hold a secret.
    func slots(of connection: ConnectionID) throws -> Set<String> {
        let list = try statement("SELECT slot FROM secret WHERE connection = ?1")
        list.bind(1, connection.description)
        var slots: Set<String> = []
        try list.forEach { row in
            slots.insert(row.text(0))
            return true
        }
        return slots
    }

    /// Runs that wait begin anew: where they stood at one address says nothing at another, and records between would never be read.
    func forgetPositions(ofOpenRuns connection: Int64) throws {
        let update = try statement(
            "UPDATE run SET checkpoint_schema = NULL, checkpoint = NULL WHERE connection = ?1 AND status IN ('queued', 'running')")
        update.bind(1, connection)
        try update.run()
    }

    /// Removes and sets sealed values; one without a time is as old as `now`.
    func apply(_ change: SealedChange, of connection: ConnectionID, now: Timestamp) throws {
        if change.removesAll {
            let delete = try statement("DELETE FROM secret WHERE connection = ?1")
            delete.bind(1, connection.description)
            try delete.run()
        }
        for slot in change.removes {
            let delete = try statement("DELETE FROM secret WHERE connection = ?1 AND slot = ?2")
            delete.bind(1, connection.description)
            delete.bind(2, slot)
            try delete.run()
        }
        for (slot, secret) in change.values {
            let insert = try statement(
                """
                INSERT INTO secret (connection, slot, key_id, sealed, set_at) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed, set_at = excluded.set_at
                """)
            insert.bind(1, connection.description)
            insert.bind(2, slot)
            insert.bind(3, secret.keyID)
            insert.bindBlob(4, secret.bytes)
            insert.bind(5, (secret.setAt ?? now).milliseconds)
            try insert.run()
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
