// Looking at events, and bringing settled ones back.

public import BerthModel
public import BerthSeams
import GRDB

extension SQLiteStore {
    public func event(_ id: EventID) async throws(BerthError) -> Event? {
        try await read { database in
            var query = ReadQuery(
                "SELECT \(EventRow.columns)\(EventRow.contents) FROM event e JOIN connection c ON c.number = e.connection")
            query.append(" WHERE e.id = ?", id.description)
            return try query.all(database) { try EventRow.read($0, withContents: true) }.first
        }
    }

    public func events(_ filter: EventFilter, page: PageRequest) async throws(BerthError) -> Page<Event> {
        let limit = max(1, min(1000, page.limit))
        return try await read { database in
            var query = ReadQuery("SELECT \(EventRow.columns) FROM event e JOIN connection c ON c.number = e.connection WHERE 1")
            Self.append(filter, to: &query)
            if let cursor = page.cursor { query.append(" AND e.sequence < ?", try ListCursor(cursor, of: "events").number) }
            query.append(" ORDER BY e.sequence DESC LIMIT ?", Int64(limit + 1))
            var events = try query.all(database) { try EventRow.read($0, withContents: false) }
            let hasMore = events.count > limit
            if hasMore { events.removeLast() }
            return Page(items: events, next: hasMore ? events.last.map { ListCursor("events", number: $0.sequence).text } : nil)
        }
    }

    public func replay(_ filter: EventFilter, limit: Int, dryRun: Bool, now: Timestamp) async throws(BerthError) -> [EventID] {
        let found = try await read { database in
            var query = ReadQuery(
                "SELECT e.id FROM event e JOIN connection c ON c.number = e.connection WHERE (e.state >= 4 OR e.state = 2) AND c.removed IS NULL"
            )
            Self.append(filter, to: &query)
            query.append(" ORDER BY e.sequence LIMIT ?", Int64(max(1, limit)))
            return try query.all(database) { EventID($0.text(0)) }.compactMap { $0 }
        }
        guard !dryRun, !found.isEmpty else { return found }
        // In steps, so that a replay of millions does not hold intake up.
        var replayed: [EventID] = []
        for start in stride(from: 0, to: found.count, by: 500) {
            let ids = Array(found[start..<min(start + 500, found.count)])
            replayed += try await queue.write { writer in
                let update = try writer.statement(
                    """
                    UPDATE event SET state = 0, attempt = 0, deaths = 0, due = ?2, settled = NULL, unsupported = 0, failure = NULL
                    WHERE id = ?1 AND state >= 4 AND (SELECT removed FROM connection WHERE number = event.connection) IS NULL
                    """)
                // What waits for its next attempt has it now.
                let hasten = try writer.statement("UPDATE event SET due = ?2 WHERE id = ?1 AND state = 2")
                return try ids.filter { id in
                    hasten.bind(1, id.description)
                    hasten.bind(2, now.milliseconds)
                    if try hasten.run() == 1 { return true }
                    update.bind(1, id.description)
                    update.bind(2, now.milliseconds)
                    return try update.run() == 1
                }
            }
        }
        return replayed
    }

    public func cancelEvent(_ id: EventID, now: Timestamp) async throws(BerthError) -> Bool {
        try await queue.write { writer in
            let update = try writer.statement(
                "UPDATE event SET state = 5, settled = ?2, failure = coalesce(failure, ?3) WHERE id = ?1 AND state IN (0, 2, 3)")
            update.bind(1, id.description)
            update.bind(2, now.milliseconds)
            // Why it waited, if it has failed before, says more.
            update.bind(3, try FailureText.encode(AttemptFailure(.cancelled, "given up by a person")))
            guard try update.run() == 1 else { return false }
            let find = try writer.statement("SELECT connection, ordering FROM event WHERE id = ?1")
            find.bind(1, id.description)
            if let (owner, ordering) = try find.first({ ($0.int64(0), $0.optionalText(1)) }), let ordering {
                try writer.wakeFollowers(owner, ordering, now)
            }
            return true
        }
    }

    public func queueDepths() async throws(BerthError) -> [EventState: Int] {
        try await read { database in
            // By the partial indexes: counting completed rows would read the whole table. Dead letters of removed connections are nobody's
            // to mend: they stay to be read, and worry nobody.
            let counts = [
                "SELECT 0, count(*) FROM event INDEXED BY event_due WHERE state IN (0, 2, 3) AND state = 0",
                "SELECT 2, count(*) FROM event INDEXED BY event_due WHERE state IN (0, 2, 3) AND state = 2",
                "SELECT 3, count(*) FROM event INDEXED BY event_due WHERE state IN (0, 2, 3) AND state = 3",
                "SELECT 1, count(*) FROM event INDEXED BY event_running WHERE state = 1",
                """
                SELECT 6, count(*) FROM event INDEXED BY event_dead
                WHERE state = 6 AND connection NOT IN (SELECT number FROM connection WHERE removed IS NOT NULL)
                """,
            ].joined(separator: " UNION ALL ")
            let rows = try ReadQuery(counts).all(database) { (EventRow.states[Int($0.int64(0))], Int($0.int64(1))) }
            return Dictionary(uniqueKeysWithValues: rows)
        }
    }

    private static func append(_ filter: EventFilter, to query: inout ReadQuery) {
        if let ids = filter.ids {
            query.append(" AND e.id IN (''")
            for id in ids { query.append(", ?", id.description) }
            query.append(")")
        }
        if let connection = filter.connection { query.append(" AND c.id = ?", connection.description) }
        if let provider = filter.provider { query.append(" AND c.provider = ?", provider.text) }
        if let kind = filter.kind { query.append(" AND e.kind = ?", kind) }
        if let states = filter.states {
            query.append(" AND e.state IN (\(states.map { String(EventRow.number($0)) }.joined(separator: ", ")))")
        }
        if let since = filter.since { query.append(" AND e.received >= ?", since.milliseconds) }
        if let until = filter.until { query.append(" AND e.received < ?", until.milliseconds) }
    }
}
