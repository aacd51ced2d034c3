// One entity's table on the writer: find, insert, update, delete with prepared statements. Decides created, updated,
// unchanged, deleted; knows nothing of events and runs.

import BerthModel
import GRDB
import GRDBSQLite

/// The writer's view of one entity's table.
final class RecordTable {
    /// What became of one change.
    enum Effect: Equatable {
        case created(RecordID)
        case updated(RecordID)
        case deleted(RecordID)
        case unchanged
    }

    let definition: EntityDefinition
    private let find: PreparedStatement
    private let insert: PreparedStatement
    private let update: PreparedStatement
    private let bury: PreparedStatement
    private let touch: PreparedStatement
    private let date: PreparedStatement
    private let fieldIndex: [String: Int]

    init(_ definition: EntityDefinition, _ database: OpaquePointer) throws {
        self.definition = definition
        let table = EntityTables.table(definition.name)
        let columns = definition.fields.map { "\"\($0.name)\"" }
        let list = columns.isEmpty ? "" : ", " + columns.joined(separator: ", ")
        fieldIndex = Dictionary(uniqueKeysWithValues: definition.fields.enumerated().map { ($1.name, $0) })
        find = try PreparedStatement(
            database, "SELECT _row, id, source_time, deleted, raw\(list) FROM \(table) WHERE connection = ?1 AND external_id = ?2")
        let marks = definition.fields.indices.map { "?\($0 + 9)" }.joined(separator: ", ")
        insert = try PreparedStatement(
            database,
            """
            INSERT INTO \(table) (id, connection, external_id, created, updated, source_time, seen_run, raw\(list))
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8\(marks.isEmpty ? "" : ", " + marks))
            """)
        let sets = definition.fields.indices.map { ", \(columns[$0]) = ?\($0 + 6)" }.joined()
        update = try PreparedStatement(
            database, "UPDATE \(table) SET updated = ?2, source_time = ?3, deleted = NULL, seen_run = ?4, raw = ?5\(sets) WHERE _row = ?1")
        bury = try PreparedStatement(database, "UPDATE \(table) SET updated = ?2, deleted = ?2, source_time = ?3 WHERE _row = ?1")
        touch = try PreparedStatement(database, "UPDATE \(table) SET seen_run = ?2 WHERE _row = ?1")
        date = try PreparedStatement(database, "UPDATE \(table) SET source_time = ?2 WHERE _row = ?1")
    }

    func finalize() {
        for statement in [find, insert, update, bury, touch, date] { statement.finalize() }
    }

    /// How far a provider's clock may be ahead of this machine's.
    private static let aheadMillisecondsMax: Int64 = 300_000

    /// What is stored under a key.
    private struct Stored {
        let number: Int64
        let id: String
        var sourceTime: Int64?
        let isDeleted: Bool
        let rawEquals: Bool
        var values: [FieldValue]
    }

    /// Applies one change. Throws `invalid` with the reason when the payload does not fit the entity.
    func apply(_ change: RecordChange, owner: Int64, run: Int64?, now: Timestamp, newID: () -> RecordID) throws -> Effect {
        let raw = change.raw.isEmpty ? change.payload : change.raw
        var stored = try lookUp(change.externalID, owner, raw)
        // Dated by a clock that was ahead: for as long as that lies in the future, nothing true would be newer. Not so where what comes
        // now is of the same clock.
        let horizon = now.milliseconds + Self.aheadMillisecondsMax
        if let new = change.sourceTime?.milliseconds, new <= horizon, let old = stored?.sourceTime, old > horizon { stored?.sourceTime = nil }
        if let stored, let old = stored.sourceTime, let new = change.sourceTime?.milliseconds, new < old {
            if let run { try mark(stored.number, run) }
            return .unchanged
        }
        let sourceTime = change.sourceTime?.milliseconds ?? stored?.sourceTime
        guard change.kind == .upsert else {
            // Deletes overtake what they delete: an older state that comes later must find that it is too late.
            if stored == nil, sourceTime != nil { try insertTombstone(change.externalID, owner, run, sourceTime, now, newID()) }
            return try delete(stored, sourceTime, now)
        }

        var values = stored?.values ?? Array(repeating: .null, count: definition.fields.count)
        try read(change.payload, into: &values)
        guard let stored else {
            let id = newID()
            insert.bind(1, id.description)
            insert.bind(2, owner)
            insert.bind(3, change.externalID)
            insert.bind(4, now.milliseconds)
            insert.bind(5, now.milliseconds)
            insert.bind(6, sourceTime)
            insert.bind(7, run)
            insert.bindText(8, raw)
            bind(values, to: insert, from: 9)
            try insert.run()
            return .created(id)
        }
        if values == stored.values, stored.rawEquals, !stored.isDeleted {
            if let run { try mark(stored.number, run) }
            // Nothing to tell, but an older state that comes later must not win against this one.
            if let sourceTime, stored.sourceTime.map({ sourceTime > $0 }) ?? true { try confirm(stored.number, sourceTime) }
            return .unchanged
        }
        update.bind(1, stored.number)
        update.bind(2, now.milliseconds)
        update.bind(3, sourceTime)
        update.bind(4, run)
        update.bindText(5, raw)
        bind(values, to: update, from: 6)
        try update.run()
        return .updated(try Self.id(stored.id))
    }

