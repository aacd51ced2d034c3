// IP addresses as values, for allow-lists. Reads the strict text forms only: a list that guards something must not
// depend on how a lenient parser reads "010.1" or "0x7f.1". Knows nothing of sockets, names or zones.

/// An IPv4 or IPv6 address. An IPv4 address written as IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
public struct IPAddress: Hashable, Sendable {
    /// The version.
    public enum Family: Sendable, Hashable {
        /// 32 bits.
        case v4
        /// 128 bits.
        case v6

        /// 32 or 128.
        public var bits: Int { self == .v4 ? 32 : 128 }
    }

    /// The version.
    public let family: Family
    /// The address, its last bit lowest.
    let value: UInt128

    init(family: Family, value: UInt128) {
        if family == .v6, value >> 32 == 0xFFFF {
            self.family = .v4
            self.value = value & 0xFFFF_FFFF
        } else {
            self.family = family
            self.value = value
        }
    }

    /// Reads `192.0.2.1` (four decimal parts without leading zeros) or an IPv6 text of RFC 4291; nil for anything
    /// else: short and hexadecimal IPv4 forms, zones (`%eth0`), brackets, ports, blanks.
    public init?(_ text: String) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let value = Self.readV6(text) else { return nil }
            self.init(family: .v6, value: value)
        } else {
            guard let value = Self.readV4(text[...]) else { return nil }
            self.init(family: .v4, value: UInt128(value))
        }
    }

    /// Whether `text` was an IPv4 address in IPv6 form; its prefix lengths count from the IPv6 form.
    static func isMapped(_ text: String) -> Bool {
        text.utf8.contains(UInt8(ascii: ":")) && IPAddress(text)?.family == .v4
    }

    private static func readV4(_ text: Substring) -> UInt32? {
        var value: UInt32 = 0
        var octet: UInt32 = 0
        var digits = 0
        var dots = 0
        for byte in text.utf8 {
            if byte == UInt8(ascii: ".") {
                guard digits > 0, dots < 3 else { return nil }
                value = value << 8 | octet
                (octet, digits, dots) = (0, 0, dots + 1)
            } else {
                // No leading zeros: others read them as octal.
                guard (48...57).contains(byte), digits == 0 || octet > 0 else { return nil }
                octet = octet * 10 + UInt32(byte - 48)
                digits += 1
                guard octet <= 255 else { return nil }
            }
        }
        return digits > 0 && dots == 3 ? value << 8 | octet : nil
    }

    private static func readV6(_ text: String) -> UInt128? {
        guard text.utf8.count <= 45 else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard (3...9).contains(parts.count) else { return nil }
        var groups: [UInt16] = []
        var gap: Int?
        for (index, part) in parts.enumerated() {
            if part.isEmpty {
                // `::` gives one empty part inside, two at an end; anything else is a stray colon.
                switch index {
                case 0: guard parts[1].isEmpty else { return nil }
                case parts.count - 1: guard parts[index - 1].isEmpty else { return nil }
                default:
                    guard gap == nil else { return nil }
                    gap = groups.count
                }
            } else if index == parts.count - 1, part.utf8.contains(UInt8(ascii: ".")) {
                guard let tail = readV4(part) else { return nil }
                groups += [UInt16(tail >> 16), UInt16(tail & 0xFFFF)]
            } else {
                guard part.utf8.count <= 4, part.utf8.first != UInt8(ascii: "+"), let group = UInt16(part, radix: 16) else { return nil }
                groups.append(group)
            }
        }
        if let gap {
            guard groups.count < 8 else { return nil }
            groups.insert(contentsOf: [UInt16](repeating: 0, count: 8 - groups.count), at: gap)
        }
        guard groups.count == 8 else { return nil }
        return groups.reduce(0) { $0 << 16 | UInt128($1) }
    }
}

extension IPAddress: CustomStringConvertible {
    /// Dotted decimal, or the short lower-case form of RFC 5952.
    public var description: String {
        guard family == .v6 else {
            return stride(from: 24, through: 0, by: -8).map { String(UInt8(truncatingIfNeeded: value >> UInt128($0))) }.joined(
                separator: ".")
        }
        let groups = stride(from: 112, through: 0, by: -16).map { UInt16(truncatingIfNeeded: value >> UInt128($0)) }
        var longest = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(1, longest.count) { longest = start..<end }
            start = max(end, start + 1)
        }
        func text(_ range: Range<Int>) -> String { groups[range].map { String($0, radix: 16) }.joined(separator: ":") }
        return longest.isEmpty ? text(0..<8) : "\(text(0..<longest.lowerBound))::\(text(longest.upperBound..<8))"
    }
}
