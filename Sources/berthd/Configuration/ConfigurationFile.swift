// berth.toml as a flat list of dotted names with values and lines. TOMLKit reads it; it does not say on which line a
// value stands, so lines are found by a second look at the text.

import BerthModel
import BerthPlugins
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
        var info = stat()
        // A pipe would hold the start for ever; whether the file is there the reading says.
        if stat(path, &info) == 0, info.st_mode & S_IFMT != S_IFREG {
            throw BerthError("configuration_unreadable", "\(path) is no regular file", hint: "name a TOML file: --config FILE")
        }
        let text: String
        do { text = try String(contentsOfFile: path, encoding: .utf8) } catch {
            throw BerthError(
                "configuration_unreadable", "\(path) can't be read: \(error.localizedDescription)",
                hint: "check that it exists, is UTF-8, and that the daemon's user may read it")
        }
        if let problem = TOMLGuard.problem(in: text) {
            throw BerthError("configuration_invalid", "\(path):\(problem.line): \(problem.reason)", hint: "the file must be TOML 1.0")
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
            guard let inner = table[section]?.table else { return [Entry(name: section, value: .failure(Self.homeless(section)))] }
            if section == "workspaces" { return Self.workspaces(inner) }
            if inner.keys.isEmpty, !Setting.all.contains(where: { $0.section == section }) {
                return [Entry(name: section, value: .failure(.init("there is no such section\(Setting.nearestSection(section))")))]
            }
            return inner.keys.sorted().map { Entry(name: "\(section).\($0)", value: Self.value(inner[$0])) }
        }
    }

    /// `[workspaces.acme.egress]`: the only tables within tables.
    private static func workspaces(_ table: TOMLTable) -> [Entry] {
        table.keys.sorted().flatMap { workspace -> [Entry] in
            let name = "workspaces.\(workspace)"
            guard let parts = table[workspace]?.table else {
                return [Entry(name: name, value: .failure(.init("a workspace has tables: [\(name).egress]")))]
            }
            return parts.keys.sorted().flatMap { part -> [Entry] in
                guard let inner = parts[part]?.table else {
                    let meant = Setting.nearest("\(name).egress.\(part)").map { "; did you mean '\($0)'?" } ?? ""
                    return [Entry(name: "\(name).\(part)", value: .failure(.init("a workspace has tables: [\(name).egress]\(meant)")))]
                }
                guard part == "egress" else {
                    return [
                        Entry(name: "\(name).\(part)", value: .failure(.init("there is no such section; did you mean [\(name).egress]?")))
                    ]
                }
                return inner.keys.sorted().map { Entry(name: "\(name).egress.\($0)", value: value(inner[$0])) }
            }
        }
    }

    /// `file:line` of a setting, of the table that holds it, or just the file.
    func place(of name: String) -> String {
        var section = ""
        var nearest: Int?
        for (index, line) in lines.enumerated() {
            let line = line.drop(while: \.isWhitespace)
            let found: String
            if line.hasPrefix("["), let end = line.lastIndex(of: "]") {
                section = Self.plain(line[..<end].drop { $0 == "[" })
                found = section
            } else if !line.hasPrefix("#"), let equals = line.firstIndex(of: "=") {
                let key = Self.plain(line[..<equals])
                found = section.isEmpty ? key : "\(section).\(key)"
            } else {
                continue
            }
            if found == name { return "\(path):\(index + 1)" }
            if name.hasPrefix(found + ".") || found.hasPrefix(name + ".") { nearest = nearest ?? index + 1 }
        }
        return nearest.map { "\(path):\($0)" } ?? path
    }

    /// A key without quotes and blanks.
    private static func plain(_ key: some StringProtocol) -> String {
        String(key.filter { !$0.isWhitespace && $0 != "\"" && $0 != "'" && $0 != "]" })
    }

    private static func homeless(_ key: String) -> SettingProblem {
        let home = Setting.all.first { $0.key == key }.map { "; did you mean \(key) below [\($0.section)]?" }
        return .init("stands outside of a section\(home ?? Setting.nearestSection(key))")
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
        return .failure(.init(node.table == nil ? "a value of a type no setting has" : "a table where one value is expected"))
    }
}
