// A prepared statement of the writer connection, bound through SQLite's C interface: the hot paths run a few of these
// per row, and GRDB's argument arrays cost more than the inserts themselves.

import GRDBSQLite

/// One statement, used only on the writer's queue. Finalized by its owner before the connection closes.
final class PreparedStatement {
    private let handle: OpaquePointer
    private let database: OpaquePointer
    /// For error messages.
    let sql: String

    init(_ database: OpaquePointer, _ sql: String) throws {
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v3(database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard code == SQLITE_OK, let handle else { throw SQLiteFailure(database, code, sql) }
        self.handle = handle
        self.database = database
        self.sql = sql
    }

    func finalize() { sqlite3_finalize(handle) }

    func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(handle, index, value) }
    func bind(_ index: Int32, _ value: Int64?) {
        if let value { sqlite3_bind_int64(handle, index, value) } else { sqlite3_bind_null(handle, index) }
    }
    func bindNull(_ index: Int32) { sqlite3_bind_null(handle, index) }

    func bind(_ index: Int32, _ text: String) {
        var text = text
        text.withUTF8 { bindText(index, $0) }
    }
    func bind(_ index: Int32, _ text: String?) {
        if let text { bind(index, text) } else { bindNull(index) }
    }

    /// Text of valid UTF-8; copied by SQLite.
    func bindText(_ index: Int32, _ bytes: UnsafeBufferPointer<UInt8>) {
        bytes.withMemoryRebound(to: CChar.self) { characters in
            // A nil pointer would bind NULL: empty text needs an address.
            _ = withUnsafePointer(to: 0 as CChar) { empty in
                sqlite3_bind_text(handle, index, characters.baseAddress ?? empty, Int32(characters.count), Self.transient)
            }
        }
    }

    func bindText(_ index: Int32, _ bytes: some Collection<UInt8>) {
        if bytes.withContiguousStorageIfAvailable({ bindText(index, $0) }) == nil {
            Array(bytes).withUnsafeBufferPointer { bindText(index, $0) }
        }
    }

    func bindBlob(_ index: Int32, _ bytes: [UInt8]) {
        if bytes.isEmpty {
            sqlite3_bind_zeroblob(handle, index, 0)
        } else {
            _ = bytes.withUnsafeBytes { sqlite3_bind_blob(handle, index, $0.baseAddress, Int32($0.count), Self.transient) }
        }
    }

    /// Runs to the end; answers the number of rows changed.
    @discardableResult
    func run() throws -> Int {
        defer { sqlite3_reset(handle) }
        let code = sqlite3_step(handle)
        guard code == SQLITE_DONE || code == SQLITE_ROW else { throw SQLiteFailure(database, code, sql) }
        return Int(sqlite3_changes(database))
    }

    /// Calls `row` for each row until it answers false.
    func forEach(_ row: (PreparedStatement) throws -> Bool) throws {
        defer { sqlite3_reset(handle) }
        while true {
            let code = sqlite3_step(handle)
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw SQLiteFailure(database, code, sql) }
            guard try row(self) else { return }
        }
    }

    /// The first row's value, nil when there is none.
    func first<T>(_ read: (PreparedStatement) throws -> T) throws -> T? {
        var value: T?
        try forEach { row in
            value = try read(row)
            return false
        }
        return value
    }

    func int64(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
    func optionalInt64(_ column: Int32) -> Int64? { isNull(column) ? nil : int64(column) }
    func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }
    func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }
    func blob(_ column: Int32) -> [UInt8] { Array(bytes(column)) }

    /// The column's bytes, valid until the next step.
    func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
        guard let pointer = sqlite3_column_blob(handle, column) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: pointer, count: Int(sqlite3_column_bytes(handle, column)))
    }

    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)  // SQLITE_TRANSIENT, a macro Swift can't import
}

/// What SQLite said.
struct SQLiteFailure: Error {
    let code: Int32
    let message: String

    init(_ database: OpaquePointer, _ code: Int32, _ sql: String) {
        self.code = sqlite3_extended_errcode(database)
        message = "\(String(cString: sqlite3_errmsg(database))) (\(self.code)) in: \(sql.prefix(120))"
    }
}
