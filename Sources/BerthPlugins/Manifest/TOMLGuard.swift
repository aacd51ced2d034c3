// TOMLKit's parser (toml++ 3) asserts that a table header begins with a key, and aborts the process where it does not: one wrong
// file would end the daemon. So headers are looked at before it sees them. Finds nothing else; the parser does the rest.

/// Looks for what the TOML parser cannot bear.
public enum TOMLGuard {
    /// The line of the first table header that does not begin with a key, 1 being the first; nil: none.
    public static func lineOfBrokenHeader(in text: String) -> Int? {
        var scanner = Scanner(bytes: Array(text.utf8))
        return scanner.run()
    }

    private struct Scanner {
        let bytes: [UInt8]
        var at = 0
        var line = 1
        /// Open brackets and braces of the value begun.
        var depth = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func run() -> Int? {
            while at < bytes.count {
                skipBlanks()
                if depth == 0, peek == UInt8(ascii: "["), !headerIsSound() { return line }
                scanLine()
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

        /// To the end of the line, or of the last line of a text that spans several.
        private mutating func scanLine() {
            while let byte = peek {
                at += 1
                switch byte {
                case 10:
                    line += 1
                    return
                case UInt8(ascii: "#"): while let next = peek, next != 10 { _ = next; at += 1 }
                case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
                case UInt8(ascii: "]"), UInt8(ascii: "}"): depth = max(0, depth - 1)
                case UInt8(ascii: "\""), UInt8(ascii: "'"): skipText(quote: byte)
                default: break
                }
            }
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
