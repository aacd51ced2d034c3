// A field's value on its way from JSON to a column, checked by its type.

import BerthModel

/// What a column gets.
enum FieldValue: Equatable {
    case null
    case integer(Int64)
    case text(String)

    /// Reads a JSON value by the field's type; the reason otherwise.
    static func read(_ node: JSONNode, as field: FieldDefinition) -> Result<FieldValue, FieldProblem> {
        if node.isNull { return .success(.null) }
        switch field.type {
        case .string:
            if let text = node.scalarText { return .success(.text(text)) }
        case .phone:
            if node.kind == .string || node.kind == .number, let text = node.scalarText { return .success(.text(text)) }
        case .integer:
            if let value = node.int64 { return .success(.integer(value)) }
            if let text = node.scalarText, let value = Int64(text) { return .success(.integer(value)) }
            if let value = node.double, value == value.rounded(), abs(value) < 9e15 { return .success(.integer(Int64(value))) }
        case .decimal:
            if let text = node.numberText { return .success(.text(text)) }
            if let text = node.string, isDecimal(text) { return .success(.text(text)) }
        case .boolean:
            if let flag = node.bool { return .success(.integer(flag ? 1 : 0)) }
        case .time:
            if let text = node.string, let time = Timestamp(text) { return .success(.integer(time.milliseconds)) }
        case .enumeration:
            if let text = node.string, field.values.contains(text) { return .success(.text(text)) }
            return .failure(problem(node, field, "is not one of \(field.values.joined(separator: ", "))"))
        case .json:
            return .success(.text(String(decoding: node.jsonBytes, as: UTF8.self)))
        }
        return .failure(problem(node, field, "is not a \(field.type.rawValue)"))
    }

    private static func problem(_ node: JSONNode, _ field: FieldDefinition, _ what: String) -> FieldProblem {
        let shown = String(decoding: node.jsonBytes.prefix(60), as: UTF8.self)
        return FieldProblem(reason: "field '\(field.name)': \(shown) \(what)")
    }

    static func isDecimal(_ text: String) -> Bool {
        var digits = 0
        var points = 0
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digits += 1
            case UInt8(ascii: "."): points += 1
            case UInt8(ascii: "-"), UInt8(ascii: "+"): if index > 0 { return false }
            default: return false
            }
        }
        return digits > 0 && points <= 1
    }

    /// From a column back to JSON.
    static func json(_ statement: PreparedStatement, _ column: Int32, _ field: FieldDefinition) -> JSONValue? {
        guard !statement.isNull(column) else { return nil }
        switch field.type {
        case .integer: return .integer(statement.int64(column))
        case .boolean: return .bool(statement.int64(column) != 0)
        case .time: return .string(Timestamp(milliseconds: statement.int64(column)).description)
        case .string, .decimal, .phone, .enumeration: return .string(statement.text(column))
        case .json: return JSONValue(verbatim: statement.text(column)) ?? .string(statement.text(column))
        }
    }
}

/// Why a value does not fit its field.
struct FieldProblem: Error {
    let reason: String
}
