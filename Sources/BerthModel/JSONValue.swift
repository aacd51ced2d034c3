// JSON as a value, for settings and documents whose shape Berth does not know. Not for hot paths.

/// Any JSON value. Numbers that are read from a text stay what they were, whatever their size.
public enum JSONValue: Hashable, Sendable, Codable {
    /// `null`
    case null
    /// `true`, `false`
    case bool(Bool)
    /// A whole number.
    case integer(Int64)
    /// Any other number.
    case number(Double)
    /// A JSON text that stays as it is written: a number that neither of those gives back, such as `25.00` or `1e400`, or a
    /// provider's original. `text` has it as it stands; encoders of others can't, and write the nearest number, or text.
    case verbatim(String)
    /// Text.
    case string(String)
    /// A list.
    case array([JSONValue])
    /// Members by name.
    case object([String: JSONValue])

    /// Decodes any value.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {  // a failed guess is not an error: the next type is tried
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    /// Encodes the value.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .verbatim(let text):
            if let value = Double(text), value.isFinite { try container.encode(value) } else { try container.encode(text) }
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    /// The text of a string, else nil.
    public var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    /// The members of an object, else nil.
    public var objectValue: [String: JSONValue]? { if case .object(let value) = self { value } else { nil } }
    /// A member of an object, else nil.
    public subscript(member: String) -> JSONValue? { objectValue?[member] }
}
