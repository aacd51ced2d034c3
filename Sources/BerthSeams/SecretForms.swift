// How a secret may stand in somebody's text besides plainly. Escapes are not here: they mix, and are read out of the text instead.

import BerthModel

/// A secret and the other bytes that tell it.
public struct SecretForms: Sendable {
    /// Itself, with `+` for blanks as forms write them, in Latin-1; its base64, and the part of base64 that is its own at each of the three
    /// places in a group of bytes and in both alphabets.
    let escapable: [Secret]
    /// Hexadecimal, in lower and in upper case: no way of escaping touches those.
    let others: [Secret]
    /// Under 8 bytes.
    let isShort: Bool
    /// Holds a letter and a digit, as words of a language do not.
    let isMixed: Bool
    /// Reads differently when escapes are read, `pass%20word`.
    let holdsEscapes: Bool

    /// None under 4 bytes: hiding those would destroy texts and hide nothing worth hiding. Under 8 bytes no base64 and no hexadecimal form.
    public init?(_ secret: Secret) {
        guard secret.count >= 4 else { return nil }
        isShort = secret.count < 8
        let bytes = secret.withBytes { Array($0) }
        isMixed = bytes.contains { (48...57).contains($0) } && bytes.contains { (65...90).contains($0 & ~32) }
        holdsEscapes = bytes.withUnsafeBytes { EscapedText($0) != nil }
        var plain = [bytes]
        if bytes.contains(32) { plain.append(bytes.map { $0 == 32 ? UInt8(ascii: "+") : $0 }) }
        let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars
        if bytes.contains(where: { $0 >= 128 }), scalars.allSatisfy({ $0.value < 256 }) {
            plain.append(scalars.map { UInt8($0.value) })
        }
        guard !isShort else {
            escapable = Self.kept(plain)
            others = []
            return
        }
        // The first with its end, as it stands in a header.
        let whole = Array(Base64.encode(bytes, urlSafe: false).utf8)
        escapable = Self.kept(plain + [whole] + (0..<3).flatMap { shift in [false, true].map { Self.base64(bytes, shift, urlSafe: $0) } })
        others = Self.kept(["0123456789abcdef", "0123456789ABCDEF"].map { Self.hex(bytes, Array($0.utf8)) })
    }

    /// Without the characters that the bytes before and behind decide too.
    private static func base64(_ bytes: [UInt8], _ shift: Int, urlSafe: Bool) -> [UInt8] {
        var text = Array(Base64.encode([UInt8](repeating: 0, count: shift) + bytes, urlSafe: urlSafe).utf8)
        while text.last == UInt8(ascii: "=") { text.removeLast() }
        if (shift + bytes.count) % 3 != 0 { text.removeLast() }
        return Array(text.dropFirst([0, 2, 3][shift]))
    }

    private static func hex(_ bytes: [UInt8], _ digits: [UInt8]) -> [UInt8] {
        bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }

    private static func kept(_ forms: [[UInt8]]) -> [Secret] { Set(forms).map { Secret(copying: $0) } }
}
