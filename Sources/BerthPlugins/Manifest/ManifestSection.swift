// One table of the manifest, read key by key. Every refusal names file, line, key, the value found and what would be right.

import BerthModel

/// A table and its place.
struct ManifestSection {
    let source: ManifestSource
    /// `webhook.hmac`, `streams[0]`; empty for the file itself.
    let path: String
    let members: [String: ManifestNode]

    /// A table that may hold these keys and no other.
    init(_ source: ManifestSource, path: String, members: [String: ManifestNode], keys: [String]) throws(BerthError) {
        self.source = source
        self.path = path
        self.members = members
        for key in members.keys.sorted() where !keys.contains(key) {
            let meant = NearestName.of(key, among: keys)
            throw BerthError(
                "manifest_invalid", "\(source.place(of: Self.join(path, key))): there is no such key",
                hint: meant.map { "did you mean \($0)?" } ?? "known keys here: \(keys.joined(separator: ", "))")
        }
    }

    private static func join(_ path: String, _ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// A refusal about one key.
    func refusal(_ key: String, _ message: String, hint: String? = nil) -> BerthError {
        BerthError("manifest_invalid", "\(source.place(of: Self.join(path, key))): \(message)", hint: hint ?? "see docs/manifest.md")
    }

    private func wrongType(_ key: String, _ node: ManifestNode, _ expected: String) -> BerthError {
        refusal(key, "\(node.shown) stands where \(expected) belongs")
    }

    // MARK: Scalars

    /// A text, or nil when the key is absent. Texts end in headers, in logs and on terminals: none has control characters, and only
    /// where `lines` says so more than one line.
    func text(_ key: String, max: Int = 4096, lines: Bool = false) throws(BerthError) -> String? {
        guard let node = members[key] else { return nil }
        guard case .string(let text) = node else { throw wrongType(key, node, "a text") }
        guard text.utf8.count <= max else { throw refusal(key, "the text has \(text.utf8.count) bytes, \(max) are allowed") }
        if let scalar = text.unicodeScalars.first(where: { Self.isControl($0) && !(lines && "\t\n\r".unicodeScalars.contains($0)) }) {
            throw refusal(
                key, "the control character U+\(String(scalar.value + 0x10000, radix: 16, uppercase: true).dropFirst()) stands in the text",
                hint: "leave it out")
        }
        return text
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) }

    /// The name of a header, in lower case; nil when the key is absent.
    func headerName(_ key: String) throws(BerthError) -> String? {
        guard let text = try text(key, max: 128)?.lowercased() else { return nil }
        guard HeaderName.isName(text) else {
            throw refusal(key, "\"\(text.prefix(80))\" is not a header's name", hint: "such as X-Signature")
        }
        return text
    }

    /// A text that must be there and not be empty.
    func requiredText(_ key: String, max: Int = 4096) throws(BerthError) -> String {
        guard let text = try text(key, max: max), !text.isEmpty else { throw refusal(key, "is required and missing or empty") }
        return text
    }

    /// A whole number within a range.
    func integer(_ key: String, in range: ClosedRange<Int>) throws(BerthError) -> Int? {
        guard let node = members[key] else { return nil }
        guard case .integer(let value) = node else { throw wrongType(key, node, "a whole number") }
        guard range.contains(value) else { throw refusal(key, "\(value) is outside \(range.lowerBound) to \(range.upperBound)") }
        return value
    }

    /// A finite number.
    func number(_ key: String) throws(BerthError) -> Double? {
        guard let node = members[key] else { return nil }
        switch node {
        case .integer(let value): return Double(value)
        case .number(let value) where value.isFinite: return value
        default: throw wrongType(key, node, "a number")
        }
    }

    /// True or false.
    func bool(_ key: String) throws(BerthError) -> Bool? {
        guard let node = members[key] else { return nil }
        guard case .bool(let value) = node else { throw wrongType(key, node, "true or false") }
        return value
    }

