// What a text must keep to before the TOML reader may see it. That reader takes a NUL for the end of the text, so that what
// follows is silently not there, and runs out of stack on keys of many parts; both are refused here. It checks no TOML.

/// Bounds of a TOML text.
enum TOMLBounds {
    /// Largest text in bytes.
    static let bytesMax = 1 << 20
    /// Most dots in one key.
    static let dotsMax = 256

    /// The first line, from 1, that breaks a bound, and how; nil when none does.
    static func problem(in text: String) -> (line: Int, reason: String)? {
        guard text.utf8.count <= bytesMax else { return (1, "the file has more than \(bytesMax) bytes") }
        var line = 1
        var dots = 0
        for byte in text.utf8 {
            switch byte {
            case 0: return (line, "a NUL byte")
            case UInt8(ascii: "\n"): (line, dots) = (line + 1, 0)
            case UInt8(ascii: "."):
                dots += 1
                if dots > dotsMax { return (line, "a key of more than \(dotsMax) parts") }
            case UInt8(ascii: "="), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: ","): dots = 0
            default: break
            }
        }
        return nil
    }
}
