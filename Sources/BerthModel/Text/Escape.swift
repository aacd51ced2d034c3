// The ways in which a text writes one character with several: in URLs and forms, in JSON, in HTML.

/// One escape as it stands in a text.
struct Escape {
    /// How many bytes it is written with.
    var length: Int
    var meaning: Meaning

    enum Meaning: Equatable {
        case byte(UInt8)
        case scalar(Unicode.Scalar)
    }

    /// What stands at `index`; nil: nothing of `ways`.
    init?(_ text: UnsafeRawBufferPointer, at index: Int, _ ways: EscapedText.Ways) {
        switch text[index] {
        case UInt8(ascii: "%") where ways.contains(.url):
            guard let value = Self.number(text, index + 1, digits: 2) else { return nil }
            self.init(length: 3, meaning: .byte(UInt8(value)))
        case UInt8(ascii: "\\") where ways.contains(.json):
            guard let found = Self.backslash(text, index) else { return nil }
            self = found
        case UInt8(ascii: "&") where ways.contains(.html):
            guard let found = Self.entity(text, index) else { return nil }
            self = found
        default: return nil
        }
    }

    private init(length: Int, meaning: Meaning) {
        self.length = length
        self.meaning = meaning
    }

    /// RFC 8259, 7, and the `\'` of JavaScript.
    private static func backslash(_ text: UnsafeRawBufferPointer, _ index: Int) -> Escape? {
        guard index + 1 < text.count else { return nil }
        switch text[index + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "'"):
            return Escape(length: 2, meaning: .byte(text[index + 1]))
        case UInt8(ascii: "b"): return Escape(length: 2, meaning: .byte(8))
        case UInt8(ascii: "f"): return Escape(length: 2, meaning: .byte(12))
        case UInt8(ascii: "n"): return Escape(length: 2, meaning: .byte(10))
        case UInt8(ascii: "r"): return Escape(length: 2, meaning: .byte(13))
        case UInt8(ascii: "t"): return Escape(length: 2, meaning: .byte(9))
        case UInt8(ascii: "u"):
            guard let high = number(text, index + 2, digits: 4) else { return nil }
            if let scalar = Unicode.Scalar(high) { return Escape(length: 6, meaning: .scalar(scalar)) }
            // Half of a pair.
            guard index + 7 < text.count, text[index + 6] == UInt8(ascii: "\\"), text[index + 7] == UInt8(ascii: "u"),
                let low = number(text, index + 8, digits: 4), (0xD800..<0xDC00).contains(high), (0xDC00..<0xE000).contains(low),
                let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
            else { return nil }
            return Escape(length: 12, meaning: .scalar(scalar))
        default: return nil
        }
    }

    /// By number, decimal or hexadecimal, or one of the five names that programs escape with.
    private static func entity(_ text: UnsafeRawBufferPointer, _ index: Int) -> Escape? {
        guard let end = text[index..<min(index + 10, text.count)].firstIndex(of: UInt8(ascii: ";")), end > index + 2 else { return nil }
        let length = end + 1 - index
        if text[index + 1] == UInt8(ascii: "#") {
            let isHex = text[index + 2] | 32 == UInt8(ascii: "x")
            let start = index + (isHex ? 3 : 2)
            guard start < end, let value = number(text, start, digits: end - start, radix: isHex ? 16 : 10),
                let scalar = Unicode.Scalar(value)
            else { return nil }
            return Escape(length: length, meaning: .scalar(scalar))
        }
        for (name, byte) in names where text[index + 1..<end].elementsEqual(name.utf8) {
            return Escape(length: length, meaning: .byte(byte))
        }
        return nil
    }

    private static let names: [(String, UInt8)] = [
        ("amp", UInt8(ascii: "&")), ("lt", UInt8(ascii: "<")), ("gt", UInt8(ascii: ">")), ("quot", UInt8(ascii: "\"")),
        ("apos", UInt8(ascii: "'")),
    ]

    /// At most seven digits.
    private static func number(_ text: UnsafeRawBufferPointer, _ start: Int, digits: Int, radix: UInt32 = 16) -> UInt32? {
        guard start + digits <= text.count else { return nil }
        var value: UInt32 = 0
        for index in start..<start + digits {
            let digit: UInt8
            switch text[index] {
            case 48...57: digit = text[index] - 48
            case 65...70: digit = text[index] - 55
            case 97...102: digit = text[index] - 87
            default: return nil
            }
            guard digit < radix else { return nil }
            value = value * radix + UInt32(digit)
        }
        return value
    }
}
