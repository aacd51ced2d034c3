// Queries of readers: SQL with values collected while it is built, rows read as in the writer.

import BerthModel
import GRDB

/// A query whose text and values grow together.
struct ReadQuery {
    enum Value {
        case integer(Int64)
        case text(String)
    }

    private(set) var sql: String
    private var values: [Value] = []

    init(_ sql: String) { self.sql = sql }

    /// Appends text.
    mutating func append(_ text: String) { sql += text }
    /// Appends text in which `?` stands for the value.
    mutating func append(_ text: String, _ value: Int64) {
        sql += text
        values.append(.integer(value))
    }
    mutating func append(_ text: String, _ value: String) {
        sql += text
        values.append(.text(value))
    }

    /// Runs on a reader and maps rows for as long as `goesOn` answers so; it is asked after each one.
    func all<T>(
        _ database: Database, while goesOn: () -> Bool = { true }, _ row: (PreparedStatement) throws -> T
    ) throws -> [T] {
        guard let connection = database.sqliteConnection else { throw BerthError(.internal, "the reader has no connection") }
        let statement = try PreparedStatement(connection, sql)
        defer { statement.finalize() }
        for (index, value) in values.enumerated() {
            switch value {
            case .integer(let number): statement.bind(Int32(index + 1), number)
            case .text(let text): statement.bind(Int32(index + 1), text)
            }
        }
        var rows: [T] = []
        try statement.forEach {
            rows.append(try row($0))
            return goesOn()
        }
        return rows
    }
}

/// A list's position as opaque text: which list it is, the sort value and the tie-breaking number of the last row.
struct ListCursor {
    /// The list and its order: in another one the position means nothing.
    let list: String
    let number: Int64
    let sortValue: JSONValue?

    init(_ list: String, number: Int64, sortValue: JSONValue? = nil) {
        self.list = list
        self.number = number
        self.sortValue = sortValue
    }

    var text: String {
        Base64.encode(JSONValue.object(["l": .string(list), "n": .integer(number), "v": sortValue ?? .null]).text.utf8, urlSafe: true)
    }

    init(_ text: String, of list: String) throws {
        guard let bytes = Self.decode(text), let value = JSONValue(text: bytes), case .integer(let number)? = value["n"] else {
            throw BerthError(.invalid, "'\(text.prefix(40))' is not a cursor", hint: "pass the 'next' of the page before, unchanged")
        }
        guard value["l"]?.stringValue == list else {
            throw BerthError(
                .invalid, "the cursor belongs to another list or another sort", hint: "leave it out to begin with the first page")
        }
        self.list = list
        self.number = number
        let sort = value["v"]
        sortValue = sort == .null ? nil : sort
    }

    private static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text.utf8 {
            let value: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - 65
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - 71
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte + 4
            case UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "_"): value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}
