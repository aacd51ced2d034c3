// The text of a plugin.toml as a tree of plain values, and where in the text each of them stands. TOMLKit reads the
// values; it does not say on which line they stand, so lines are found by a second look at the text.

import BerthModel
import Foundation
import TOMLKit

/// A value of the file.
enum ManifestNode {
    case string(String)
    case integer(Int)
    case number(Double)
    case bool(Bool)
    case array([ManifestNode])
    case table([String: ManifestNode])
    case other(String)

    /// How errors call it.
    var typeName: String {
        switch self {
        case .string: "a text"
        case .integer: "a whole number"
        case .number: "a number"
        case .bool: "true or false"
        case .array: "a list"
        case .table: "a table"
        case .other(let name): "a \(name)"
        }
    }

    /// The value as errors show it.
    var shown: String {
        switch self {
        case .string(let text): "\"\(text.prefix(80))\""
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .bool(let value): "\(value)"
        case .array, .table, .other: typeName
        }
    }

    fileprivate init(_ value: any TOMLValueConvertible) {
        switch value.type {
        case .string: self = .string(value.string ?? "")
        case .int: self = .integer(value.int ?? 0)
        case .double: self = .number(value.double ?? 0)
        case .bool: self = .bool(value.bool ?? false)
        case .array:
            guard let array = value.array else { self = .array([]); return }
            self = .array((0..<array.count).map { ManifestNode(array[$0]) })
        case .table:
            guard let table = value.table else { self = .table([:]); return }
            self = .table(Self.members(table))
        case .date: self = .other("date")
        case .time: self = .other("time")
        case .dateTime: self = .other("date and time")
        }
    }

    fileprivate static func members(_ table: TOMLTable) -> [String: ManifestNode] {
        var members: [String: ManifestNode] = [:]
        for key in table.keys { if let value = table[key] { members[key] = ManifestNode(value) } }
        return members
    }
}

/// One file.
struct ManifestSource {
    /// Named in errors.
    let path: String
    let root: [String: ManifestNode]
    private let places: [(path: String, line: Int)]

    /// Bytes a manifest may have.
    static let bytesMax = 1 << 20

    init(path: String, text: String) throws(BerthError) {
        self.path = path
        if let problem = TOMLGuard.problem(in: text) {
            throw BerthError("manifest_invalid", "\(path):\(problem.line): \(problem.reason)", hint: "the manifest must be TOML 1.0")
        }
        do { root = ManifestNode.members(try TOMLTable(string: text)) } catch let error as TOMLParseError {
            throw BerthError(
                "manifest_invalid", "\(path):\(error.source.begin.line): \(error.description)", hint: "the manifest must be TOML 1.0")
        } catch {
            throw BerthError("manifest_invalid", "\(path): \(error)", hint: "the manifest must be TOML 1.0")
        }
        places = Self.places(in: text)
    }

    /// `file:line: key`, or `file: key` where the line is not known.
    func place(of key: String) -> String {
        let best = places.filter { key == $0.path || key.hasPrefix($0.path + ".") || key.hasPrefix($0.path + "[") }
            .max { $0.path.utf8.count < $1.path.utf8.count || ($0.path.utf8.count == $1.path.utf8.count && $0.line > $1.line) }
        return best.map { "\(path):\($0.line): \(key)" } ?? "\(path): \(key)"
    }

    private static func places(in text: String) -> [(path: String, line: Int)] {
        var section = ""
        var counts: [String: Int] = [:]
        var places: [(path: String, line: Int)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.drop(while: \.isWhitespace)
            if line.hasPrefix("[["), let end = line.firstRange(of: "]]") {
                let name = String(line[line.index(line.startIndex, offsetBy: 2)..<end.lowerBound]).filter { $0 != " " }
                section = "\(name)[\(counts[name, default: 0])]"
                counts[name, default: 0] += 1
                places.append((section, index + 1))
            } else if line.hasPrefix("["), let end = line.firstIndex(of: "]") {
                section = String(line[line.index(after: line.startIndex)..<end]).filter { $0 != " " && $0 != "\"" }
                places.append((section, index + 1))
            } else if let equals = line.firstIndex(of: "="), let first = line.first, first != "#", first != "{" {
                let key = line[..<equals].filter { $0 != " " && $0 != "\"" }
                places.append((section.isEmpty ? String(key) : "\(section).\(key)", index + 1))
            }
        }
        return places
    }
}
