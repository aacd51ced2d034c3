// Leasing: due events of one connection, in order, to this epoch.

public import BerthModel
import BerthSeams
import Synchronization
import GRDB

extension SQLiteStore {
    public func leaseEvents(of connection: ConnectionID, limit: Int, now: Timestamp) async throws(BerthError) -> [Event] {
        try await queue.write { [self] writer in
            let owner = try writer.owner(connection)
            let candidates = try Self.candidates(owner.number, limit: limit, now: now, writer)
            guard !candidates.isEmpty else { return [] }
            let take = try writer.statement("UPDATE event SET state = 1, attempt = attempt + 1, epoch = ?2 WHERE sequence = ?1")
            let load = try writer.statement(
                """
                SELECT e.id, e.sequence, c.id, c.provider, e.kind, e.state, e.unsupported, e.attempt, e.dedup, e.ordering, e.method,
                  e.query, e.received, e.due, e.settled, e.failure, e.deaths, e.headers, e.body
                FROM event e JOIN connection c ON c.number = e.connection WHERE e.sequence = ?1
                """)
            var events: [Event] = []
            events.reserveCapacity(candidates.count)
            for sequence in candidates {
                take.bind(1, sequence)
                take.bind(2, writer.epoch)
                try take.run()
                load.bind(1, sequence)
                if let event = try load.first({ try EventRow.read($0, withContents: true) }) { events.append(event) }
            }
            let pairs = events.map { ($0.id, $0.sequence) }
            writer.onCommit { self.leased.withLock { $0.merge(pairs, uniquingKeysWith: { _, new in new }) } }
            return events
        }
    }

    /// Sequence numbers, ascending. Of events with one ordering key only those whose predecessors are settled or taken
    /// in the same batch: a blocked head blocks its own key and nothing else.
    private static func candidates(_ owner: Int64, limit: Int, now: Timestamp, _ writer: Writer) throws -> [Int64] {
        let due = try writer.statement(
            """
            SELECT sequence, ordering FROM event INDEXED BY event_due
            WHERE connection = ?1 AND state IN (0, 2, 3) AND due <= ?2 ORDER BY due, sequence LIMIT ?3 OFFSET ?4
            """)
        let before = try writer.statement(
            """
            SELECT sequence FROM event INDEXED BY event_order
            WHERE connection = ?1 AND ordering = ?2 AND state < 4 AND ordering IS NOT NULL AND sequence < ?3 ORDER BY sequence DESC LIMIT 1
            """)
        var taken: Set<Int64> = []
        var offset: Int64 = 0
        while taken.count < limit, offset < 8192 {
            let window = Int64(max(limit, 256))
            due.bind(1, owner)
            due.bind(2, now.milliseconds)
            due.bind(3, window)
            due.bind(4, offset)
            var found: [(sequence: Int64, ordering: String?)] = []
            try due.forEach { row in
                found.append((row.int64(0), row.optionalText(1)))
                return true
            }
            for event in found.sorted(by: { $0.sequence < $1.sequence }) where taken.count < limit {
                if let ordering = event.ordering {
                    before.bind(1, owner)
                    before.bind(2, ordering)
                    before.bind(3, event.sequence)
                    if let predecessor = try before.first({ $0.int64(0) }), !taken.contains(predecessor) { continue }
                }
                taken.insert(event.sequence)
            }
            guard found.count == Int(window) else { break }
            offset += window
        }
        return taken.sorted()
    }

    public func connectionsWithDueEvents(now: Timestamp) async throws(BerthError) -> [ConnectionID] {
        try await read { database in
            try String.fetchAll(
                database,
                sql: """
                    SELECT id FROM connection c WHERE removed IS NULL AND EXISTS (SELECT 1 FROM event INDEXED BY event_due
                      WHERE connection = c.number AND state IN (0, 2, 3) AND due <= ?)
                    """, arguments: [now.milliseconds]
            ).compactMap { ConnectionID($0) }
        }
    }

    public func nextEventDue(after now: Timestamp) async throws(BerthError) -> Timestamp? {
        try await read { database in
            try Int64.fetchOne(
                database,
                sql: """
                    SELECT min(next) FROM (SELECT (SELECT due FROM event INDEXED BY event_due WHERE connection = c.number
                      AND state IN (0, 2, 3) AND due > ? ORDER BY due LIMIT 1) AS next FROM connection c WHERE removed IS NULL)
                    """, arguments: [now.milliseconds]
            ).map { Timestamp(milliseconds: $0) }
        }
    }
}
