// From a JSON text to a value.

extension JSONValue {
    /// Parses a text; nil when it is not JSON.
    public init?(text: [UInt8]) {
        guard let document = try? JSONDocument(text) else { return nil }  // the reason is of no use to callers of this form
        self.init(document.root)
    }

    /// A node of a parsed document as a value.
    public init(_ node: JSONNode) {
        switch node.kind {
        case .null: self = .null
        case .bool: self = .bool(node.bool ?? false)
        case .number: self = node.int64.map { .integer($0) } ?? .number(node.double ?? 0)
        case .string: self = .string(node.string ?? "")
        case .array: self = .array(node.elements.map { JSONValue($0) })
        case .object:
            var members: [String: JSONValue] = [:]
            for (name, value) in node.members { members[name.string ?? ""] = JSONValue(value) }
            self = .object(members)
        }
    }
}
