// Decimals as text: money never passes through a binary fraction.

/// Reads decimal numbers without changing their digits.
public enum DecimalText {
    /// `-12.50`: sign, digits, fraction.
    public static func isPlain(_ bytes: some Collection<UInt8>) -> Bool {
        var hasDigit = false
        var hasPoint = false
        var endsInDigit = false
        var isFirst = true
        for byte in bytes {
            endsInDigit = byte &- 48 < 10
            if endsInDigit {
                hasDigit = true
            } else if byte == UInt8(ascii: "."), hasDigit, !hasPoint {
                hasPoint = true
            } else if byte != UInt8(ascii: "-") || !isFirst {
                return false
            }
            isFirst = false
        }
        return endsInDigit
    }

    /// Plain text of `$1,234.50`, `25,50`, `1.234,50`, `1.5e2`, `+3`, `.5`; nil when it is no number or could be two: a wrong
    /// amount is worse than none.
    public static func plain(_ text: String) -> String? {
        guard let bytes = ungrouped(text.utf8.filter { $0 != UInt8(ascii: "$") && $0 != 0x20 }) else { return nil }
        let parts = bytes.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 | 0x20 == UInt8(ascii: "e") }
        guard var mantissa = parts.first.map({ Array($0) }) else { return nil }
        if mantissa.first == UInt8(ascii: "+") { mantissa.removeFirst() }
        let isNegative = mantissa.first == UInt8(ascii: "-")
        if isNegative { mantissa.removeFirst() }
        if mantissa.first == UInt8(ascii: ".") { mantissa.insert(48, at: 0) }
        guard isPlain(mantissa), mantissa.first != UInt8(ascii: "-") else { return nil }
        if parts.count == 2 {
            guard let exponent = Int(String(decoding: parts[1], as: UTF8.self)), (-30...30).contains(exponent) else { return nil }
            mantissa = shifted(mantissa, by: exponent)
        }
        return (isNegative ? "-" : "") + String(decoding: mantissa, as: UTF8.self)
    }

    /// The same number without marks between thousands, and with a point before its fraction.
    ///
    /// A lone comma is a decimal one with one or two digits behind it, or after a lone zero; with three it stands between
    /// thousands. Anything else with a comma must be groups of three, and then a fraction behind the other mark.
    private static func ungrouped(_ bytes: [UInt8]) -> [UInt8]? {
        let comma = UInt8(ascii: ","), point = UInt8(ascii: ".")
        guard let lastComma = bytes.lastIndex(of: comma) else { return bytes }
        let lastPoint = bytes.lastIndex(of: point)
        let groups = bytes.split(separator: comma, omittingEmptySubsequences: false)
        let whole = groups[0].drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
        if lastPoint == nil, groups.count == 2, (1...2).contains(groups[1].count) || whole.elementsEqual([48]) {
            return groups[0] + [point] + groups[1]
        }
        // The mark that comes last is the decimal one, where both are there.
        let isCommaDecimal = lastPoint.map { $0 < lastComma } ?? false
        let end = isCommaDecimal ? lastComma : lastPoint ?? bytes.endIndex
        let parts = bytes[..<end].split(separator: isCommaDecimal ? point : comma, omittingEmptySubsequences: false)
        let first = parts[0].drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
        let areThousands = parts.dropFirst().allSatisfy { $0.count == 3 && $0.allSatisfy { $0 &- 48 < 10 } }
        guard (1...3).contains(first.count), first.first != 48, areThousands else { return nil }
        let fraction = bytes[end...].dropFirst()
        return Array(parts.joined()) + (end < bytes.endIndex ? [point] + fraction : [])
    }

    private static func shifted(_ mantissa: [UInt8], by exponent: Int) -> [UInt8] {
        let parts = mantissa.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        var digits = Array(parts[0]) + (parts.count > 1 ? Array(parts[1]) : [])
        var point = parts[0].count + exponent
        if point <= 0 {
            digits.insert(contentsOf: [UInt8](repeating: 48, count: 1 - point), at: 0)
            point = 1
        }
        if point > digits.count { digits += [UInt8](repeating: 48, count: point - digits.count) }
        let whole = digits[..<point].drop { $0 == 48 }
        let fraction = digits[point...]
        return (whole.isEmpty ? [48] : Array(whole)) + (fraction.isEmpty ? [] : [UInt8(ascii: ".")] + fraction)
    }
}

/// Durations.
public enum WholeSeconds {
    /// Seconds of a number, of digits as text (fractions cut), or of `h:mm:ss` and `m:ss`; blanks around them do no harm. nil for
    /// what is no duration: less than nothing, or more than 10,000 years.
    public static func value(_ node: JSONNode) -> Int64? {
        switch node.kind {
        case .number: return bounded(node.int64 ?? cut(node.rawBytes))
        case .string:
            guard node.isPresent else { return nil }
            let parts = trimmed(node.rawBytes).split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard parts.count <= 3 else { return nil }
            var total: Int64 = 0
            for part in parts {
                guard let value = bounded(cut(part)) else { return nil }
                total = total * 60 + value
            }
            return bounded(total)
        default: return nil
        }
    }

    private static func bounded(_ seconds: Int64?) -> Int64? { seconds.flatMap { (0..<315_576_000_000).contains($0) ? $0 : nil } }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes.drop { $0 == 0x20 }
        while bytes.last == 0x20 { bytes.removeLast() }
        return bytes
    }

    private static func cut(_ bytes: ArraySlice<UInt8>) -> Int64? {
        guard DecimalText.isPlain(bytes) else { return nil }
        return Int64(String(decoding: bytes.prefix { $0 != UInt8(ascii: ".") }, as: UTF8.self))
    }
}
