// Entities become tables: common columns, one column per field, indexes where the definition asks. Grows forward only.

import BerthModel
import Foundation
import GRDB

enum EntityTables {
    /// Columns every record has; names no field may take.
    static let common = [
        "id", "connection", "external_id", "created", "updated", "source_time", "deleted", "seen_run", "raw",
    ]

    static func table(_ name: EntityName) -> String { "entity_\(name.text.replacing("-", with: "_"))" }

    /// Creates or widens the entity's table; answers whether anything changed. Call inside a transaction.
    static func define(_ entity: EntityDefinition, in database: Database) throws -> Bool {
        try check(entity)
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
        for field in entity.fields where field.isIndexed {
            try database.execute(
                sql: "CREATE INDEX IF NOT EXISTS \(table)_\(field.name) ON \(table) (\"\(field.name)\") WHERE \"\(field.name)\" IS NOT NULL"
            )
        }
        // A field that a newer manifest no longer names keeps its column and stays readable.
        let merged = EntityDefinition(
            name: entity.name, fields: entity.fields + known.filter { old in !entity.fields.contains { $0.name == old.name } })
        try database.execute(
            sql: "INSERT INTO entity (name, definition) VALUES (?, ?) ON CONFLICT DO UPDATE SET definition = excluded.definition",
            arguments: [entity.name.text, try encode(merged)])
        return true
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
        for field in entity.fields {
            let isName = field.name.wholeMatch(of: /[a-z][a-z0-9_]{0,62}/) != nil
            let reserved =
                common.contains(field.name) || ["workspace", "provider", "created_at", "updated_at", "deleted_at"].contains(field.name)
            guard isName, !reserved else {
                throw BerthError(
                    .invalid, "entity '\(entity.name)': '\(field.name)' can't be a field's name",
                    hint: "a-z, 0-9 and _, beginning with a letter, and none of the common columns")
            }
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
