// Connections and their sealed secrets. What a connection is as a row: ConnectionRow.

public import BerthModel
public import BerthSeams
import GRDB
import Logging

extension SQLiteStore {
    public func insertConnection(_ connection: Connection, secrets: SealedChange = SealedChange(), audit: [AuditEntry] = [])
        async throws(BerthError) -> ConnectionVersion
    {
        let now = clock.now()
        return try await queue.write { writer in
            try writer.insert(connection)
            try writer.apply(secrets, of: connection.id, now: now)
            try writer.audit(audit)
            return writer.version(connection)
        }
    }

    public func changeConnection(
        _ id: ConnectionID, secrets: SealedChange, restartsStreams: Bool,
        _ body: @escaping @Sendable (inout Connection, Set<String>) throws(BerthError) -> [AuditEntry]
    ) async throws(BerthError) -> ConnectionVersion {
        let now = clock.now()
        return try await queue.write { writer in
            guard var connection = try writer.connection(id) else {
                throw BerthError(.notFound, "there is no connection '\(id)'", hint: "berthctl connection list")
            }
            let before = connection
            try writer.apply(secrets, of: id, now: now)
            let entries = try body(&connection, try writer.slots(of: id))
            if connection != before { try writer.update(connection) }
            if restartsStreams {
                try writer.restartStreams(of: try writer.owner(id).number)
            } else if connection.baseURL != before.baseURL || connection.settings != before.settings {
                // Settings are parts of addresses as well.
                try writer.forgetPositions(ofOpenRuns: try writer.owner(id).number)
            }
            try writer.audit(entries)
            return writer.version(connection)
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
            try writer.apply(SealedChange(removesAll: true), of: id, now: now)
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
            try ReadQuery("\(ConnectionRow.select) WHERE removed IS NULL ORDER BY provider, name, number").all(database, ConnectionRow.read)
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
        let now = clock.now()
        try await queue.write { writer in
            // What was under way when the connection ended comes too late: a token, the key of an exchange.
            let find = try writer.statement("SELECT 1 FROM connection WHERE id = ?1 AND (removed IS NOT NULL OR status = 'disconnected')")
            find.bind(1, connection.description)
            guard try find.first({ _ in true }) == nil else {
                throw BerthError(
                    .conflict, "connection \(connection) is disconnected or removed: nothing secret is kept for it",
                    hint: "berthctl connection set-credentials NAME brings a disconnected one back")
            }
            try writer.apply(SealedChange(values: [slot: secret]), of: connection, now: now)
        }
    }

    public func removeSealedSecrets(connection: ConnectionID) async throws(BerthError) {
        let now = clock.now()
        try await queue.write { try $0.apply(SealedChange(removesAll: true), of: connection, now: now) }
    }

    public func removeStraySecrets() async throws(BerthError) -> Int {
        try await queue.write { writer in
            try writer.statement(
                """
                DELETE FROM secret WHERE connection NOT IN
                  (SELECT id FROM connection WHERE removed IS NULL AND status <> 'disconnected')
                """
            ).run()
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
