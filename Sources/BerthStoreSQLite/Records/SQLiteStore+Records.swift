// Records read: filter, sort, cursor; all checked against the entity's definition.

public import BerthModel
public import BerthSeams
import GRDB

extension SQLiteStore {
    /// Originals in one page: several readers may hold theirs at once, and an answer takes four times as much while it is made.
    static let pageBytesMax = 8 << 20

    public func apply(_ changes: [EntityChange], connection: ConnectionID, now: Timestamp) async throws(BerthError) -> SettleReceipt {
        try await queue.write { writer in
            let (counts, notices) = try writer.applyOneByOne(changes, connection, now: now)
            return SettleReceipt(notices: notices, notHeld: [], counts: counts, refused: [:])
        }
    }

    public func define(_ entities: [EntityDefinition]) async throws(BerthError) {
        guard !entities.isEmpty else { return }
        try await queue.write { writer in
            for entity in entities where try EntityTables.define(entity, in: writer.database) {
                // Prepared statements name the old columns: the table is looked up anew at its next use.
                writer.tables.removeValue(forKey: entity.name)?.finalize()
            }
        }
    }

    public func entities() async throws(BerthError) -> [EntityDefinition] {
        try await read { try EntityTables.all($0) }
    }

    public func recordCount(_ entity: EntityName) async throws(BerthError) -> Int {
        try await read { database in
            _ = try Self.definition(entity, database)
            return try Int.fetchOne(database, sql: "SELECT count(*) FROM \(EntityTables.table(entity)) WHERE deleted IS NULL") ?? 0
        }
    }

    public func record(_ entity: EntityName, _ id: RecordID) async throws(BerthError) -> BerthSeams.Record? {
        try await read { database in
            let definition = try Self.definition(entity, database)
            var query = ReadQuery(Self.select(definition))
            query.append(" WHERE r.id = ?", id.description)
            return try query.all(database) { try Self.record($0, definition) }.first
        }
    }

    public func records(_ entity: EntityName, _ wish: RecordQuery, page: PageRequest) async throws(BerthError) -> Page<BerthSeams.Record> {
        let limit = max(1, min(1000, page.limit))
        return try await read { database in
            let definition = try Self.definition(entity, database)
            let columns = RecordColumns(definition)
            var query = ReadQuery(Self.select(definition, extra: ", r._row, \(try columns.sort(wish.sort).sql)") + " WHERE 1")
            if !wish.includesDeleted { query.append(" AND r.deleted IS NULL") }
            for condition in wish.conditions { try columns.append(condition, to: &query) }
            let sort = try columns.sort(wish.sort)
            let list = "\(entity)\(wish.isDescending ? " -" : " ")\(wish.sort ?? "")"
            if let text = page.cursor {
                try columns.append(try ListCursor(text, of: list), sort, isDescending: wish.isDescending, to: &query)
            }
            let order = wish.isDescending ? "DESC" : "ASC"
            query.append(" ORDER BY \(sort.sql) \(order), r._row \(order) LIMIT ?", Int64(limit + 1))
            let last = Int32(12 + definition.fields.count)
            var bytes = 0
            var rows = try query.all(database, while: { bytes < Self.pageBytesMax }) { row in
                let record = try Self.record(row, definition)
                bytes += record.raw.utf8.count
                return (record, ListCursor(list, number: row.int64(last), sortValue: columns.value(row, last + 1, sort)).text)
            }
            let hasMore = rows.count > limit || bytes >= Self.pageBytesMax
            if rows.count > limit { rows.removeLast() }
            return Page(items: rows.map(\.0), next: hasMore ? rows.last?.1 : nil)
        }
    }

    static func definition(_ entity: EntityName, _ database: Database) throws -> EntityDefinition {
        let all = try EntityTables.all(database)
        guard let definition = all.first(where: { $0.name == entity }) else {
            let nearest = NearestName.of(entity.text, among: all.map(\.name.text)).map { "; did you mean '\($0)'?" } ?? ""
            throw BerthError(
                .notFound, "there is no entity '\(entity)'\(nearest)", hint: "there are: \(all.map(\.name.text).joined(separator: ", "))")
        }
        return definition
    }

    private static func select(_ definition: EntityDefinition, extra: String = "") -> String {
        let fields = definition.fields.map { ", r.\"\($0.name)\"" }.joined()
        return """
            SELECT r.id, c.workspace, c.provider, c.id, r.external_id, r.created, r.updated, r.source_time, r.deleted, r.raw, 0, 0\(fields)\(extra)
            FROM \(EntityTables.table(definition.name)) r JOIN connection c ON c.number = r.connection
            """
    }

    private static func record(_ row: PreparedStatement, _ definition: EntityDefinition) throws -> BerthSeams.Record {
        guard let id = RecordID(row.text(0)), let workspace = WorkspaceName(row.text(1)), let provider = ProviderName(row.text(2)),
            let connection = ConnectionID(row.text(3))
        else { throw BerthError("store_corrupt", "record row '\(row.text(0))' is unreadable") }
        var fields: [String: JSONValue] = [:]
        for (index, field) in definition.fields.enumerated() {
            if let value = FieldValue.json(row, Int32(index + 12), field) { fields[field.name] = value }
        }
        return BerthSeams.Record(
            id: id, entity: definition.name, workspace: workspace, provider: provider, connection: connection, externalID: row.text(4),
            createdAt: Timestamp(milliseconds: row.int64(5)), updatedAt: Timestamp(milliseconds: row.int64(6)),
            sourceTime: row.optionalInt64(7).map { Timestamp(milliseconds: $0) },
            deletedAt: row.optionalInt64(8).map { Timestamp(milliseconds: $0) }, fields: fields, raw: row.text(9))
    }
}