    /// A list of texts.
    func texts(_ key: String, max: Int = 64) throws(BerthError) -> [String]? {
        guard let node = members[key] else { return nil }
        guard case .array(let nodes) = node else { throw wrongType(key, node, "a list of texts") }
        guard nodes.count <= max else { throw refusal(key, "\(nodes.count) entries, \(max) are allowed") }
        var texts: [String] = []
        for node in nodes {
            guard case .string(let text) = node else { throw wrongType(key, node, "a text in the list") }
            texts.append(text)
        }
        return texts
    }

    /// One of the raw values of an enumeration.
    func choice<Value: RawRepresentable<String>>(_ key: String, _ choices: [Value]) throws(BerthError) -> Value? {
        guard let text = try text(key) else { return nil }
        guard let value = choices.first(where: { $0.rawValue == text }) else { throw unknownChoice(key, text, choices.map(\.rawValue)) }
        return value
    }

    /// The refusal of a text that is none of the choices.
    func unknownChoice(_ key: String, _ text: String, _ choices: [String]) -> BerthError {
        let meant = NearestName.of(text, among: choices)
        return refusal(
            key, "\"\(text.prefix(80))\" is not one of \(choices.joined(separator: ", "))", hint: meant.map { "did you mean \($0)?" })
    }

    /// A checked name.
    func name<Kind>(_ key: String, as type: Name<Kind>.Type = Name<Kind>.self) throws(BerthError) -> Name<Kind> {
        let text = try requiredText(key)
        guard let name = Name<Kind>(text) else {
            throw refusal(
                key, "\"\(text.prefix(80))\" is not a name", hint: "1 to 64 of a-z, 0-9, '-' and '_', beginning with a letter or digit")
        }
        return name
    }

    /// Selector alternatives.
    func selectors(_ key: String, _ text: String) throws(BerthError) -> [ValueSelector] {
        guard let selectors = ValueSelector.alternatives(text) else {
            throw refusal(
                key, "\"\(text.prefix(80))\" is not a selector",
                hint: "header:NAME, query:NAME, form:NAME, json:/pointer or constant:TEXT, alternatives joined by |")
        }
        return selectors
    }

    // MARK: Tables

    /// A table below this one, or nil when absent.
    func section(_ key: String, keys: [String]) throws(BerthError) -> ManifestSection? {
        guard let node = members[key] else { return nil }
        guard case .table(let inner) = node else { throw wrongType(key, node, "a table") }
        return try ManifestSection(source, path: Self.join(path, key), members: inner, keys: keys)
    }

    /// Tables by free names below this one.
    func namedSections(_ key: String, keys: [String]) throws(BerthError) -> [(name: String, section: ManifestSection)] {
        guard let node = members[key] else { return [] }
        guard case .table(let inner) = node else { throw wrongType(key, node, "a table") }
        var sections: [(name: String, section: ManifestSection)] = []
        for name in inner.keys.sorted() {
            guard let node = inner[name] else { continue }
            guard case .table(let members) = node else {
                throw refusal("\(key).\(name)", "\(node.shown) stands where a table belongs")
            }
            sections.append((name, try ManifestSection(source, path: Self.join(path, "\(key).\(name)"), members: members, keys: keys)))
        }
        return sections
    }

    /// A list of tables.
    func sections(_ key: String, keys: [String], max: Int = 256) throws(BerthError) -> [ManifestSection] {
        guard let node = members[key] else { return [] }
        guard case .array(let nodes) = node else { throw wrongType(key, node, "a list of tables") }
        guard nodes.count <= max else { throw refusal(key, "\(nodes.count) entries, \(max) are allowed") }
        var sections: [ManifestSection] = []
        for (index, node) in nodes.enumerated() {
            guard case .table(let members) = node else { throw wrongType(key, node, "a table in the list") }
            sections.append(try ManifestSection(source, path: Self.join(path, "\(key)[\(index)]"), members: members, keys: keys))
        }
        return sections
    }
}
