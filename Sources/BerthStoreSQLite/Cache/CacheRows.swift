// What is done to the table of kept answers, within the caller's transaction.

import BerthModel
import BerthSeams
import GRDB

/// The table through one connection to the file.
struct CacheRows {
    private let database: OpaquePointer

    init(_ database: Database) throws {
        guard let connection = database.sqliteConnection else { throw BerthError(.internal, "the cache file has no connection") }
        self.database = connection
    }

    private func with<Value>(_ sql: String, _ body: (PreparedStatement) throws -> Value) throws -> Value {
        let statement = try PreparedStatement(database, sql)
        defer { statement.finalize() }
        return try body(statement)
    }

    func answers(_ key: ResponseCacheKey) throws -> [KeptAnswer] {
        var ids: [Int64] = []
        var found: [KeptAnswer] = []
        let columns = "SELECT id, selecting, headers, body, validated, fresh FROM answer"
        try with("\(columns) WHERE \(Self.isKey) ORDER BY uses DESC LIMIT \(Self.variantsMax)") { statement in
            Self.bind(key, to: statement)
            try statement.forEach { row in
                ids.append(row.int64(0))
                found.append(
                    KeptAnswer(
                        selecting: HeaderText.decode(row.text(1)), headers: HeaderText.decode(row.text(2)), body: row.blob(3),
                        validatedAt: Timestamp(milliseconds: row.int64(4)), freshSeconds: row.optionalInt64(5)))
                return true
            }
        }
        guard !ids.isEmpty else { return [] }
        let now = try nextUse()
        try with("UPDATE answer SET uses = ? WHERE id = ?") { statement in
            for id in ids {
                statement.bind(1, now)
                statement.bind(2, id)
                try statement.run()
            }
        }
        return found
    }

    func keep(_ answer: KeptAnswer, _ key: ResponseCacheKey, bytesMax: Int, bytesMaxOfAll: Int) throws -> Bool {
        let selecting = HeaderText.encode(answer.selecting)
        let headers = HeaderText.encode(answer.headers)
        try with("DELETE FROM answer WHERE \(Self.isKey) AND selecting = ?7") { statement in
            Self.bind(key, to: statement)
            statement.bind(7, selecting)
            try statement.run()
        }
        // 256: the row's other columns and its index entries, about.
        let text = key.path.utf8.count * 2 + key.query.utf8.count * 2 + selecting.utf8.count * 2 + headers.utf8.count
        let bytes = Int64(answer.body.count + text + 256)
        guard bytes <= bytesMax / 4 else { return false }
        try with(
            """
            INSERT INTO answer (connection, origin, path, query, method, authenticated, selecting, uses, bytes, validated, fresh, headers, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
            """
        ) { statement in
            Self.bind(key, to: statement)
            statement.bind(7, selecting)
            statement.bind(8, try nextUse())
            statement.bind(9, bytes)
            statement.bind(10, answer.validatedAt.milliseconds)
            statement.bind(11, answer.freshSeconds)
            statement.bind(12, headers)
            statement.bindBlob(13, answer.body)
            try statement.run()
        }
        let connection = key.connection.description
        let own = try with("SELECT bytes FROM size WHERE connection = ?") { statement in
            statement.bind(1, connection)
            return try statement.first { $0.int64(0) } ?? 0
        }
        try evict(own - Int64(bytesMax), where: "connection = ?", connection)
        try evict(Int64(try self.bytes()) - Int64(bytesMaxOfAll), where: "", nil)
        return true
    }

    func forget(_ selection: ResponseCacheSelection, of connection: ConnectionID) throws -> Int {
        switch selection {
        case .key(let key):
            return try with("DELETE FROM answer WHERE \(Self.isKey)") { statement in
                Self.bind(key, to: statement)
                return try statement.run()
            }
        case .all:
            return try with("DELETE FROM answer WHERE connection = ?") { statement in
                statement.bind(1, connection.description)
                return try statement.run()
            }
        case .prefix(let prefix):
            let target = "path || CASE WHEN query = '' THEN '' ELSE '?' || query END"
            return try with("DELETE FROM answer WHERE connection = ?1 AND substr(\(target), 1, length(?2)) = ?2") { statement in
                statement.bind(1, connection.description)
                statement.bind(2, prefix)
                return try statement.run()
            }
        case .touched(let origin, let path):
            // One path stands at, below or above another when one, ended with a slash, begins the other.
            let touched = path.hasSuffix("/") ? path : path + "/"
            let own = "(rtrim(path, '/') || '/')"
            return try with(
                """
                DELETE FROM answer WHERE connection = ?1 AND origin = ?2
                AND (substr(\(own), 1, length(?3)) = ?3 OR substr(?3, 1, length(\(own))) = \(own))
                """
            ) { statement in
                statement.bind(1, connection.description)
                statement.bind(2, origin)
                statement.bind(3, touched)
                return try statement.run()
            }
        }
    }

    func prune(before time: Timestamp) throws -> Int {
        try with("DELETE FROM answer WHERE validated < ?") { statement in
            statement.bind(1, time.milliseconds)
            return try statement.run()
        }
    }

    func bytes() throws -> Int {
        try with("SELECT coalesce(sum(bytes), 0) FROM size") { statement in Int(try statement.first { $0.int64(0) } ?? 0) }
    }

    /// Deletes least recently used answers of `excess` bytes together, or more by less than one answer.
    private func evict(_ excess: Int64, where condition: String, _ connection: String?) throws {
        guard excess > 0 else { return }
        var rest = excess
        var ids: [Int64] = []
        try with("SELECT id, bytes FROM answer \(condition.isEmpty ? "" : "WHERE \(condition)") ORDER BY uses") { statement in
            if let connection { statement.bind(1, connection) }
            try statement.forEach { row in
                ids.append(row.int64(0))
                rest -= row.int64(1)
                return rest > 0
            }
        }
        try with("DELETE FROM answer WHERE id = ?") { statement in
            for id in ids {
                statement.bind(1, id)
                try statement.run()
            }
        }
    }

    private func nextUse() throws -> Int64 {
        try with("SELECT coalesce(max(uses), 0) + 1 FROM answer") { statement in try statement.first { $0.int64(0) } ?? 1 }
    }

    private static let variantsMax = 16
    private static let isKey = "connection = ?1 AND origin = ?2 AND path = ?3 AND query = ?4 AND method = ?5 AND authenticated = ?6"

    private static func bind(_ key: ResponseCacheKey, to statement: PreparedStatement) {
        statement.bind(1, key.connection.description)
        statement.bind(2, key.origin)
        statement.bind(3, key.path)
        statement.bind(4, key.query)
        statement.bind(5, key.method)
        statement.bind(6, Int64(key.isAuthenticated ? 1 : 0))
    }
}
