// `berthd --restore`: puts a backup in the database's place. By hand it is four steps, and one left out - the write-ahead log of the
// old file - destroys the restored one.

public import BerthModel
import Foundation
import GRDB

/// Restores a database while no daemon runs on it.
public enum StoreRestore {
    /// Checks `backup` and puts a copy of it at `path`; what was there is kept beside it. Answers where. Throws, with everything as it
    /// was, when a daemon has the database open or the backup is none; cut short later, the next start says so.
    public static func run(path: String, backup: String, now: Timestamp) throws(BerthError) -> String? {
        do { return try restore(SQLiteStore.resolved(path), backup, now) } catch { throw StoreErrors.translate(error) }
    }

    private static func restore(_ path: String, _ backup: String, _ now: Timestamp) throws -> String? {
        let lock = try FileLock(path: path + ".lock")
        defer { lock.release() }
        let owner = Owner(of: path)
        try owner?.give(path + ".lock")
        let copy = path + ".restoring"
        try DurableFile.remove([copy, copy + "-wal", copy + "-shm", copy + "-journal"])
        try check(backup, copyingTo: copy)
        try owner?.give(copy)
        let mark = DamageMark(database: path)
        try mark.beginRestore()
        let kept = try setAside(path, now)
        guard rename(copy, path) == 0 else { throw DurableFile.failed("rename \(copy)") }
        try DurableFile.synchronize((path as NSString).deletingLastPathComponent)
        // Answers that were kept of another time.
        let folder = (path as NSString).deletingLastPathComponent
        try DurableFile.remove(["", "-wal", "-shm", "-journal"].map { "\(folder)/cache.db\($0)" })
        mark.endRestore()
        return kept
    }

    /// Who the daemon runs as, when root restores for it: a file of root's it could not open.
    private struct Owner {
        private let user: uid_t
        private let group: gid_t

        /// Of the database, or of its folder when it is gone; nil for who can give nothing away.
        init?(of path: String) {
            var status = stat()
            guard geteuid() == 0 else { return nil }
            guard stat(path, &status) == 0 || stat((path as NSString).deletingLastPathComponent, &status) == 0 else { return nil }
            (user, group) = (status.st_uid, status.st_gid)
        }

        func give(_ path: String) throws {
            guard lchown(path, user, group) == 0 else { throw DurableFile.failed("chown \(path)") }
        }
    }

    /// A copy made by SQLite itself, so that a backup with a log of its own is taken whole.
    private static func check(_ backup: String, copyingTo copy: String) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: backup, isDirectory: &isFolder), !isFolder.boolValue,
            FileManager.default.isReadableFile(atPath: backup)
        else {
            throw BerthError(.notFound, "\(backup) \(isFolder.boolValue ? "is a folder" : "can't be read")", hint: backupHint)
        }
        let source: DatabaseQueue
        let found: String
        do {
            source = try QuietDatabase.open(backup)
            try source.read { try Migrations.refuseForeign($0, path: backup) }
            found = try source.read { try String.fetchOne($0, sql: "PRAGMA integrity_check(3)") ?? "" }
        } catch  where StoreErrors.isCorrupt(error) {
            // The database that is there has nothing to do with it, and stays as it is.
            throw BerthError(
                "store_backup_invalid", "\(backup) is no backup: \((error as? DatabaseError)?.message ?? "\(error)")", hint: backupHint)
        }
        guard found == "ok" else {
            throw BerthError("store_corrupt", "the backup \(backup) is damaged: \(found.prefix(300))", hint: "try an older one")
        }
        defer { try? source.close() }  // read only: nothing can be lost
        let target = Foundation.open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard target >= 0 else { throw DurableFile.failed(copy) }
        close(target)
        let database = try DatabaseQueue(path: copy)
        try source.backup(to: database)
        try database.close()
        try DurableFile.synchronize(copy)
    }

    private static let backupHint = "name a file that berthctl backup made; the database was not touched"

    /// Another name for what is there, with its log, before the log goes: nothing is lost whenever this ends.
    private static func setAside(_ path: String, _ now: Timestamp) throws -> String? {
        let kept = "\(path).before-restore-\(now.milliseconds)"
        // A log whose database is gone as well: it would be written over the restored one.
        let there = ["", "-wal"].filter { FileManager.default.fileExists(atPath: path + $0) }
        for suffix in there {
            guard link(path + suffix, kept + suffix) == 0 else { throw DurableFile.failed("link \(kept + suffix)") }
        }
        try DurableFile.synchronize((path as NSString).deletingLastPathComponent)
        try DurableFile.remove([path + "-wal", path + "-shm"])
        return there.isEmpty ? nil : kept
    }
}
