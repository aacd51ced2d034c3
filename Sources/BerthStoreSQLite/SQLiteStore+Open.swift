// Opening: file and its mode, durability asserted, dead epochs' leases freed.

import BerthModel
import Foundation
import GRDB

extension SQLiteStore {
    /// Makes the file with mode 0600 before SQLite would make it with the umask's.
    static func prepareFile(_ path: String) throws {
        let folder = (path as NSString).deletingLastPathComponent
        if !FileManager.default.fileExists(atPath: folder) {
            do {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
            } catch {
                throw BerthError(
                    .store, "the folder \(folder) can't be made: \(error.localizedDescription)",
                    hint: "make it and give it to the daemon's user, or set [store] url")
            }
        }
        if !FileManager.default.fileExists(atPath: path) { try refuseLogAlone(path) }
        let file = Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw BerthError(
                .store, "the database \(path) can't be opened: \(String(cString: strerror(errno)))",
                hint: "the daemon's user must be able to read and write it and its folder")
        }
        Foundation.close(file)
    }

    /// A new database beside an old log would wipe what was accepted and stands in the log alone.
    static func refuseLogAlone(_ path: String) throws {
        guard QuietDatabase.hasLog(path) else { return }
        throw BerthError(
            "store_file_gone", "the database \(path) is gone, but its log \(path)-wal is there and holds accepted events",
            hint: "move the database back beside its log; or, to go on from a backup: berthd --config FILE --restore BACKUP")
    }

    /// Trap T1: GRDB's DatabasePool sets `synchronous=NORMAL` after its configuration ran, which loses acknowledged
    /// commits at power loss. FULL is set afterwards and read back.
    static func makeDurable(_ pool: DatabasePool) async throws {
        let value = try await pool.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA synchronous = FULL")
            try database.execute(sql: "PRAGMA journal_size_limit = 67108864")
            try database.execute(sql: "PRAGMA wal_autocheckpoint = 4000")
            try database.execute(sql: "PRAGMA cache_size = -16384")
            return try Int.fetchOne(database, sql: "PRAGMA synchronous") ?? 0
        }
        #if DEBUG
            // The control of the power-cut test: it must lose what FULL keeps, or the test proves nothing.
            if getenv("BERTH_UNSAFE_SYNCHRONOUS").map({ String(cString: $0) }) == "NORMAL" {
                return try await pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = NORMAL") }
            }
        #endif
        guard value == 2 else {
            throw BerthError(
                "store_not_durable", "PRAGMA synchronous reads \(value), not 2 (FULL)",
                hint: "this is a defect of the build: do not run it, acknowledged events could be lost at power loss")
        }
    }

    /// Notes the new epoch and frees what the dead ones held.
    static func begin(_ epoch: EpochID, at now: Timestamp, _ database: Database) throws -> Int64 {
        try database.execute(sql: "INSERT INTO epoch (id, began) VALUES (?, ?)", arguments: [epoch.description, now.milliseconds])
        let number = database.lastInsertedRowID
        // An attempt cut short by the daemon's own death is no failure of the event: it is available again at once.
        try database.execute(
            sql: "UPDATE event SET state = 0, due = min(due, ?), epoch = NULL WHERE state = 1", arguments: [now.milliseconds])
        try database.execute(sql: "UPDATE run SET status = 'queued', epoch = NULL WHERE status = 'running'")
        return number
    }

    /// A copy before the schema changes; the last three are kept. It has its name only once it is whole and durable: half a copy must
    /// not push a good one out.
    static func backUpBeforeMigration(_ path: String, _ version: Int, _ now: Timestamp) throws {
        let folder = (path as NSString).deletingLastPathComponent
        let name = (path as NSString).lastPathComponent + ".backup-v"
        let part = path + ".backup-part"
        let leftovers = ["", "-wal", "-shm", "-journal"].map { part + $0 }
        try DurableFile.remove(leftovers)
        do {
            let source = try DatabaseQueue(path: path)
            try source.execute(vacuumInto: part)
            try source.close()
            try DurableFile.synchronize(part)
        } catch {
            try DurableFile.remove(leftovers)
            guard StoreErrors.isFull(error) else { throw error }
            throw BerthError(
                .store, "there is not enough room in \(folder) for a copy of the database before its schema changes",
                hint: "the copy takes up to \((FileIdentity.size(path) ?? 0) >> 20) MiB; make room and start again, nothing was changed")
        }
        let target = "\(folder)/\(name)\(version)-\(now.milliseconds)"
        guard rename(part, target) == 0 else { throw DurableFile.failed(target) }
        try DurableFile.synchronize(folder)
        let old = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix(name) }
            .sorted { ($0.split(separator: "-").last.map(String.init) ?? "") < ($1.split(separator: "-").last.map(String.init) ?? "") }
        for stale in old.dropLast(3) { try FileManager.default.removeItem(atPath: "\(folder)/\(stale)") }
    }
}

extension DatabaseQueue {
    /// `VACUUM INTO` a new file of mode 0600.
    func execute(vacuumInto target: String) throws {
        let old = umask(0o177)
        defer { umask(old) }
        try writeWithoutTransaction { try $0.execute(sql: "VACUUM INTO ?", arguments: [target]) }
    }
}
