// Entities become tables: common columns, one column per field, indexes where the definition asks. Grows forward only.

import BerthModel
import Foundation
import GRDB

enum EntityTables {
    /// No two entities share a table: `$`, which SQL allows and names don't, stands for `-`.
    static func table(_ name: EntityName) -> String { "entity_\(name.text.replacing("-", with: "$"))" }

    /// An index's name is no table's, and no other index's: fields hold no `$`.
    private static func index(_ name: EntityName, _ field: String) -> String { "index_\(name.text.replacing("-", with: "$"))$\(field)" }

    /// Creates or widens the entity's table; answers whether anything changed. Call inside a transaction. Throws `invalid` or
    /// `conflict` for what is wrong with the entity itself; everything else is the store's trouble.
    static func define(_ entity: EntityDefinition, in database: Database) throws -> Bool {
        try check(entity)
        do { return try change(to: entity, in: database) } catch let error as DatabaseError where error.resultCode == .SQLITE_ERROR {
            // What SQL itself refuses, such as more columns than a table takes.
            throw BerthError(
                .invalid, "entity '\(entity.name)' can't be a table: \(error.message ?? "\(error)")", hint: "give it other or fewer fields")
        }
    }

    private static func change(to entity: EntityDefinition, in database: Database) throws -> Bool {
        let stored = try String.fetchOne(database, sql: "SELECT definition FROM entity WHERE name = ?", arguments: [entity.name.text])
        let text = try encode(entity)
        guard stored != text else { return false }
        let table = table(entity.name)
        var known: [FieldDefinition] = []
        if let stored {
            known = try decode(stored, name: entity.name).fields
            for field in entity.fields {
                if let old = known.first(where: { $0.name == field.name }), old.type != field.type {
                    throw BerthError(
                        .conflict,
                        "entity '\(entity.name)': field '\(field.name)' is stored as \(old.type.rawValue) and can't become \(field.type.rawValue)",
                        hint: "give the new field another name; a field's type never changes")
                }
            }
        } else {
            try database.execute(
                sql: """
                    CREATE TABLE \(table) (_row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, connection INTEGER NOT NULL,
                      external_id TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, source_time INTEGER, deleted INTEGER,
                      seen_run INTEGER, raw BLOB NOT NULL, UNIQUE (connection, external_id))
                    """)
        }
        for field in entity.fields where !known.contains(where: { $0.name == field.name }) {
            try database.execute(sql: "ALTER TABLE \(table) ADD COLUMN \"\(field.name)\" \(columnType(field.type))")
        }
        for field in entity.fields where field.isIndexed { try makeIndex(entity.name, field.name, database) }
        // A field that a newer manifest no longer names keeps its column and stays readable.
        let merged = EntityDefinition(
            name: entity.name, fields: entity.fields + known.filter { old in !entity.fields.contains { $0.name == old.name } })
        try database.execute(
            sql: "INSERT INTO entity (name, definition) VALUES (?, ?) ON CONFLICT DO UPDATE SET definition = excluded.definition",
            arguments: [entity.name.text, try encode(merged)])
        return true
    }

    private static func makeIndex(_ entity: EntityName, _ field: String, _ database: Database) throws {
        try database.execute(
            sql: "CREATE INDEX IF NOT EXISTS \(index(entity, field)) ON \(table(entity)) (\"\(field)\") WHERE \"\(field)\" IS NOT NULL")
    }

    /// Brings tables and indexes of earlier versions, where `a-b` and `a_b` were one table and an index could be called like one, to
    /// the names they have now.
    static func rename(_ database: Database) throws {
        for entity in try all(database) {
            let table = table(entity.name)
            let old = "entity_\(entity.name.text.replacing("-", with: "_"))"
            if old != table, try !database.tableExists(table) { try database.execute(sql: "ALTER TABLE \(old) RENAME TO \(table)") }
            let indexes = try String.fetchAll(
                database, sql: "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
                arguments: [table])
            var fields = Set(entity.fields.filter(\.isIndexed).map(\.name))
            for name in indexes {
                fields.formUnion(try String.fetchAll(database, sql: "SELECT name FROM pragma_index_info(?)", arguments: [name]))
                try database.execute(sql: "DROP INDEX \"\(name)\"")
            }
            for field in fields.sorted() { try makeIndex(entity.name, field, database) }
        }
    }

    static func all(_ database: Database) throws -> [EntityDefinition] {
        try Row.fetchAll(database, sql: "SELECT name, definition FROM entity ORDER BY name").map { row in
            guard let name = EntityName(row["name"] as String) else { throw BerthError("store_corrupt", "unreadable entity name") }
            return try decode(row["definition"], name: name)
        }
    }

    private static func columnType(_ type: FieldDefinition.FieldType) -> String {
        switch type {
        case .integer, .boolean, .time: "INTEGER"
        case .string, .decimal, .phone, .enumeration, .json: "TEXT"
        }
    }

    private static func check(_ entity: EntityDefinition) throws {
        for field in entity.fields where !FieldDefinition.isName(field.name) {
            throw BerthError(
                .invalid, "entity '\(entity.name)': '\(field.name)' can't be a field's name",
                hint: "a-z, 0-9 and _, beginning with a letter, and none of what every record has")
        }
    }

    private struct StoredField: Codable {
        var name: String
        var type: String
        var required: Bool
        var indexed: Bool
        var values: [String]
        var references: String?
    }

    private static func encode(_ entity: EntityDefinition) throws -> String {
        let fields = entity.fields.map {
            StoredField(
                name: $0.name, type: $0.type.rawValue, required: $0.isRequired, indexed: $0.isIndexed, values: $0.values,
                references: $0.references?.text)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(fields), as: UTF8.self)
    }

    private static func decode(_ text: String, name: EntityName) throws -> EntityDefinition {
        let fields = try JSONDecoder().decode([StoredField].self, from: Data(text.utf8)).map { field in
            guard let type = FieldDefinition.FieldType(rawValue: field.type) else {
                throw BerthError("store_too_new", "entity '\(name)' has a field of unknown type '\(field.type)'")
            }
            return FieldDefinition(
                field.name, type, isRequired: field.required, isIndexed: field.indexed, values: field.values,
                references: field.references.flatMap { EntityName($0) })
        }
        return EntityDefinition(name: name, fields: fields)
    }
}
