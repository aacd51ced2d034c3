// What every command does: ask, show as table or JSON, end with the right code.

import ArgumentParser
import BerthModel
import Foundation

/// Options of every command.
struct SessionOptions: ParsableArguments {
    @Option(help: "Path of the control socket; also BERTH_CONTROL_SOCKET.")
    var socket: String = ProcessInfo.processInfo.environment["BERTH_CONTROL_SOCKET"] ?? "/run/berth/control.sock"

    @Option(name: [.short, .long], help: "table or json. JSON is stable and meant for scripts.")
    var output: OutputFormat = .table
}

/// How answers are shown.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable { case table, json }

/// One command's conversation with the daemon.
struct Session {
    let options: SessionOptions
    var client: UnixHTTPClient { UnixHTTPClient(socketPath: options.socket) }

    /// Runs a command's body; errors go to standard error with their hint.
    static func run(_ options: SessionOptions, _ body: (Session) throws -> Void) throws {
        do {
            try body(Session(options: options))
            try Output.flush()
        } catch let exit as Exit {
            var text = "berthctl: \(Terminal.safe(exit.message))\n"
            if let hint = exit.hint { text += "hint: \(Terminal.safe(hint))\n" }
            FileHandle.standardError.write(Data(text.utf8))
            throw ExitCode(exit.code)
        }
    }

    /// An answer, and the text it was read from.
    struct Answer {
        let value: JSONValue
        let text: String
    }

    /// Asks; every other answer than a JSON object, or than none where there is none to give (204), ends the command.
    func ask(_ method: String, _ target: String, _ body: JSONValue? = nil) throws -> JSONValue {
        try answer(method, target, body).value
    }

    /// As `ask`.
    func answer(_ method: String, _ target: String, _ body: JSONValue? = nil) throws -> Answer {
        let answer = try client.send(method, target, body: body.map { Array($0.text.utf8) })
        guard (200..<300).contains(answer.status) || (answer.status == 503 && target == "/v1/health") else {
            throw Exit.refused(answer.status, answer.body)
        }
        if answer.status == 204 { return Answer(value: .null, text: "null") }
        // An original is as deep as the daemon reads, and the answer around it deeper. What exactly is wrong helps nobody here.
        guard let document = try? JSONDocument(answer.body, limits: .init(depth: 160)) else { throw Exit.protocolError("it is no JSON") }
        let value = JSONValue(document.root)
        guard case .object = value else { throw Exit.protocolError("it is no JSON object") }
        return Answer(value: value, text: String(decoding: answer.body, as: UTF8.self))
    }

    /// Shows records: as JSON the answer as it came, since their originals are as their providers wrote them.
    func show(list: Answer, _ columns: [(heading: String, path: String)]) throws {
        guard options.output == .table else { return Output.print(list.text) }
        try show(list: list.value, columns)
    }

    /// Shows one record, likewise.
    func show(_ record: Answer) {
        guard options.output == .table else { return Output.print(record.text) }
        show(record.value)
    }

    /// Shows a list as a table of these columns: heading and member path.
    func show(list: JSONValue, _ columns: [(heading: String, path: String)]) throws {
        guard case .array(let items)? = list["items"] else { throw Exit.protocolError("it is no list") }
        guard options.output == .table else { return Output.print(list.text) }
        guard !items.isEmpty else { return Output.print("none") }
        var table = Table(columns.map(\.heading))
        table.rows = items.map { item in columns.map { item.cell($0.path) } }
        Output.print(table.text(width: Terminal.width))
        if let next = list["next"]?.stringValue { Output.print("more: --cursor \(next)") }
    }

    /// Shows one thing.
    func show(_ value: JSONValue) {
        Output.print(options.output == .json ? value.text : value.lines().joined(separator: "\n"))
    }

    /// Says something to the person, beside the answer that a script may read.
    static func tell(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    /// Percent-encodes a path segment or query value.
    static func encoded(_ text: String) -> String {
        var out = ""
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: out.unicodeScalars.append(UnicodeScalar(byte))
            default:
                let hex = String(byte, radix: 16, uppercase: true)
                out += "%" + (hex.count == 1 ? "0" : "") + hex
            }
        }
        return out
    }

    /// A query of those fields that have a value.
    static func query(_ fields: [(String, String?)]) -> String {
        let parts = fields.compactMap { name, value in value.map { "\(encoded(name))=\(encoded($0))" } }
        return parts.isEmpty ? "" : "?" + parts.joined(separator: "&")
    }

    /// A value that is secret: like `value`, with a word about arguments where it is given as text.
    static func secret(_ text: String, option: String) throws -> String {
        if !text.hasPrefix("@") {
            tell(
                "berthctl: \(option): a secret in an argument list can be read by other users of this machine and stays in the shell's history; "
                    + "give @FILE, or @- for standard input")
        }
        return try value(text)
    }

    /// A value given as text, or as `@FILE`, or `@-` for standard input; a trailing newline of a file is cut.
    static func value(_ text: String) throws -> String {
        guard text.hasPrefix("@") else { return text }
        let path = String(text.dropFirst())
        guard let data = path == "-" ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: path) else {
            throw Exit(
                code: 66, message: "the file \(path) can't be read", hint: "secrets are read from files: --credential token=@/path/to/file")
        }
        guard var value = String(validating: data, as: UTF8.self) else {
            throw Exit(
                code: 65, message: "what \(path == "-" ? "standard input" : path) holds is no text", hint: "secrets are given as UTF-8 text"
            )
        }
        while value.hasSuffix("\n") || value.hasSuffix("\r") { value.removeLast() }
        return value
    }

    /// `name=value` options as members.
    static func members(_ pairs: [String], option: String, areSecret: Bool = false) throws -> [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        guard pairs.count(where: { $0.hasSuffix("=@-") }) < 2 else {
            throw Exit.usage("\(option): standard input is read once; give @FILE for the others")
        }
        for pair in pairs {
            guard let equals = pair.firstIndex(of: "="), equals > pair.startIndex else {
                throw Exit.usage("\(option) \(pair): expected NAME=VALUE")
            }
            let (name, text) = (String(pair[..<equals]), String(pair[pair.index(after: equals)...]))
            guard members[name] == nil else { throw Exit.usage("\(option) \(name) is given twice") }
            members[name] = .string(try areSecret ? secret(text, option: "\(option) \(name)") : value(text))
        }
        return members
    }
}
