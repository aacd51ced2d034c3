// Health, backup, retention.

public import BerthModel
public import BerthSeams
import Foundation
import GRDB
import Synchronization

extension SQLiteStore {
    public func health() async -> StoreHealth {
        var problem = queue.brokenBy ?? absence.withLock { $0 } ?? space.refusal()
        var synchronous = 0
        do {
            // Asked on the writer's connection, where it counts, and so in turn with the writes.
            synchronous = try await queue.write { writer in
                try writer.statement("PRAGMA synchronous").first { Int($0.int64(0)) } ?? 0
            }
            if synchronous != 2 {
                problem = problem ?? BerthError("store_not_durable", "PRAGMA synchronous reads \(synchronous), not 2 (FULL)")
            }
        } catch {
            problem = problem ?? error
        }
        return StoreHealth(
            isWritable: problem == nil, problem: problem, synchronous: synchronous, sizeBytes: size(path) + size(path + "-wal"),
            freeBytes: space.freeBytes(), queuedWrites: queue.count)
    }

    private func size(_ path: String) -> Int64 {
        var info = stat()
        return stat(path, &info) == 0 ? Int64(info.st_size) : 0
    }

    public func backup(to target: String) async throws(BerthError) {
        guard !FileManager.default.fileExists(atPath: target) else {
            throw BerthError(.conflict, "\(target) exists already", hint: "name a new file; backups never overwrite")
        }
        do {
            let file = Foundation.open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard file >= 0 else {
                throw BerthError(
                    .store, "\(target) can't be made: \(String(cString: strerror(errno)))",
                    hint: "the daemon's user must be able to write there")
            }
            Foundation.close(file)
            do {
                try await copy(to: target)
                try DurableFile.synchronize((target as NSString).deletingLastPathComponent)
            } catch {
                // Half a backup is none, and in the way of the next try.
                for suffix in ["", "-wal", "-shm", "-journal"] { unlink(target + suffix) }
                guard StoreErrors.isFull(error) else { throw error }
                throw BerthError(
                    .store, "there is not enough room for \(target)",
                    hint: "the copy takes \(size(path) >> 20) MiB; name a file on another disk")
            }
        } catch {
            throw StoreErrors.translate(error)
        }
    }

    private func copy(to target: String) async throws {
        let copy = try DatabaseQueue(path: target)
        try pool.backup(to: copy)
        let check = try await copy.read { try String.fetchOne($0, sql: "PRAGMA integrity_check") ?? "" }
        try copy.close()
        guard check == "ok" else { throw BerthError("store_corrupt", "the copy fails its check: \(check.prefix(200))") }
    }

    public func prune(_ retention: Retention, now: Timestamp) async throws(BerthError) -> Int {
        func past(days: Int) -> Int64 { now.milliseconds - Int64(days) * 86_400_000 }
        try await endEventsOfRemovedConnections(now: now)
        // The trigger on the audit log lets only what is past this go.
        try await queue.write { writer in
            let update = try writer.statement("UPDATE audit_retention SET before = ?1")
            update.bind(1, past(days: retention.auditDays))
            try update.run()
        }
        let steps: [(sql: StaticString, bound: Int64)] = [
            (
                "DELETE FROM event WHERE sequence IN (SELECT sequence FROM event WHERE state IN (4, 5) AND settled < ?1 ORDER BY sequence LIMIT 2000)",
                past(days: retention.eventDays)
            ),
            (
                "DELETE FROM event WHERE sequence IN (SELECT sequence FROM event WHERE state = 6 AND settled < ?1 LIMIT 2000)",
                past(days: retention.deadLetterDays)
            ),
            (
                "DELETE FROM dedup WHERE (connection, key) IN (SELECT connection, key FROM dedup WHERE at < ?1 LIMIT 2000)",
                past(days: max(30, retention.dedupDays))
            ),
            (
                "DELETE FROM notice WHERE sequence IN (SELECT sequence FROM notice WHERE at < ?1 ORDER BY sequence LIMIT 2000)",
                now.milliseconds - Int64(retention.noticeHours) * 3_600_000
            ),
            (
                "DELETE FROM audit WHERE sequence IN (SELECT sequence FROM audit WHERE at < ?1 ORDER BY sequence LIMIT 2000)",
                past(days: retention.auditDays)
            ),
            (
                "DELETE FROM run WHERE number IN (SELECT number FROM run WHERE finished < ?1 ORDER BY number LIMIT 2000)",
                past(days: retention.runDays)
            ),
            (
                "DELETE FROM request WHERE sequence IN (SELECT sequence FROM request WHERE at < ?1 ORDER BY sequence LIMIT 2000)",
                past(days: retention.requestDays)
            ),
            (
                "DELETE FROM request WHERE sequence IN (SELECT sequence FROM request WHERE sequence <= (SELECT max(sequence) FROM request) - ?1 LIMIT 2000)",
                Int64(retention.requestRows)
            ),
            ("DELETE FROM rate_limit WHERE until < ?1", now.milliseconds),
        ]
        var total = 0
        for step in steps {
            while true {
                let gone = try await queue.write { writer in
                    let statement = try writer.statement(step.sql)
                    statement.bind(1, step.bound)
                    return try statement.run()
                }
                total += gone
                if gone < 2000 { break }
            }
        }
        return total
    }
}
