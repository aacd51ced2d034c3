// Tables for people: columns as wide as needed, cut to the terminal; text from outside shown without control characters.

import BerthModel
import Glibc

/// A table.
struct Table {
    let headings: [String]
    var rows: [[String]] = []

    init(_ headings: [String]) { self.headings = headings }

    /// The lines. On a terminal the last column is cut to its width; elsewhere nothing is cut.
    func text(width: Int?) -> String {
        let all = [headings] + rows
        let widths = headings.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.enumerated().map { number, row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
            }
            if let width, line.count > width { line = String(line.prefix(max(1, width - 1))) + "…" }
            return number == 0 && Terminal.hasColor ? "\u{1B}[1m\(line)\u{1B}[0m" : line
        }.joined(separator: "\n")
    }
}

/// The terminal at standard output.
enum Terminal {
    static let isTerminal = isatty(1) == 1
    static let hasColor = isTerminal && getenv("NO_COLOR") == nil
    static var width: Int? {
        guard isTerminal else { return nil }
        var size = winsize()
        guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Text that may come from a provider, safe to show.
    static func safe(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isHarmful =
                scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x200E...0x200F).contains(scalar.value)
                || (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
            out.append(isHarmful ? "?" : scalar)
        }
        return String(out)
    }
}

extension JSONValue {
    /// A cell's text.
    var cell: String {
        switch self {
        case .null: "-"
        case .string(let text): Terminal.safe(text)
        case .array(let values): values.map(\.cell).joined(separator: ",")
        case .object, .bool, .integer, .number, .verbatim: Terminal.safe(text)
        }
    }

    /// What a path such as `counts.created` leads to, as a cell.
    func cell(_ path: String) -> String {
        var value: JSONValue? = self
        for part in path.split(separator: ".") { value = value?[String(part)] }
        return value?.cell ?? "-"
    }

    private var pair: String {
        guard case .array(let parts) = self, parts.count == 2 else { return cell }
        return "\(parts[0].cell): \(parts[1].cell)"
    }

    /// Members as lines, nested ones indented.
    func lines(indent: String = "") -> [String] {
        guard case .object(let members) = self else { return [indent + cell] }
        return members.sorted { $0.key < $1.key }.flatMap { name, value -> [String] in
            switch value {
            case .object(let inner) where !inner.isEmpty: ["\(indent)\(Terminal.safe(name)):"] + value.lines(indent: indent + "  ")
            case .array(let values) where values.contains { if case .object = $0 { true } else { false } }:
                ["\(indent)\(Terminal.safe(name)):"] + values.map { "\(indent)  - \($0.cell)" }
            // Such as headers: a name and a value each.
            case .array(let values) where values.contains { if case .array = $0 { true } else { false } }:
                ["\(indent)\(Terminal.safe(name)):"] + values.map { "\(indent)  \($0.pair)" }
            default: ["\(indent)\(Terminal.safe(name)): \(value.cell)"]
            }
        }
    }
}
