// Where kept answers of providers are: cache.db beside the database, unless the operator wants none kept.

import BerthStoreSQLite
import Foundation
import Logging

enum AnswerCache {
    /// nil: [cache] max_mib is 0. Then what was kept before is gone too.
    static func open(_ configuration: Configuration, storePath: String) -> SQLiteResponseCache? {
        let path = (storePath as NSString).deletingLastPathComponent + "/cache.db"
        let bytesMax = configuration.integer("cache.max_mib") << 20
        let logger = Logger(label: "cache")
        guard bytesMax > 0 else {
            SQLiteResponseCache.remove(path: path, logger: logger)
            return nil
        }
        return SQLiteResponseCache(path: path, bytesMax: bytesMax, logger: logger)
    }
}
