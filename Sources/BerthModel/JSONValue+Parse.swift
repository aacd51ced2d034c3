// From a JSON text to a value.

extension JSONValue {
    /// Parses a text; nil when it is not JSON.
    public init?(text: [UInt8]) {
        guard let document = try? JSONDocument(text) else { return nil }  // the reason is of no use to callers of this form
        self.init(document.root)
    }

    /// A text that stays as it is, with the order of its members and its blanks; nil when it is not JSON.
    public init?(verbatim text: String) {
        guard (try? JSONDocument(Array(text.utf8))) != nil else { return nil }  // as above
        self = .verbatim(text)
    }

    /// A node of a parsed document as a value.
    public init(_ node: JSONNode) {
        switch node.kind {
        case .null: self = .null
        case .bool: self = .bool(node.bool ?? false)
        case .number:
            let text = node.numberText ?? "0"
            if let value = node.int64, String(value) == text {
                self = .integer(value)
            } else if let value = node.double, "\(value)" == text {
                self = .number(value)
            } else {
                self = .verbatim(text)
            }
        case .string: self = .string(node.string ?? "")
        case .array: self = .array(node.elements.map { JSONValue($0) })
        case .object:
            var members: [String: JSONValue] = [:]
            for (name, value) in node.members { members[name.string ?? ""] = JSONValue(value) }
            self = .object(members)
        }
    }
}
