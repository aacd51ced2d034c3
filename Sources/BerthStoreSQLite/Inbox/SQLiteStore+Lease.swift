// Leasing: due events of one connection, in order, to this epoch.

public import BerthModel
public import BerthSeams
import GRDB
import Synchronization

extension SQLiteStore {
    public func leaseEvents(of connection: ConnectionID, within bounds: LeaseBounds, now: Timestamp) async throws(BerthError) -> EventLease
    {
        // Each step moves a bounded number of rows, so that a long line behind a blocked head holds intake up for moments only.
        while true {
            let (lease, isDone) = try await leaseStep(of: connection, bounds, now: now)
            if isDone || !lease.events.isEmpty || lease.isFirstLarger { return lease }
        }
    }

    private func leaseStep(of connection: ConnectionID, _ bounds: LeaseBounds, now: Timestamp) async throws(BerthError) -> (
        EventLease, isDone: Bool
    ) {
        try await queue.write { [self] writer in
            let owner = try writer.owner(connection)
            let (candidates, isDone) = try Self.candidates(owner.number, limit: bounds.count, now: now, writer)
            var lease = EventLease(events: [], hasMore: candidates.count == bounds.count, isFirstLarger: false)
            guard !candidates.isEmpty else { return (lease, isDone) }
            let take = try writer.statement("UPDATE event SET state = 1, attempt = attempt + 1, epoch = ?2 WHERE sequence = ?1")
            // As it is after `take`: what does not fit any more is not taken.
            let load = try writer.statement(
                """
                SELECT e.id, e.sequence, c.id, c.provider, e.kind, 1, e.unsupported, e.attempt + 1, e.dedup, e.ordering, e.method,
                  e.query, e.received, e.due, e.settled, e.failure, e.deaths, e.unproven, e.headers, e.body
                FROM event e JOIN connection c ON c.number = e.connection WHERE e.sequence = ?1
                """)
            lease.events.reserveCapacity(candidates.count)
            var bytes = 0
            for sequence in candidates {
                load.bind(1, sequence)
                let event = try load.first { row -> Event? in
                    bytes += row.bytes(18).count + row.bytes(19).count
                    guard bytes <= bounds.bytes || (lease.events.isEmpty && bounds.takesLarger) else { return nil }
                    return try EventRow.read(row, withContents: true)
                }
                guard let event = event ?? nil else {
                    lease.hasMore = true
                    lease.isFirstLarger = lease.events.isEmpty
                    break
                }
                take.bind(1, sequence)
                take.bind(2, writer.epoch)
                try take.run()
                lease.events.append(event)
            }
            let pairs = lease.events.map { ($0.id, $0.sequence) }
            writer.onCommit { self.leased.withLock { $0.merge(pairs, uniquingKeysWith: { _, new in new }) } }
            return (lease, isDone)
        }
    }

    /// Rows that one step looks at.
    private static let stepRowsMax = 8192

    /// Sequence numbers, ascending, and whether all that is due was looked at. Of events with one ordering key only those whose
    /// predecessors are settled or taken in the same batch. Those that wait for a head that is due later become due with it:
    /// looked at once per attempt of the head, and no line behind one key keeps others from being found. `wakeFollowers` brings
    /// them back when the head ends before that.
    private static func candidates(_ owner: Int64, limit: Int, now: Timestamp, _ writer: Writer) throws -> ([Int64], isDone: Bool) {
        let due = try writer.statement(
            """
            SELECT sequence, ordering, due, state FROM event INDEXED BY event_due
            WHERE connection = ?1 AND state IN (0, 2, 3) AND due <= ?2 AND (due, sequence) > (?4, ?5) ORDER BY due, sequence LIMIT ?3
            """)
        let before = try writer.statement(
            """
            SELECT sequence, due, state FROM event INDEXED BY event_order
            WHERE connection = ?1 AND ordering = ?2 AND state < 4 AND ordering IS NOT NULL AND sequence < ?3 ORDER BY sequence DESC LIMIT 1
            """)
        let move = try writer.statement("UPDATE event SET due = ?2 WHERE sequence = ?1")
        var taken: Set<Int64> = []
        var looked = 0
        var last: (due: Int64, sequence: Int64) = (.min, .min)
        while taken.count < limit {
            guard looked < stepRowsMax else { return (taken.sorted(), false) }
            let window = Int64(max(limit, 256))
            due.bind(1, owner)
            due.bind(2, now.milliseconds)
            due.bind(3, window)
            due.bind(4, last.due)
            due.bind(5, last.sequence)
            var found: [(sequence: Int64, ordering: String?, isAvailable: Bool)] = []
            try due.forEach { row in
                found.append((row.int64(0), row.optionalText(1), row.int64(3) == 0))
                last = (row.int64(2), row.int64(0))
                return true
            }
            looked += found.count
            for event in found.sorted(by: { $0.sequence < $1.sequence }) where taken.count < limit {
                if let ordering = event.ordering {
                    before.bind(1, owner)
                    before.bind(2, ordering)
                    before.bind(3, event.sequence)
                    if let predecessor = try before.first({ ($0.int64(0), $0.int64(1), $0.int64(2)) }), !taken.contains(predecessor.0) {
                        if event.isAvailable, predecessor.2 != 1, predecessor.1 > now.milliseconds {
                            move.bind(1, event.sequence)
                            move.bind(2, predecessor.1)
                            try move.run()
                        }
                        continue
                    }
                }
                taken.insert(event.sequence)
            }
            guard found.count == Int(window) else { break }
        }
        return (taken.sorted(), true)
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
