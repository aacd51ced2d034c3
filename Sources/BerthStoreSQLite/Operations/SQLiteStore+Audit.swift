// The audit log and the notices of the feed.

public import BerthModel
public import BerthSeams
import GRDB

extension SQLiteStore {
    public func audit(_ entries: [AuditEntry]) async throws(BerthError) {
        guard !entries.isEmpty else { return }
        try await queue.write { try $0.audit(entries) }
    }

    public func auditEntries(_ filter: AuditFilter, page: PageRequest) async throws(BerthError) -> Page<AuditEntry> {
        let limit = max(1, min(1000, page.limit))
        return try await read { database in
            var query = ReadQuery(
                "SELECT a.at, a.kind, a.actor, c.id, a.detail, a.address, a.sequence FROM audit a LEFT JOIN connection c ON c.number = a.connection WHERE 1"
            )
            if let kind = filter.kind, kind.hasSuffix(".") {
                query.append(" AND a.kind >= ?", kind)
                query.append(" AND a.kind < ?", "\(kind.dropLast())/")  // '/' follows '.' in ASCII
            } else if let kind = filter.kind {
                query.append(" AND a.kind = ?", kind)
            }
            if let actor = filter.actor { query.append(" AND a.actor = ?", actor) }
            if let connection = filter.connection { query.append(" AND c.id = ?", connection.description) }
            if let since = filter.since { query.append(" AND a.at >= ?", since.milliseconds) }
            if let until = filter.until { query.append(" AND a.at < ?", until.milliseconds) }
            if let cursor = page.cursor { query.append(" AND a.sequence < ?", try ListCursor(cursor, of: "audit").number) }
            query.append(" ORDER BY a.sequence DESC LIMIT ?", Int64(limit + 1))
            var rows = try query.all(database) { row in
                (
                    AuditEntry(
                        at: Timestamp(milliseconds: row.int64(0)), kind: row.text(1), actor: row.text(2),
                        connection: row.optionalText(3).flatMap { ConnectionID($0) }, detail: row.text(4), address: row.optionalText(5)),
                    row.int64(6)
                )
            }
            let hasMore = rows.count > limit
            if hasMore { rows.removeLast() }
            return Page(items: rows.map(\.0), next: hasMore ? rows.last.map { ListCursor("audit", number: $0.1).text } : nil)
        }
    }

    public func notices(after sequence: Int64, limit: Int) async throws(BerthError) -> [Notice] {
        try await read { database in
            var query = ReadQuery(
                """
                SELECT n.sequence, n.topic, c.workspace, c.id, c.provider, n.at, n.data FROM notice n
                JOIN connection c ON c.number = n.connection
                """)
            query.append(" WHERE n.sequence > ?", sequence)
            query.append(" ORDER BY n.sequence LIMIT ?", Int64(limit))
            return try query.all(database) { row in
                guard let workspace = WorkspaceName(row.text(2)), let connection = ConnectionID(row.text(3)),
                    let provider = ProviderName(row.text(4))
                else { throw BerthError("store_corrupt", "notice \(row.int64(0)) is unreadable") }
                return Notice(
                    sequence: row.int64(0), topic: row.text(1), workspace: workspace, connection: connection, provider: provider,
                    at: Timestamp(milliseconds: row.int64(5)), data: row.text(6))
            }
        }
    }

    public func lastNotice() async throws(BerthError) -> Int64 {
        try await read { try Int64.fetchOne($0, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'notice'") ?? 0 }
    }
}

extension Writer {
    /// Appends to the audit log.
    func audit(_ entries: [AuditEntry]) throws {
        let insert = try statement("INSERT INTO audit (at, kind, actor, connection, detail, address) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        for entry in entries {
            let owner = entry.connection.flatMap { id in try? self.owner(id).number }  // an entry may name a connection that is gone
            insert.bind(1, entry.at.milliseconds)
            insert.bind(2, entry.kind)
            insert.bind(3, entry.actor)
            insert.bind(4, owner)
            insert.bind(5, entry.detail)
            insert.bind(6, entry.address)
            try insert.run()
        }
    }
}
