// Typed identifiers: a UUIDv7 behind a type prefix, so that an id says what it names, sorts by time of
// creation, and cannot be passed where another kind is meant.

/// What an ``Identifier`` names; gives its text prefix.
public protocol IdentifierKind: Sendable {
    /// The prefix before the underscore, lower-case letters.
    static var prefix: String { get }
}

/// A UUIDv7 of one kind. Text form: `prefix_` and 26 characters of Crockford base32, lower case; text order is
/// order of creation.
public struct Identifier<Kind: IdentifierKind>: Hashable, Sendable, Comparable {
    /// The upper 64 bits: 48 bits of Unix milliseconds, version, 12 random bits.
    public let high: UInt64
    /// The lower 64 bits: variant and 62 random bits.
    public let low: UInt64

    /// An id made at `time` from 128 random bits, of which 74 are used.
    public init(time: Timestamp, random: (UInt64, UInt64)) {
        high = UInt64(truncatingIfNeeded: time.milliseconds) << 16 | 0x7000 | (random.0 & 0x0FFF)
        low = 0x8000_0000_0000_0000 | (random.1 & 0x3FFF_FFFF_FFFF_FFFF)
    }

    /// Orders by time of creation.
    public static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.high, lhs.low) < (rhs.high, rhs.low)
    }
}

extension Identifier: LosslessStringConvertible, Codable {
    /// `prefix_` and 26 characters.
    public var description: String {
        var text = Kind.prefix
        text.reserveCapacity(Kind.prefix.utf8.count + 27)
        text.append("_")
        var digits = (high, low)
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 26) { buffer in
            for index in stride(from: 25, through: 0, by: -1) {
                buffer[index] = Base32.alphabet[Int(digits.1 & 31)]
                digits.1 = digits.1 >> 5 | digits.0 << 59
                digits.0 >>= 5
            }
            text.append(String(decoding: buffer, as: UTF8.self))
        }
        return text
    }

    /// Reads the text form; nil when the prefix, the length or a character is wrong.
    public init?(_ description: String) {
        var rest = description.utf8[...]
        for byte in Kind.prefix.utf8 {
            guard rest.popFirst() == byte else { return nil }
        }
        guard rest.popFirst() == UInt8(ascii: "_"), rest.count == 26 else { return nil }
        var digits: (UInt64, UInt64) = (0, 0)
        for (index, byte) in rest.enumerated() {
            guard let value = Base32.value(of: byte), index > 0 || value < 8 else { return nil }
            digits.0 = digits.0 << 5 | digits.1 >> 59
            digits.1 = digits.1 << 5 | UInt64(value)
        }
        high = digits.0
        low = digits.1
    }

    /// Decodes the text form.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let id = Self(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is not an id of the form \(Kind.prefix)_..."))
        }
        self = id
    }

    /// Encodes the text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Crockford's base32 alphabet in lower case.
enum Base32 {
    static let alphabet: [UInt8] = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xFF, count: 256)
        for (value, byte) in alphabet.enumerated() { table[Int(byte)] = UInt8(value) }
        return table
    }()

    static func value(of byte: UInt8) -> UInt8? {
        let value = values[Int(byte)]
        return value == 0xFF ? nil : value
    }
}
