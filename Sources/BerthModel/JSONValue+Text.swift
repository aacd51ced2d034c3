// The one compact text of a JSON value: members sorted, so that equal values have equal text.

extension JSONValue {
    /// Compact JSON with sorted members.
    public var text: String {
        var out = ""
        write(to: &out)
        return out
    }

    /// A scalar as plain text: strings as they are, numbers and booleans as in JSON; nil for the rest.
    public var scalarText: String? {
        switch self {
        case .string(let value): value
        case .integer, .number, .bool: text
        case .verbatim(let text): Double(text) == nil ? nil : text
        case .null, .array, .object: nil
        }
    }

    private func write(to out: inout String) {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .integer(let value): out += String(value)
        // Beyond what a double holds a number stays one, and as good as endless: null would be another value.
        case .number(let value): out += value.isFinite ? "\(value)" : value.isNaN ? "null" : value < 0 ? "-1e999" : "1e999"
        case .verbatim(let text): out += text
        case .string(let value): Self.write(value, to: &out)
        case .array(let values):
            out += "["
            for (index, value) in values.enumerated() {
                if index > 0 { out += "," }
                value.write(to: &out)
            }
            out += "]"
        case .object(let members):
            out += "{"
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { out += "," }
                Self.write(member.key, to: &out)
                out += ":"
                member.value.write(to: &out)
            }
            out += "}"
        }
    }

    private static func write(_ value: String, to out: inout String) {
        out += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}
