// Counts of rate limits, one row each, replaced as a whole: a claim is small and a reader needs all of it.

public import BerthModel
public import BerthSeams
import GRDB

extension SQLiteStore {
    public func keepLimits(_ marks: [RateLimitMark]) async throws(BerthError) {
        guard !marks.isEmpty else { return }
        try await queue.write { writer in
            let insert = try writer.statement(
                """
                INSERT OR REPLACE INTO rate_limit (provider, connection, class, window, sent, ahead, until, origin)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                """
            )
            for mark in marks {
                insert.bind(1, mark.key.provider.text)
                insert.bind(2, mark.key.connection?.description ?? "")
                insert.bind(3, mark.key.requestClass)
                insert.bind(4, Int64(mark.key.windowSeconds))
                insert.bind(5, mark.sent.map { "\($0.at.milliseconds):\($0.count)" }.joined(separator: " "))
                insert.bind(6, Int64(mark.ahead))
                insert.bind(7, mark.until.milliseconds)
                insert.bind(8, mark.key.origin)
                try insert.run()
            }
        }
    }

    public func keptLimits(now: Timestamp) async throws(BerthError) -> [RateLimitMark] {
        try await queue.write { writer in
            let delete = try writer.statement("DELETE FROM rate_limit WHERE until <= ?1")
            delete.bind(1, now.milliseconds)
            try delete.run()
        }
        return try await read { database in
            try ReadQuery("SELECT provider, connection, class, window, sent, ahead, until, origin FROM rate_limit").all(database) { row in
                let owner = row.text(1)
                let connection = ConnectionID(owner)
                let sent = row.text(4).split(separator: " ").compactMap { entry -> RateLimitMark.Sent? in
                    let parts = entry.split(separator: ":")
                    guard parts.count == 2, let at = Int64(parts[0]), let count = Int(parts[1]) else { return nil }
                    return .init(at: Timestamp(milliseconds: at), count: count)
                }
                guard let provider = ProviderName(row.text(0)), owner.isEmpty || connection != nil,
                    sent.count == row.text(4).split(separator: " ").count
                else { throw BerthError("store_corrupt", "a rate limit of '\(row.text(0))' is unreadable") }
                return RateLimitMark(
                    key: .init(
                        provider: provider, origin: row.text(7), connection: connection, requestClass: row.text(2),
                        windowSeconds: Int(row.int64(3))),
                    sent: sent, ahead: Int(row.int64(5)), until: Timestamp(milliseconds: row.int64(6)))
            }
        }
    }

    public func began(boot: String, believed: Timestamp) async throws(BerthError) -> Timestamp {
        try await queue.write { writer in
            // Only the boot that runs: what counted in another is told by the wall clock.
            let forget = try writer.statement("DELETE FROM boot WHERE id <> ?1")
            forget.bind(1, boot)
            try forget.run()
            let insert = try writer.statement("INSERT OR IGNORE INTO boot (id, began) VALUES (?1, ?2)")
            insert.bind(1, boot)
            insert.bind(2, believed.milliseconds)
            try insert.run()
            let find = try writer.statement("SELECT began FROM boot WHERE id = ?1")
            find.bind(1, boot)
            return Timestamp(milliseconds: try find.first { $0.int64(0) } ?? believed.milliseconds)
        }
    }
}
