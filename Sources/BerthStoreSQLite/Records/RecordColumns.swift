// Field names of a request checked and turned into SQL: the only place where a name from outside meets SQL text.

import BerthModel
import BerthSeams

/// The columns of one entity that can be filtered and sorted by.
struct RecordColumns {
    struct Column {
        let sql: String
        let type: FieldDefinition.FieldType
        /// Of an enumeration.
        var values: [String] = []
    }

    private let columns: [String: Column]
    private let entity: EntityName

    init(_ definition: EntityDefinition) {
        entity = definition.name
        var columns: [String: Column] = [
            "id": Column(sql: "r.id", type: .string), "external_id": Column(sql: "r.external_id", type: .string),
            "connection": Column(sql: "c.id", type: .string), "provider": Column(sql: "c.provider", type: .string),
            "workspace": Column(sql: "c.workspace", type: .string), "created_at": Column(sql: "r.created", type: .time),
            "updated_at": Column(sql: "r.updated", type: .time), "deleted_at": Column(sql: "r.deleted", type: .time),
            "source_time": Column(sql: "r.source_time", type: .time),
        ]
        for field in definition.fields { columns[field.name] = Column(sql: "r.\"\(field.name)\"", type: field.type, values: field.values) }
        self.columns = columns
    }

    private func column(_ name: String) throws -> Column {
        guard let column = columns[name] else {
            let nearest = NearestName.of(name, among: columns.keys.sorted()).map { "; did you mean '\($0)'?" } ?? ""
            throw BerthError(
                .invalid, "'\(name)' is no field of \(entity)\(nearest)", hint: "fields: \(columns.keys.sorted().joined(separator: ", "))")
        }
        return column
    }

    /// The sort column; default: time of creation.
    func sort(_ name: String?) throws -> Column {
        let column = try column(name ?? "created_at")
        // Decimals are kept as text, exactly, and are in order as numbers.
        guard column.type == .decimal else { return column }
        return Column(sql: "CAST(\(column.sql) AS NUMERIC)", type: .decimal)
    }

    func append(_ condition: RecordQuery.Condition, to query: inout ReadQuery) throws {
        let column = try column(condition.field)
        let sql = column.type == .decimal ? "CAST(\(column.sql) AS NUMERIC)" : column.sql
        switch condition.comparison {
        case .isNull:
            guard ["true", "false"].contains(condition.value) else {
                throw wrong("\(condition.field)[null]", condition.value, "true or false")
            }
            query.append(" AND \(column.sql) \(condition.value == "false" ? "IS NOT NULL" : "IS NULL")")
        case .isIn:
            query.append(" AND \(sql) IN (NULL")
            for value in condition.value.split(separator: ",", omittingEmptySubsequences: false) {
                try bind(", ", String(value), column, condition.field, &query)
            }
            query.append(")")
        case .like:
            // Kept as numbers: a pattern would never match.
            guard ![.time, .integer, .boolean].contains(column.type) else {
                throw BerthError(
                    .invalid, "\(condition.field)[like]: compares text, and \(condition.field) is of type \(column.type.rawValue)",
                    hint: "such as \(condition.field)[gte]=... and \(condition.field)[lt]=...")
            }
            query.append(" AND \(column.sql) LIKE ?", condition.value)
        case .eq: try bind(" AND \(sql) = ", condition.value, column, condition.field, &query)
        case .ne: try bind(" AND \(sql) IS NOT ", condition.value, column, condition.field, &query)
        case .lt: try bind(" AND \(sql) < ", condition.value, column, condition.field, &query)
        case .lte: try bind(" AND \(sql) <= ", condition.value, column, condition.field, &query)
        case .gt: try bind(" AND \(sql) > ", condition.value, column, condition.field, &query)
        case .gte: try bind(" AND \(sql) >= ", condition.value, column, condition.field, &query)
        }
    }

    private func bind(_ prefix: String, _ value: String, _ column: Column, _ name: String, _ query: inout ReadQuery) throws {
        switch column.type {
        case .integer:
            guard let number = Int64(value) else { throw wrong(name, value, "a whole number") }
            query.append(prefix + "?", number)
        case .boolean:
            guard let flag = ["true": 1, "false": 0, "1": 1, "0": 0][value] else { throw wrong(name, value, "true or false") }
            query.append(prefix + "?", Int64(flag))
        case .time:
            guard let time = Timestamp(timeOrDate: value) else {
                throw wrong(name, value, "an RFC 3339 time or a date")
            }
            query.append(prefix + "?", time.milliseconds)
        case .decimal:
            guard FieldValue.isDecimal(value) else { throw wrong(name, value, "a decimal") }
            query.append(prefix + "CAST(? AS NUMERIC)", value)
        case .enumeration:
            guard column.values.contains(value) else {
                let nearest = NearestName.of(value, among: column.values).map { "; did you mean '\($0)'?" } ?? ""
                throw BerthError(
                    .invalid, "\(name): '\(value.prefix(60))' is none of its values\(nearest)",
                    hint: "one of \(column.values.joined(separator: ", "))")
            }
            query.append(prefix + "?", value)
        case .string, .phone, .json: query.append(prefix + "?", value)
        }
    }

    private func wrong(_ name: String, _ value: String, _ what: String) -> BerthError {
        BerthError(.invalid, "\(name): '\(value.prefix(60))' is not \(what)")
    }

    /// Rows after the cursor in the order asked for. Missing values sort first, as in SQLite.
    func append(_ cursor: ListCursor, _ sort: Column, isDescending: Bool, to query: inout ReadQuery) throws {
        let beyond = isDescending ? "<" : ">"
        switch cursor.sortValue {
        case nil:
            query.append(
                isDescending ? " AND (\(sort.sql) IS NULL AND r._row < ?)" : " AND (\(sort.sql) IS NOT NULL OR r._row > ?)", cursor.number)
        case .integer(let value)?:
            query.append(" AND (\(sort.sql) \(beyond) ?", value)
            if isDescending { query.append(" OR \(sort.sql) IS NULL") }
            query.append(" OR (\(sort.sql) = ?", value)
            query.append(" AND r._row \(beyond) ?))", cursor.number)
        case .string(let value)?:
            query.append(" AND (\(sort.sql) \(beyond) ?", value)
            if isDescending { query.append(" OR \(sort.sql) IS NULL") }
            query.append(" OR (\(sort.sql) = ?", value)
            query.append(" AND r._row \(beyond) ?))", cursor.number)
        default: throw BerthError(.invalid, "the cursor belongs to another list")
        }
    }

    /// The sort column's value of a row, for the cursor.
    func value(_ row: PreparedStatement, _ index: Int32, _ sort: Column) -> JSONValue? {
        guard !row.isNull(index) else { return nil }
        switch sort.type {
        case .integer, .boolean, .time: return .integer(row.int64(index))
        case .string, .decimal, .phone, .enumeration, .json: return .string(row.text(index))
        }
    }
}
