// berth.toml as a flat list of dotted names with values and lines. TOMLKit reads it; it does not say on which line a
// value stands, so lines are found by a second look at the text.

import BerthModel
import Foundation
import TOMLKit

/// A configuration file read.
struct ConfigurationFile {
    struct Entry {
        let name: String
        let value: Result<Setting.Value, SettingProblem>
    }

    let path: String
    let entries: [Entry]
    private let lines: [Substring]

    init(path: String) throws(BerthError) {
        self.path = path
        let text: String
        do { text = try String(contentsOfFile: path, encoding: .utf8) } catch {
            throw BerthError(
                "configuration_unreadable", "\(path) can't be read: \(error.localizedDescription)",
                hint: "check that it exists, is UTF-8, and that the daemon's user may read it")
        }
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let table: TOMLTable
        do { table = try TOMLTable(string: text) } catch let error as TOMLParseError {
            throw BerthError(
                "configuration_invalid", "\(path):\(error.source.begin.line): \(error.description)", hint: "the file must be TOML 1.0")
        } catch {
            throw BerthError("configuration_invalid", "\(path): \(error)", hint: "the file must be TOML 1.0")
        }
        entries = table.keys.sorted().flatMap { section -> [Entry] in
            guard let inner = table[section]?.table else { return [Entry(name: section, value: .failure(.init("belongs in a section")))] }
            return inner.keys.sorted().map { Entry(name: "\(section).\($0)", value: Self.value(inner[$0])) }
        }
    }

    /// `file:line` of a setting.
    func place(of name: String) -> String {
        let parts = name.split(separator: ".", maxSplits: 1)
        var section: Substring = ""
        for (index, line) in lines.enumerated() {
            let line = line.drop(while: \.isWhitespace)
            if line.hasPrefix("["), let end = line.firstIndex(of: "]") {
                section = line[line.index(after: line.startIndex)..<end]
                if parts.count == 1, section == parts[0] { return "\(path):\(index + 1)" }
            } else if let equals = line.firstIndex(of: "="), section == (parts.count == 2 ? parts[0] : ""),
                String(line[..<equals]).trimmed == parts.last.map(String.init)
            {
                return "\(path):\(index + 1)"
            }
        }
        return path
    }

    private static func value(_ node: (any TOMLValueConvertible)?) -> Result<Setting.Value, SettingProblem> {
        guard let node else { return .failure(.init("has no value")) }
        if let text = node.string { return .success(.text(text)) }
        if let flag = node.bool { return .success(.boolean(flag)) }
        if let number = node.int { return .success(.integer(number)) }
        if let array = node.array {
            var texts: [String] = []
            for index in 0..<array.count {
                guard let text = array[index].string else { return .failure(.init("a list that holds something else than texts")) }
                texts.append(text)
            }
            return .success(.list(texts))
        }
        return .failure(.init("a value of a type no setting has"))
    }
}
