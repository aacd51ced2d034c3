// Fields of a query or an urlencoded form, found without taking the whole apart.

/// Reads `name=value&...`.
enum FormFields {
    /// The first value of `name`, percent-decoded, `+` as blank; nil when the field is absent, and when its value is
    /// not valid UTF-8: two such values must not become equal by repair. Percent signs without two digits stay as
    /// they are.
    static func value(of name: String, in text: UnsafeBufferPointer<UInt8>) -> String? {
        var name = name
        return name.withUTF8 { name in
            var start = 0
            while start < text.count {
                let end = index(of: UInt8(ascii: "&"), in: text, from: start, to: text.count)
                let equals = index(of: UInt8(ascii: "="), in: text, from: start, to: end)
                if matches(text, start..<equals, name) {
                    return equals < end ? decoded(text, equals + 1..<end) : ""
                }
                start = end + 1
            }
            return nil
        }
    }

    /// `text` without the fields of these names; the rest keeps its order and spelling.
    static func removing(_ names: [String], from text: String) -> String {
        var text = text
        return text.withUTF8 { text in
            var kept: [UInt8] = []
            kept.reserveCapacity(text.count)
            var start = 0
            while start < text.count {
                let end = index(of: UInt8(ascii: "&"), in: text, from: start, to: text.count)
                let equals = index(of: UInt8(ascii: "="), in: text, from: start, to: end)
                let isRemoved = names.contains { name in
                    var name = name
                    return name.withUTF8 { matches(text, start..<equals, $0) }
                }
                if !isRemoved {
                    if !kept.isEmpty { kept.append(UInt8(ascii: "&")) }
                    kept.append(contentsOf: text[start..<end])
                }
                start = end + 1
            }
            return String(decoding: kept, as: UTF8.self)
        }
    }

    private static func index(of byte: UInt8, in text: UnsafeBufferPointer<UInt8>, from: Int, to: Int) -> Int {
        var at = from
        while at < to, text[at] != byte { at += 1 }
        return at
    }

    private static func matches(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
        var at = range.lowerBound
        var found = 0
        while at < range.upperBound {
            guard found < name.count, next(text, &at, range.upperBound) == name[found] else { return false }
            found += 1
        }
        return found == name.count
    }

    private static func decoded(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> String? {
        let isPlain = !text[range].contains { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }
        if isPlain { return String(validating: text[range], as: UTF8.self) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        var at = range.lowerBound
        while at < range.upperBound { bytes.append(next(text, &at, range.upperBound)) }
        return String(validating: bytes, as: UTF8.self)
    }

    /// One decoded byte.
    private static func next(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int, _ end: Int) -> UInt8 {
        let byte = text[at]
        if byte == UInt8(ascii: "%"), at + 2 < end, let high = SignatureText.hexDigit(text[at + 1]),
            let low = SignatureText.hexDigit(text[at + 2])
        {
            at += 3
            return high << 4 | low
        }
        at += 1
        return byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte
    }
}
