// One value of a document, read when asked for.

/// A value. Cheap to copy; keeps its document alive.
public struct JSONNode: Sendable {
    let document: JSONDocument
    let index: Int

    private var entry: JSONEntry { document.tape[index] }

    /// What kind of value it is.
    public enum Kind: Sendable, Hashable { case null, bool, number, string, array, object }
    /// What kind of value it is.
    public var kind: Kind {
        switch entry.kind {
        case .null: .null
        case .bool: .bool
        case .number: .number
        case .string: .string
        case .array: .array
        case .object: .object
        }
    }

    /// Whether it is `null`.
    public var isNull: Bool { entry.kind == .null }
    /// A string's text, unescaped; nil for other kinds.
    public var string: String? {
        entry.kind == .string ? document.bytes.withUnsafeBufferPointer { JSONText.string($0, entry) } : nil
    }
    /// A boolean; nil for other kinds.
    public var bool: Bool? { entry.kind == .bool ? document.bytes[Int(entry.start)] == UInt8(ascii: "t") : nil }
    /// A number's text exactly as written; nil for other kinds.
    public var numberText: String? { entry.kind == .number ? String(decoding: rawBytes, as: UTF8.self) : nil }
    /// A whole number that fits; nil for fractions, exponents and other kinds.
    public var int64: Int64? {
        guard entry.kind == .number else { return nil }
        var value: Int64 = 0
        var isNegative = false
        for byte in rawBytes {
            if byte == UInt8(ascii: "-") {
                isNegative = true
                continue
            }
            guard byte &- 48 < 10 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowed) = product.subtractingReportingOverflow(Int64(byte - 48))
            guard !overflow, !overflowed else { return nil }
            value = sum
        }
        guard !isNegative else { return value }
        return value == .min ? nil : -value
    }
    /// A number, rounded to double; nil for other kinds.
    public var double: Double? { entry.kind == .number ? Double(String(decoding: rawBytes, as: UTF8.self)) : nil }
    /// The value's bytes in the original text; strings without their quotes, still escaped.
    public var rawBytes: ArraySlice<UInt8> { document.bytes[Int(entry.start)..<Int(entry.end)] }
    /// The value's bytes in the original text as a JSON text of its own.
    public var jsonBytes: ArraySlice<UInt8> {
        entry.kind == .string ? document.bytes[Int(entry.start) - 1..<Int(entry.end) + 1] : rawBytes
    }
    /// Whether a string holds backslashes, so that `rawBytes` differs from its text.
    public var isEscaped: Bool { entry.isEscaped }
    /// A scalar as plain text: strings unescaped, numbers as written, `true`, `false`; nil for null, arrays, objects.
    public var scalarText: String? {
        switch entry.kind {
        case .string: string
        case .number, .bool: String(decoding: rawBytes, as: UTF8.self)
        case .null, .array, .object: nil
        }
    }

    /// Elements of an array or members of an object; 0 for scalars.
    public var count: Int { Int(entry.count) }

    /// An object's member; nil when absent or not an object. Looks through the members in order.
    public subscript(key: StaticString) -> JSONNode? {
        find(UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
    }

    /// An object's member by a name made at run time.
    public subscript(member name: String) -> JSONNode? {
        var name = name
        return name.withUTF8 { find($0) }
    }

    /// An array's element; nil when there is none.
    public subscript(element: Int) -> JSONNode? {
        guard entry.kind == .array, element >= 0, element < count else { return nil }
        var at = index + 1
        for _ in 0..<element { at = Int(document.tape[at].next) }
        return JSONNode(document: document, index: at)
    }

    /// What a JSON pointer (RFC 6901) leads to; nil when nothing is there.
    public func at(_ pointer: String) -> JSONNode? {
        guard !pointer.isEmpty else { return self }
        guard pointer.hasPrefix("/") else { return nil }
        var node = self
        for part in pointer.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            let name = part.contains("~") ? Self.unescaped(part) : String(part)
            if node.entry.kind == .array {
                guard let element = Int(name), let next = node[element] else { return nil }
                node = next
            } else {
                guard let next = node[member: name] else { return nil }
                node = next
            }
        }
        return node
    }

    /// An array's elements in order; nothing for other kinds.
    public var elements: Elements { Elements(document: document, at: index + 1, left: entry.kind == .array ? count : 0) }
    /// An object's members in order; nothing for other kinds.
    public var members: Members { Members(document: document, at: index + 1, left: entry.kind == .object ? count : 0) }

    /// Elements in order.
    public struct Elements: Sequence, IteratorProtocol, Sendable {
        let document: JSONDocument
        var at: Int
        var left: Int
        /// The next element.
        public mutating func next() -> JSONNode? {
            guard left > 0 else { return nil }
            defer {
                at = Int(document.tape[at].next)
                left -= 1
            }
            return JSONNode(document: document, index: at)
        }
    }

    /// Members in order: the name as a string node, and the value.
    public struct Members: Sequence, IteratorProtocol, Sendable {
        let document: JSONDocument
        var at: Int
        var left: Int
        /// The next member.
        public mutating func next() -> (name: JSONNode, value: JSONNode)? {
            guard left > 0 else { return nil }
            defer {
                at = Int(document.tape[at + 1].next)
                left -= 1
            }
            return (JSONNode(document: document, index: at), JSONNode(document: document, index: at + 1))
        }
    }

    private func find(_ name: UnsafeBufferPointer<UInt8>) -> JSONNode? {
        guard entry.kind == .object else { return nil }
        return document.tape.withUnsafeBufferPointer { tape in
            document.bytes.withUnsafeBufferPointer { bytes in
                var at = index + 1
                for _ in 0..<tape[index].count {
                    let key = tape[at]
                    if Self.equals(bytes, key, name) { return JSONNode(document: document, index: at + 1) }
                    at = Int(tape[at + 1].next)
                }
                return nil
            }
        }
    }

    @inline(__always)
    private static func equals(_ bytes: UnsafeBufferPointer<UInt8>, _ key: JSONEntry, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
        if key.isEscaped { return JSONText.string(bytes, key).utf8.elementsEqual(name) }
        guard Int(key.end - key.start) == name.count else { return false }
        for index in 0..<name.count where bytes[Int(key.start) + index] != name[index] { return false }
        return true
    }

    private static func unescaped(_ part: Substring) -> String {
        var out = ""
        var iterator = part.makeIterator()
        while let character = iterator.next() {
            guard character == "~" else {
                out.append(character)
                continue
            }
            switch iterator.next() {
            case "0": out.append("~")
            case "1": out.append("/")
            case let other?: out.append("~\(other)")
            case nil: out.append("~")
            }
        }
        return out
    }
}
