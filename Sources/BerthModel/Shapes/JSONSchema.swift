// The part of JSON Schema by which the input of actions is checked before a plugin sees it. Checked are `type`, `enum`, `const`,
// `minimum`, `maximum`, `minLength`, `maxLength`, `required`, `properties`, `additionalProperties`, `items`, `minItems` and `maxItems`;
// any other keyword allows everything, as the specification says of unknown ones. No library: none is among the dependencies.

/// A JSON Schema, as far as Berth checks it.
public struct JSONSchema: Sendable {
    /// A JSON value's kind by the names of JSON Schema.
    private enum Kind: String, CaseIterable { case null, boolean, object, array, number, string, integer }

    private var kinds: [Kind]?
    private var choices: [JSONValue]?
    private var bounds = ValueBounds()
    private var required: [String] = []
    private var properties: [String: JSONSchema] = [:]
    /// Of members without a schema of their own, at most one; none: such members are as they like.
    private var additional: [JSONSchema] = []
    /// Of elements, at most one.
    private var items: [JSONSchema] = []
    private var minItems: Int?
    private var maxItems: Int?
    /// The schema `false`.
    private var allowsNothing = false

    /// Reads a schema. Throws `invalid_request` naming the keyword that is not as JSON Schema has it.
    public init(_ schema: JSONValue) throws(BerthError) { try self.init(schema, at: "") }

    private init(_ schema: JSONValue, at path: String) throws(BerthError) {
        if case .bool(let isOpen) = schema {
            allowsNothing = !isOpen
            return
        }
        guard case .object(let keywords) = schema else { throw Self.refusal(path, "a schema is an object, true or false") }
        for (keyword, value) in keywords.sorted(by: { $0.key < $1.key }) {
            try take(keyword, value, path + (path.isEmpty ? "" : ".") + keyword)
        }
    }

    private mutating func take(_ keyword: String, _ value: JSONValue, _ path: String) throws(BerthError) {
        switch keyword {
        case "type":
            let names = if case .array(let list) = value { list } else { [value] }
            kinds = try names.map { name throws(BerthError) in
                guard let kind = name.stringValue.flatMap(Kind.init(rawValue:)) else {
                    throw Self.refusal(path, "\(name.text) is none of \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
                }
                return kind
            }
        case "enum":
            guard case .array(let list) = value else { throw Self.refusal(path, "is a list of values") }
            choices = list
        case "const": choices = [value]
        case "minimum": bounds.minimum = try Self.number(value, path)
        case "maximum": bounds.maximum = try Self.number(value, path)
        case "minLength": bounds.minLength = try Self.count(value, path)
        case "maxLength": bounds.maxLength = try Self.count(value, path)
        case "minItems": minItems = try Self.count(value, path)
        case "maxItems": maxItems = try Self.count(value, path)
        case "required":
            guard case .array(let list) = value, list.allSatisfy({ $0.stringValue != nil }) else {
                throw Self.refusal(path, "is a list of names, beside 'properties'")
            }
            required = list.compactMap(\.stringValue)
        case "properties":
            guard case .object(let members) = value else { throw Self.refusal(path, "is an object of schemas by name") }
            for (name, member) in members.sorted(by: { $0.key < $1.key }) {
                properties[name] = try JSONSchema(member, at: "\(path).\(name)")
            }
        case "additionalProperties": additional = [try JSONSchema(value, at: path)]
        case "items": items = [try JSONSchema(value, at: path)]
        default: break
        }
    }

    private static func number(_ value: JSONValue, _ path: String) throws(BerthError) -> Double {
        switch value {
        case .integer(let number): return Double(number)
        case .number(let number): return number
        default: throw refusal(path, "\(value.text) is not a number")
        }
    }

    private static func count(_ value: JSONValue, _ path: String) throws(BerthError) -> Int {
        guard case .integer(let number) = value, number >= 0 else { throw refusal(path, "\(value.text) is not a whole number from 0 on") }
        return Int(number)
    }

    private static func refusal(_ path: String, _ message: String) -> BerthError {
        BerthError(.invalid, path.isEmpty ? message : "\(path): \(message)")
    }

    // MARK: checking

    /// What is wrong with a value, member by member: `country: must be a string, not a number`. Empty: nothing. Values are not told:
    /// one may be secret.
    public func problems(in value: JSONValue) -> [String] { problems(in: value, at: "") }

    private func problems(in value: JSONValue, at path: String) -> [String] {
        func told(_ problem: String) -> [String] { ["\(path.isEmpty ? "the input" : path): \(problem)"] }
        if allowsNothing { return told("is not known here") }
        if let kinds, !kinds.contains(where: { Self.isOne(value, $0) }) {
            let wanted = kinds.map { Self.named($0.rawValue) }.joined(separator: " or ")
            return told("must be \(wanted), not \(Self.named(Self.kind(value).rawValue))")
        }
        if let choices, !choices.contains(where: { Self.isSame($0, value) }) {
            return told("must be \(choices.count == 1 ? "" : "one of ")\(choices.map(\.text).joined(separator: ", "))")
        }
        if let problem = bounds.problem(with: value) { return told(problem) }
        switch value {
        case .object(let members): return problems(in: members, at: path)
        case .array(let elements):
            if let minItems, elements.count < minItems { return told("must have at least \(minItems) elements") }
            if let maxItems, elements.count > maxItems { return told("must have at most \(maxItems) elements") }
            guard let item = items.first else { return [] }
            return elements.enumerated().flatMap { item.problems(in: $1, at: "\(path)[\($0)]") }
        case .null, .bool, .integer, .number, .verbatim, .string: return []
        }
    }

    private func problems(in members: [String: JSONValue], at path: String) -> [String] {
        let place = path.isEmpty ? "" : "\(path)."
        var problems = required.filter { members[$0] == nil }.map { "\(place)\($0): is required" }
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            guard let schema = properties[name] ?? additional.first else { continue }
            let isUnknown = properties[name] == nil && schema.allowsNothing
            let meant = isUnknown ? NearestName.of(name, among: properties.keys.sorted()).map { "; did you mean '\($0)'?" } ?? "" : ""
            problems += schema.problems(in: value, at: place + name).map { $0 + meant }
        }
        return problems
    }

    private static func kind(_ value: JSONValue) -> Kind {
        switch value {
        case .null: .null
        case .bool: .boolean
        case .integer, .number, .verbatim: .number
        case .string: .string
        case .array: .array
        case .object: .object
        }
    }

    private static func isOne(_ value: JSONValue, _ kind: Kind) -> Bool {
        guard kind == .integer else { return kind == self.kind(value) }
        // 1.0 is a whole number, as the specification has it.
        return switch value {
        case .integer: true
        case .number(let number): number.rounded() == number
        case .verbatim(let text): Double(text).map { $0.isFinite && $0.rounded() == $0 } ?? false
        default: false
        }
    }

    private static func isSame(_ one: JSONValue, _ other: JSONValue) -> Bool {
        switch (one, other) {
        case (.integer(let whole), .number(let number)), (.number(let number), .integer(let whole)): Double(whole) == number
        default: one == other
        }
    }

    private static func named(_ kind: String) -> String {
        kind == "null" ? kind : "aeiou".contains(kind.first ?? "x") ? "an \(kind)" : "a \(kind)"
    }
}
