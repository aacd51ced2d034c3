// Request bodies read strictly: Foundation's decoder takes duplicate names, trailing commas and unknown members, so the
// text is checked before it is decoded.

public import BerthModel
import FoundationEssentials

/// Reads request bodies.
public enum StrictJSON {
    /// Decodes a body; an error names the member's path and the nearest right name.
    public static func decode<Body: RequestBody>(_ type: Body.Type, from bytes: [UInt8]) throws(BerthError) -> Body {
        let document = try parse(bytes)
        guard document.root.kind == .object else { throw BerthError(.invalid, "the body must be a JSON object") }
        try check(document.root, path: "", allowed: Body.members)
        do { return try JSONDecoder().decode(Body.self, from: Data(bytes)) } catch let error as DecodingError {
            throw BerthError(.invalid, unreadableNumber(error, document.root) ?? describe(error))
        } catch { throw BerthError(.invalid, "\(error)") }
    }

    /// Checks that a body is one JSON value without duplicate names, at most 32 levels deep.
    public static func parse(_ bytes: [UInt8]) throws(BerthError) -> JSONDocument {
        do { return try JSONDocument(bytes, limits: .init(depth: 32, allowsDuplicateKeys: false)) } catch {
            throw BerthError(
                .invalid, "the body is not valid JSON: \(error)", hint: "send one JSON object, UTF-8, without a byte order mark")
        }
    }

    private static func check(_ node: JSONNode, path: String, allowed: [String]) throws(BerthError) {
        for (name, value) in node.members {
            let member = path.isEmpty ? name.string ?? "" : "\(path).\(name.string ?? "")"
            let parent = path.isEmpty ? "" : wildcard(path, allowed) + "."
            let pattern = allowed.contains(parent + (name.string ?? "")) ? parent + (name.string ?? "") : parent + "*"
            guard allowed.contains(pattern) else {
                let siblings = allowed.filter { $0.hasPrefix(parent) && !$0.dropFirst(parent.count).contains(".") }
                    .map { String($0.dropFirst(parent.count)) }
                let nearest = NearestName.of(name.string ?? "", among: siblings).map { "; did you mean '\($0)'?" } ?? ""
                throw BerthError(.invalid, "'\(member)' is not known here\(nearest)", hint: "known: \(siblings.joined(separator: ", "))")
            }
            let goesDeeper = allowed.contains { $0.hasPrefix(pattern + ".") }
            if goesDeeper, value.kind == .object { try check(value, path: member, allowed: allowed) }
        }
    }

    /// The allowed pattern that a path follows.
    private static func wildcard(_ path: String, _ allowed: [String]) -> String {
        var pattern = ""
        for part in path.split(separator: ".") {
            let prefix = pattern.isEmpty ? "" : pattern + "."
            let isNamed = allowed.contains { $0 == prefix + part || $0.hasPrefix(prefix + part + ".") }
            pattern = prefix + (isNamed ? String(part) : "*")
        }
        return pattern
    }

    /// The decoder says neither where nor what when a number does not fit its member; all members that are numbers are whole ones.
    private static func unreadableNumber(_ error: DecodingError, _ root: JSONNode) -> String? {
        guard case .dataCorrupted(let context) = error, context.codingPath.isEmpty, let name = fraction(in: root, path: "") else {
            return nil
        }
        return "'\(name)' must be a whole number"
    }

    private static func fraction(in node: JSONNode, path: String) -> String? {
        for (name, value) in node.members {
            let member = path.isEmpty ? name.string ?? "" : "\(path).\(name.string ?? "")"
            // Settings are the plugin's and may hold any number.
            if member == "settings" { continue }
            if value.kind == .number, value.int64 == nil { return member }
            if let inner = fraction(in: value, path: member) { return inner }
        }
        return nil
    }

    private static func describe(_ error: DecodingError) -> String {
        func path(_ context: DecodingError.Context) -> String {
            context.codingPath.map(\.stringValue).joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let context):
            return "'\((context.codingPath.map(\.stringValue) + [key.stringValue]).joined(separator: "."))' is required"
        case .typeMismatch(let type, let context): return "'\(path(context))' must be \(name(type))"
        case .valueNotFound(let type, let context): return "'\(path(context))' must be \(name(type)), not null"
        case .dataCorrupted(let context): return "'\(path(context))': \(context.debugDescription)"
        @unknown default: return "\(error)"
        }
    }

    private static func name(_ type: any Any.Type) -> String {
        switch type {
        case is String.Type: "text"
        case is Int.Type, is Int64.Type: "a whole number"
        case is Bool.Type: "true or false"
        default: "\(type)".hasPrefix("Array") ? "a list" : "\(type)".hasPrefix("Dictionary") ? "an object" : "a \(type)"
        }
    }
}
