// Events of connections that were removed: what waits is cancelled, as nobody will ever process it.

import BerthModel
import GRDB

extension SQLiteStore {
    /// Cancels what still waits for connections that are gone, in bounded steps: what one transaction could not take at the removal,
    /// and what a crash between the steps, or an attempt cut short by one, has left.
    func endEventsOfRemovedConnections(now: Timestamp) async throws(BerthError) {
        let owners = try await read { database in
            try Int64.fetchAll(
                database,
                sql: """
                    SELECT number FROM connection c WHERE removed IS NOT NULL AND EXISTS (SELECT 1 FROM event INDEXED BY event_due
                      WHERE connection = c.number AND state IN (0, 2, 3))
                    """)
        }
        for owner in owners {
            while try await queue.write({ try $0.endEvents(ofRemoved: owner, now) }) {}
        }
    }
}

extension Writer {
    /// Why events of a removed connection end.
    static let removal = AttemptFailure(.cancelled, "its connection was removed")

    /// One step; answers whether there may be more.
    func endEvents(ofRemoved owner: Int64, _ now: Timestamp) throws -> Bool {
        let update = try statement(
            """
            UPDATE event SET state = 5, settled = ?2, failure = ?3, epoch = NULL WHERE sequence IN (SELECT sequence FROM event
              INDEXED BY event_due WHERE connection = ?1 AND state IN (0, 2, 3) LIMIT 2000)
            """)
        update.bind(1, owner)
        update.bind(2, now.milliseconds)
        update.bind(3, try FailureText.encode(Self.removal))
        return try update.run() == 2000
    }
}
