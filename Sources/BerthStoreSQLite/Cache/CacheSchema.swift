// The table of kept answers. No migrations: another version, or a file that is no database, is thrown away.

import BerthModel
import Foundation
import GRDB

enum CacheSchema {
    /// Raised with every change below.
    static let version = 1

    /// `path` and `query` stand apart because a write ends answers by path; `target` is both, for prefixes. `uses` counts up with
    /// every use and orders answers by their last one. The sums in `size` are kept by triggers, so that they can't drift.
    private static let sql = """
        CREATE TABLE answer (
            id INTEGER PRIMARY KEY, connection TEXT NOT NULL, origin TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL,
            method TEXT NOT NULL, authenticated INTEGER NOT NULL, selecting TEXT NOT NULL, uses INTEGER NOT NULL, bytes INTEGER NOT NULL,
            validated INTEGER NOT NULL, fresh INTEGER, headers TEXT NOT NULL, body BLOB NOT NULL);
        CREATE UNIQUE INDEX answer_key ON answer (connection, path, query, origin, method, authenticated, selecting);
        CREATE INDEX answer_of_connection ON answer (connection, uses, bytes);
        CREATE INDEX answer_uses ON answer (uses, bytes);
        CREATE TABLE size (connection TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TRIGGER answer_added AFTER INSERT ON answer BEGIN
            INSERT INTO size VALUES (new.connection, new.bytes) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
        END;
        CREATE TRIGGER answer_gone AFTER DELETE ON answer BEGIN
            UPDATE size SET bytes = bytes - old.bytes WHERE connection = old.connection;
            DELETE FROM size WHERE connection = old.connection AND bytes <= 0;
        END;
        PRAGMA user_version = \(version);
        """

    /// A queue on the file at `path`, as it was left when it is of this version, else on a new file.
    static func open(_ path: String) throws -> DatabaseQueue {
        do {
            if let queue = try attach(path) { return queue }
        } catch  where StoreErrors.isDamage(error) {
            // Made anew below: that is what a cache file is for.
        }
        return try openNew(path)
    }

    /// A queue on a new file in place of what is at `path`.
    static func openNew(_ path: String) throws -> DatabaseQueue {
        try remove(path)
        guard let queue = try attach(path) else { throw BerthError(.store, "a new cache file has no schema") }
        return queue
    }

    static func remove(_ path: String) throws {
        for suffix in ["", "-wal", "-shm", "-journal"] where unlink(path + suffix) != 0 && errno != ENOENT {
            throw BerthError(.store, "\(path + suffix) can't be removed: \(String(cString: strerror(errno)))")
        }
    }

    /// nil: the file is of another version.
    private static func attach(_ path: String) throws -> DatabaseQueue? {
        // Before SQLite would make it with the umask's mode; its -wal and -shm take the mode of the file.
        let file = Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw BerthError(.store, "\(path) can't be opened: \(String(cString: strerror(errno)))") }
        fchmod(file, 0o600)
        Foundation.close(file)
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        let isOurs = try queue.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL")
            try database.execute(sql: "PRAGMA synchronous = OFF")
            // What is forgotten may be about people: its bytes go with it.
            try database.execute(sql: "PRAGMA secure_delete = ON")
            try database.execute(sql: "PRAGMA journal_size_limit = 16777216")
            try database.execute(sql: "PRAGMA cache_size = -4096")
            let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            if found == version {
                _ = try Int.fetchOne(database, sql: "SELECT count(*) FROM (SELECT 1 FROM answer LIMIT 1)")
                _ = try Int.fetchOne(database, sql: "SELECT count(*) FROM size")
                return true
            }
            guard found == 0, try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") == 0 else { return false }
            try database.inTransaction {
                try database.execute(sql: sql)
                return .commit
            }
            return true
        }
        if !isOurs { try queue.close() }
        return isOurs ? queue : nil
    }
}