    private func insertTombstone(
        _ externalID: String, _ owner: Int64, _ run: Int64?, _ sourceTime: Int64?, _ now: Timestamp, _ id: RecordID
    ) throws {
        insert.bind(1, id.description)
        insert.bind(2, owner)
        insert.bind(3, externalID)
        insert.bind(4, now.milliseconds)
        insert.bind(5, now.milliseconds)
        insert.bind(6, sourceTime)
        insert.bind(7, run)
        insert.bindText(8, Array("{}".utf8))
        bind(Array(repeating: .null, count: definition.fields.count), to: insert, from: 9)
        try insert.run()
        guard let stored = try lookUp(externalID, owner, []) else { throw BerthError(.internal, "a tombstone was not stored") }
        _ = try delete(stored, sourceTime, now)
    }

    private func delete(_ stored: Stored?, _ sourceTime: Int64?, _ now: Timestamp) throws -> Effect {
        guard let stored, !stored.isDeleted else { return .unchanged }
        bury.bind(1, stored.number)
        bury.bind(2, now.milliseconds)
        bury.bind(3, sourceTime)
        try bury.run()
        return .deleted(try Self.id(stored.id))
    }

    private func confirm(_ number: Int64, _ sourceTime: Int64) throws {
        date.bind(1, number)
        date.bind(2, sourceTime)
        try date.run()
    }

    private func mark(_ number: Int64, _ run: Int64) throws {
        touch.bind(1, number)
        touch.bind(2, run)
        try touch.run()
    }

    private func lookUp(_ externalID: String, _ owner: Int64, _ raw: [UInt8]) throws -> Stored? {
        find.bind(1, owner)
        find.bind(2, externalID)
        return try find.first { row in
            Stored(
                number: row.int64(0), id: row.text(1), sourceTime: row.optionalInt64(2), isDeleted: !row.isNull(3),
                rawEquals: row.bytes(4).elementsEqual(raw),
                values: definition.fields.enumerated().map { index, field in
                    let column = Int32(index + 5)
                    if row.isNull(column) { return .null }
                    switch field.type {
                    case .integer, .boolean, .time: return .integer(row.int64(column))
                    case .string, .decimal, .phone, .enumeration, .json: return .text(row.text(column))
                    }
                })
        }
    }

    /// Members that are no field stay in the raw original.
    private func read(_ payload: [UInt8], into values: inout [FieldValue]) throws {
        let document: JSONDocument
        do { document = try JSONDocument(payload) } catch {
            throw BerthError(.invalid, "a record's payload is not JSON: \(error)")
        }
        guard document.root.kind == .object else { throw BerthError(.invalid, "a record's payload is not a JSON object") }
        for (name, value) in document.root.members {
            guard let index = fieldIndex[name.string ?? ""] else { continue }
            switch FieldValue.read(value, as: definition.fields[index]) {
            case .success(let read): values[index] = read
            case .failure(let problem): throw BerthError(.invalid, "\(definition.name): \(problem.reason)")
            }
        }
        for (index, field) in definition.fields.enumerated() where field.isRequired && values[index] == .null {
            throw BerthError(.invalid, "\(definition.name): field '\(field.name)' is required")
        }
    }

    private func bind(_ values: [FieldValue], to statement: PreparedStatement, from first: Int32) {
        for (index, value) in values.enumerated() {
            switch value {
            case .null: statement.bindNull(first + Int32(index))
            case .integer(let number): statement.bind(first + Int32(index), number)
            case .text(let text): statement.bind(first + Int32(index), text)
            }
        }
    }

    private static func id(_ text: String) throws -> RecordID {
        guard let id = RecordID(text) else { throw BerthError("store_corrupt", "unreadable record id '\(text)'") }
        return id
    }
}
