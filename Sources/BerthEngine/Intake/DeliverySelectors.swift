// Finds the values a manifest points to in a delivery. Never an error: a body that is not what the selector expects
// gives no value, and the delivery is kept raw all the same.

import BerthModel

/// Evaluates selectors on one delivery; the body is parsed at most once, and only when a selector asks for it.
struct DeliverySelectors {
    private let delivery: RawDelivery
    private var body = Body.unread

    private enum Body {
        case unread
        case notJSON
        case document(JSONDocument)
    }

    init(_ delivery: RawDelivery) { self.delivery = delivery }

    /// The value of the first alternative that has one. Empty text, JSON null, objects and arrays are no value.
    mutating func value(_ alternatives: [ValueSelector]) -> String? {
        for selector in alternatives {
            if let value = value(of: selector), !value.isEmpty { return value }
        }
        return nil
    }

    private mutating func value(of selector: ValueSelector) -> String? {
        switch selector {
        case .header(let name): return delivery.header(name)
        case .query(let name):
            var query = delivery.query
            return query.withUTF8 { FormFields.value(of: name, in: $0) }
        case .form(let name):
            guard takesForm else { return nil }
            return delivery.body.withUnsafeBufferPointer { FormFields.value(of: name, in: $0) }
        case .json(let pointer): return document().flatMap { Self.node(at: pointer, in: $0.root) }?.scalarText
        case .constant(let text): return text
        }
    }

    /// What a pointer leads to. The walk over bytes costs a third of the general one, which escaped pointers get.
    private static func node(at pointer: String, in root: JSONNode) -> JSONNode? {
        guard pointer.utf8.first == UInt8(ascii: "/"), !pointer.utf8.contains(UInt8(ascii: "~")) else { return root.at(pointer) }
        var node = root
        var rest = pointer.utf8.dropFirst()
        while true {
            let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            let name = String(Substring(rest[..<end]))
            let next = node.kind == .array ? Int(name).flatMap { node[$0] } : node[member: name]
            guard let next else { return nil }
            guard end < rest.endIndex else { return next }
            node = next
            rest = rest[rest.index(after: end)...]
        }
    }

    /// Forms say what they are, or nothing at all.
    private var takesForm: Bool {
        guard let type = delivery.header("content-type") else { return true }
        return type.lowercased().hasPrefix("application/x-www-form-urlencoded")
    }

    private mutating func document() -> JSONDocument? {
        if case .unread = body {
            do throws(JSONError) { body = .document(try JSONDocument(delivery.body)) } catch { body = .notJSON }
        }
        if case .document(let document) = body { return document }
        return nil
    }
}
