// Opening a database file that is only looked at. SQLite makes a log and its index beside a file in WAL mode even for a reader, and
// leaves them there; a file without a log can be read without.

import Foundation
import GRDB
import GRDBSQLite

enum QuietDatabase {
    /// Whether `path` has a log with something in it.
    static func hasLog(_ path: String) -> Bool { (FileIdentity.size(path + "-wal") ?? 0) > 0 }

    /// A reader of `path`; beside a file without a log nothing is made. The caller closes it.
    static func open(_ path: String) throws -> DatabaseQueue {
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        guard !hasLog(path), sqlite3_compileoption_used("USE_URI") == 1,
            let name = path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed)
        else { return try DatabaseQueue(path: path, configuration: configuration) }
        return try DatabaseQueue(path: "file:\(name)?immutable=1", configuration: configuration)
    }
}
