// `berthd --check`: what a start would find at the database's path. Nothing is made or changed, and a daemon that has the file open
// is not disturbed.

public import BerthModel
import Foundation
import GRDB

/// Looks at a database that may be another process's.
public enum StoreInspection {
    /// How many secrets are sealed there, by their key's id; nil when there is no database yet, or one whose log only a start can read.
    /// Throws what a start would throw for what is there.
    public static func sealedSecrets(at path: String) throws(BerthError) -> [String: Int]? {
        do { return try look(at: SQLiteStore.resolved(path)) } catch { throw StoreErrors.translate(error) }
    }

    private static func look(at path: String) throws -> [String: Int]? {
        try DamageMark(database: path).refuseUnfinishedRestore()
        guard FileManager.default.fileExists(atPath: path) else {
            try SQLiteStore.refuseLogAlone(path)
            return nil
        }
        // Reading it would make the index, and taking that away again could hit a daemon that starts meanwhile.
        if QuietDatabase.hasLog(path), !FileManager.default.fileExists(atPath: path + "-shm") { return nil }
        guard FileIdentity.size(path) != 0 || QuietDatabase.hasLog(path) else { return nil }
        let database = try QuietDatabase.open(path)
        defer { try? database.close() }  // read only: nothing can be lost
        return try database.read { database in
            let isNew = try Migrations.refuseUnfit(database) == 0
            guard !isNew else { return nil }
            let rows = try Row.fetchAll(database, sql: "SELECT key_id, count(*) FROM secret GROUP BY key_id")
            return Dictionary(uniqueKeysWithValues: rows.map { ($0[0] as String, $0[1] as Int) })
        }
    }
}
