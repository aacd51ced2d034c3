// `berthctl --socket PATH NOUN VERB`: what holds for every command may stand before it. The parser knows options of the command
// that runs only, so they are moved behind it.

/// Options that may stand first.
enum GlobalOptions {
    private static let names: Set<String> = ["--socket", "--output", "-o"]

    /// The arguments with leading `--socket PATH` and `--output FORMAT` at their end, before a `--`.
    static func moved(_ arguments: [String]) -> [String] {
        var rest = arguments[...]
        var leading: [String] = []
        while let first = rest.first {
            if names.contains(first), rest.count >= 2 {
                leading += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else if let equals = first.firstIndex(of: "="), names.contains(String(first[..<equals])) {
                leading.append(first)
                rest = rest.dropFirst()
            } else {
                break
            }
        }
        // With nothing behind them they stay: the parser says what is missing.
        guard !leading.isEmpty, !rest.isEmpty else { return arguments }
        let end = rest.firstIndex(of: "--") ?? rest.endIndex
        return rest[..<end] + leading + rest[end...]
    }
}
