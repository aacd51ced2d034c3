// TOMLKit's parser (toml++ 3) asserts where it should refuse: on a table header that does not begin with a key, and on some wrong
// dates and brackets. One wrong file would end the daemon. So headers are looked at before the parser sees them, and dates,
// which no file of Berth's has, are refused. Finds nothing else; the parser does the rest.

/// Looks for what the TOML parser cannot bear.
public enum TOMLGuard {
    /// The line of the first table header that does not begin with a key, of the first date or time outside a text, or of a bracket that
    /// closes nothing, and what is wrong; 1 is the first line. nil: none of them.
    public static func problem(in text: String) -> (line: Int, reason: String)? {
        if let bound = TOMLBounds.problem(in: text) { return bound }
        var scanner = Scanner(bytes: Array(text.utf8))
        return scanner.run()
    }

    private struct Scanner {
        let bytes: [UInt8]
        var at = 0
        var line = 1
        /// What would close the brackets and braces of the value begun.
        var closers: [UInt8] = []

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func run() -> (line: Int, reason: String)? {
            while at < bytes.count {
                skipBlanks()
                if closers.isEmpty, peek == UInt8(ascii: "["), !headerIsSound() { return (line, "a table header begins with no key") }
                let number = line
                if let reason = scanLine() { return (number, reason) }
            }
            return nil
        }

        private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

        private mutating func skipBlanks() { while peek == 32 || peek == 9 { at += 1 } }

        /// After one or two brackets and blanks stands a key, or the end of the header.
        private func headerIsSound() -> Bool {
            var next = at + 1
            if next < bytes.count, bytes[next] == UInt8(ascii: "[") { next += 1 }
            while next < bytes.count, bytes[next] == 32 || bytes[next] == 9 { next += 1 }
            guard next < bytes.count else { return true }  // the parser says itself that the file ends here
            switch bytes[next] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "]"):
                return true
            default: return false
            }
        }

        /// To the end of the line, or of the last line of a text that spans several; what is wrong, if anything.
        private mutating func scanLine() -> String? {
            var isValue = !closers.isEmpty
            var digits = 0
            while let byte = peek {
                at += 1
                let digitsBefore = digits
                digits = (48...57).contains(byte) ? digits + 1 : 0
                switch byte {
                case 10:
                    line += 1
                    return nil
                case UInt8(ascii: "="): isValue = true
                case UInt8(ascii: ":") where isValue, UInt8(ascii: "-") where isValue && digitsBefore >= 2:
                    return "dates and times are not used here; write them as texts"
                case UInt8(ascii: "#"): while at < bytes.count, bytes[at] != 10 { at += 1 }
                case UInt8(ascii: "["): closers.append(UInt8(ascii: "]"))
                case UInt8(ascii: "{"): closers.append(UInt8(ascii: "}"))
                case UInt8(ascii: "]"), UInt8(ascii: "}"):
                    guard closers.popLast() == byte else { return "a closing \(byte == 93 ? "bracket" : "brace") that nothing opened" }
                case UInt8(ascii: "\""), UInt8(ascii: "'"): skipText(quote: byte)
                default: break
                }
            }
            return nil
        }

        private mutating func skipText(quote: UInt8) {
            let isLong = at + 1 < bytes.count && bytes[at] == quote && bytes[at + 1] == quote
            if isLong { at += 2 }
            while let byte = peek {
                at += 1
                if byte == 10 {
                    line += 1
                    if !isLong { return }  // not closed on its line: the parser will say so
                }
                if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                    if peek == 10 { line += 1 }
                    at += 1
                } else if byte == quote {
                    guard isLong else { return }
                    if at + 1 < bytes.count, bytes[at] == quote, bytes[at + 1] == quote {
                        at += 2
                        return
                    }
                }
            }
        }
    }
}
