// Pixels and templated webhooks carry the same facts in a query, a form or JSON, with empty text, unresolved [tokens]
// and quoted numbers. This makes one JSON object of all three, so that an adapter has one way to look.

extension Event {
    /// The fields of query, form and JSON object together; on equal names the body wins.
    ///
    /// `omitting` names fields that must not be kept, such as tokens. Throws `invalidEvent` when a JSON body is broken or
    /// no object.
    public func fields(omitting omitted: Set<String> = []) throws -> DeliveryFields {
        var pairs: [(name: String, value: String)] = QueryText.pairs(query[...])
        var object: JSONNode?
        let first = body.first { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }
        if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") || header("content-type")?.contains("json") == true, first != nil {
            let root = try json()
            guard root.kind == .object else {
                throw ProviderError.invalidEvent("the delivery's body is JSON but not an object")
            }
            object = root
        } else if first != nil {
            pairs += QueryText.pairs(String(decoding: body, as: UTF8.self)[...])
        }
        let holdsOmitted = object.map { root in root.members.contains { omitted.contains($0.name.string ?? "") } } ?? false
        if let object, !holdsOmitted, pairs.allSatisfy({ omitted.contains($0.name) }) { return DeliveryFields(root: object) }
        return DeliveryFields(root: try Self.merged(pairs, object, omitted))
    }

    private static func merged(
        _ pairs: [(name: String, value: String)], _ object: JSONNode?, _ omitted: Set<String>
    ) throws -> JSONNode {
        var seen = omitted
        var json = JSONWriter(capacity: 256)
        json.beginObject()
        if let object {
            for member in object.members {
                guard let name = member.name.string, seen.insert(name).inserted else { continue }
                json.key(name)
                json.value(json: member.value.jsonBytes)
            }
        }
        // The last of equal names counts; the others keep their order.
        for pair in pairs.reversed().filter({ seen.insert($0.name).inserted }).reversed() {
            json.key(pair.name)
            json.value(pair.value)
        }
        json.endObject()
        return try JSONDocument(json.bytes).root
    }
}

/// What a delivery says, by field name.
public struct DeliveryFields: Sendable {
    /// All fields as one JSON object: the record's `raw`.
    public let root: JSONNode

    /// The first of the names that has a value: not absent, not null, not empty, no unresolved `[token]`.
    public func first(_ names: StaticString...) -> JSONNode? {
        for name in names {
            if let node = root[name], node.isPresent { return node }
        }
        return nil
    }

    /// The first of the names as plain text.
    public func text(_ names: StaticString...) -> String? {
        for name in names {
            if let node = root[name], node.isPresent, let text = node.scalarText { return text }
        }
        return nil
    }
}

extension JSONNode {
    /// The first of an object's members that has a value; where none has, the first that is there without one, so that it
    /// clears its field where the row's coverage says so.
    public func first(_ names: StaticString...) -> JSONNode? {
        var empty: JSONNode?
        for name in names {
            guard let node = self[name] else { continue }
            if node.isPresent { return node }
            empty = empty ?? node
        }
        return empty
    }

    /// Whether there is something: not null, not empty or blank text, not a token the sender left unresolved (`[x]`).
    public var isPresent: Bool {
        switch kind {
        case .null: return false
        case .string:
            let text = rawBytes
            guard let first = text.first, let last = text.last else { return false }
            if first == UInt8(ascii: "["), last == UInt8(ascii: "]") { return false }
            return first != 0x20 || text.contains { $0 != 0x20 }
        default: return true
        }
    }
}
