// Reads what a client sent. Small documents only: requests to a provider's API and to the mock's own admin routes.

import Foundation

/// A JSON value that was received.
enum JSONDocument: Sendable, Decodable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case array([JSONDocument])
    case object([String: JSONDocument])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        // Each `try?` asks "is it this type?"; the last one throws for good.
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let array = try? value.decode([JSONDocument].self) {
            self = .array(array)
        } else {
            self = .object(try value.decode([String: JSONDocument].self))
        }
    }

    /// Parses `bytes`; nil when they are not JSON.
    init?(parsing bytes: [UInt8]) {
        guard let value = try? JSONDecoder().decode(JSONDocument.self, from: Data(bytes)) else { return nil }
        self = value
    }

    /// The member `key` of an object; nil when absent, null, or no object.
    subscript(key: String) -> JSONDocument? {
        guard case .object(let members) = self, let value = members[key] else { return nil }
        if case .null = value { return nil }
        return value
    }

    /// The elements of an array; empty for anything else.
    var elements: [JSONDocument] { if case .array(let elements) = self { elements } else { [] } }
    /// The members of an object; empty for anything else.
    var members: [String: JSONDocument] { if case .object(let members) = self { members } else { [:] } }
    /// The characters of a text, or of a number or boolean as text.
    var text: String? {
        switch self {
        case .text(let text): text
        case .number(let number): number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : String(number)
        case .bool(let bool): bool ? "true" : "false"
        default: nil
        }
    }
    /// A number, also when written as text.
    var number: Double? {
        switch self {
        case .number(let number): number
        case .text(let text): Double(text)
        default: nil
        }
    }
    /// A whole number, also when written as text.
    var integer: Int? { number.flatMap { abs($0) < 1e15 ? Int($0) : nil } }
    /// A boolean, also as `yes`, `1`, `true`.
    var boolean: Bool? { text.map { ["true", "yes", "1", "converted"].contains($0.lowercased()) } }
}
