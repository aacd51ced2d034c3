// The wall clock was ahead and was set back: moments that were written meanwhile lie in the future. Nothing may wait for them.

public import BerthModel
import GRDB

extension SQLiteStore {
    /// Differences up to this are no step: clocks are slewed, and machines wait a little.
    private static let toleratedMilliseconds: Int64 = 60_000

    /// Whether something here was written by a clock that was ahead of `now`.
    public func wasAhead(of now: Timestamp) async throws(BerthError) -> Bool {
        let limit = now.milliseconds + Self.toleratedMilliseconds
        return try await read { database in
            try Bool.fetchOne(
                database,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM stream_state WHERE last_run > ?1 OR high_water > ?1)
                      OR EXISTS (SELECT 1 FROM event INDEXED BY event_due WHERE state IN (0, 2, 3) AND received > ?1)
                    """, arguments: [limit]) ?? false
        }
    }

    /// Brings back what lies in the future: waiting events are due now, schedules count from now, and streams whose position in time
    /// is not to be trusted any more are read from the beginning, because a gap would be lost data and a full read is only work.
    /// Answers how many events and streams there were.
    public func clockWasSetBack(to now: Timestamp) async throws(BerthError) -> (events: Int, streams: Int) {
        try await queue.write { writer in
            let events = try writer.statement("UPDATE event SET due = ?1 WHERE state IN (0, 2, 3) AND due > ?1")
            events.bind(1, now.milliseconds)
            let streams = try writer.statement(
                """
                UPDATE stream_state SET high_water = CASE WHEN high_water > ?1 THEN NULL ELSE high_water END,
                  last_run = min(last_run, ?1), not_before = NULL WHERE last_run > ?1 OR high_water > ?1 OR not_before > ?1
                """)
            streams.bind(1, now.milliseconds)
            return (try events.run(), try streams.run())
        }
    }
}
