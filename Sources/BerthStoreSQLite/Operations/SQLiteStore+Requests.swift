// The log of requests to providers: appended in batches, read by filter, bounded by days and rows (see prune).

public import BerthModel
public import BerthSeams
import GRDB

extension SQLiteStore {
    public func logRequests(_ entries: [RequestLogEntry]) async throws(BerthError) {
        guard !entries.isEmpty else { return }
        try await queue.write { writer in
            let insert = try writer.statement(
                """
                INSERT INTO request (at, provider, connection, method, host, path, class, status, failure, milliseconds, waited, bytes, tries,
                  reason)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
                """)
            for entry in entries {
                insert.bind(1, entry.at.milliseconds)
                insert.bind(2, entry.provider.text)
                insert.bind(3, entry.connection.description)
                insert.bind(4, entry.method)
                insert.bind(5, entry.host)
                insert.bind(6, entry.path)
                insert.bind(7, entry.requestClass)
                insert.bind(8, entry.status.map { Int64($0) })
                insert.bind(9, entry.failure?.rawValue)
                insert.bind(10, entry.milliseconds)
                insert.bind(11, entry.waitedMilliseconds)
                insert.bind(12, Int64(entry.bytes))
                insert.bind(13, Int64(entry.tries))
                insert.bind(14, entry.reason)
                try insert.run()
            }
        }
    }

    public func requestLog(_ filter: RequestLogFilter, page: PageRequest) async throws(BerthError) -> Page<RequestLogEntry> {
        let limit = max(1, min(1000, page.limit))
        return try await read { database in
            var query = ReadQuery(
                """
                SELECT at, provider, connection, method, host, path, class, status, failure, milliseconds, waited, bytes, tries, sequence,
                  reason
                FROM request WHERE 1
                """)
            if let connection = filter.connection { query.append(" AND connection = ?", connection.description) }
            if let provider = filter.provider { query.append(" AND provider = ?", provider.text) }
            if let status = filter.status { query.append(" AND status = ?", Int64(status)) }
            if filter.failedOnly { query.append(" AND (status IS NULL OR status >= 400)") }
            if let since = filter.since { query.append(" AND at >= ?", since.milliseconds) }
            if let until = filter.until { query.append(" AND at < ?", until.milliseconds) }
            if let cursor = page.cursor { query.append(" AND sequence < ?", try ListCursor(cursor, of: "requests").number) }
            query.append(" ORDER BY sequence DESC LIMIT ?", Int64(limit + 1))
            var rows = try query.all(database) { row in
                guard let provider = ProviderName(row.text(1)), let connection = ConnectionID(row.text(2)) else {
                    throw BerthError("store_corrupt", "row \(row.int64(13)) of the request log is unreadable")
                }
                let entry = RequestLogEntry(
                    at: Timestamp(milliseconds: row.int64(0)), provider: provider, connection: connection, method: row.text(3),
                    host: row.text(4),
                    path: row.text(5), requestClass: row.optionalText(6), status: row.optionalInt64(7).map { Int($0) },
                    failure: row.optionalText(8).flatMap { AttemptStatus(rawValue: $0) }, reason: row.optionalText(14),
                    milliseconds: row.int64(9),
                    waitedMilliseconds: row.int64(10), bytes: Int(row.int64(11)), tries: Int(row.int64(12)))
                return (entry, row.int64(13))
            }
            let hasMore = rows.count > limit
            if hasMore { rows.removeLast() }
            return Page(items: rows.map(\.0), next: hasMore ? rows.last.map { ListCursor("requests", number: $0.1).text } : nil)
        }
    }
}
