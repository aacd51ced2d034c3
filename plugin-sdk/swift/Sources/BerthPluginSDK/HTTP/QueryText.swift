// Queries and forms (application/x-www-form-urlencoded) both ways.

/// Encodes and decodes `a=1&b=2`.
public enum QueryText {
    /// Percent-encodes everything but unreserved characters, so that `+` of a number or time zone survives.
    public static func encoded(_ pairs: [(name: String, value: String)]) -> String {
        var out: [UInt8] = []
        for (index, pair) in pairs.enumerated() {
            if index > 0 { out.append(UInt8(ascii: "&")) }
            append(pair.name, to: &out)
            out.append(UInt8(ascii: "="))
            append(pair.value, to: &out)
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// One path segment or value, percent-encoded.
    public static func encoded(_ text: String) -> String {
        var out: [UInt8] = []
        append(text, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// Pairs in order, decoded; `+` is a blank; broken escapes stay as they are.
    public static func pairs(_ text: Substring) -> [(name: String, value: String)] {
        text.utf8.split(separator: UInt8(ascii: "&")).map { part in
            let cut = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            let value = cut == part.endIndex ? part[cut...] : part[part.index(after: cut)...]
            return (decoded(part[..<cut]), decoded(value))
        }
    }

    /// The first value of a name in a URL or query.
    public static func value(_ name: String, of url: String) -> String? {
        let query = url.firstIndex(of: "?").map { url[url.index(after: $0)...] } ?? url[...]
        return pairs(query.prefix { $0 != "#" }).first { $0.name == name }?.value
    }

    private static func append(_ text: String, to out: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                out.append(byte)
            default:
                out.append(UInt8(ascii: "%"))
                out.append(hex(byte >> 4))
                out.append(hex(byte & 15))
            }
        }
    }

    private static func hex(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 48 + nibble : 55 + nibble }

    private static func decoded(_ text: Substring.UTF8View) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var at = text.startIndex
        while at != text.endIndex {
            let byte = text[at]
            text.formIndex(after: &at)
            if byte == UInt8(ascii: "+") {
                out.append(0x20)
            } else if byte == UInt8(ascii: "%"), text.distance(from: at, to: text.endIndex) >= 2, let high = nibble(text[at]),
                let low = nibble(text[text.index(after: at)])
            {
                out.append(high << 4 | low)
                text.formIndex(&at, offsetBy: 2)
            } else {
                out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }
}
