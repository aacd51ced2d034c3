// Strict text forms of signatures and keys. Each value has one reading and each reading one value but for the case of
// hex digits and optional padding: a lenient decoder would take many texts for one signature.

/// Decodes into a buffer of the caller's.
enum SignatureText {
    /// Decodes hexadecimal digits of either case; the number of bytes, or nil for an odd count, another character, or
    /// more than fits.
    static func decodeHex(_ text: Substring.UTF8View, into out: UnsafeMutableRawBufferPointer) -> Int? {
        var count = 0
        var high: UInt8?
        for byte in text {
            guard let digit = hexDigit(byte) else { return nil }
            if let first = high {
                guard count < out.count else { return nil }
                out[count] = first << 4 | digit
                count += 1
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? count : nil
    }

    /// Decodes standard base64 with or without padding; the number of bytes, or nil for wrong padding, unused bits that
    /// are not zero, another character, or more than fits.
    static func decodeBase64(_ text: Substring.UTF8View, into out: UnsafeMutableRawBufferPointer) -> Int? {
        var bits: UInt32 = 0
        var held = 0
        var count = 0
        var characters = 0
        var padding = 0
        for byte in text {
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let value = base64Value(byte) else { return nil }
            characters += 1
            bits = bits << 6 | UInt32(value)
            held += 6
            if held >= 8 {
                held -= 8
                guard count < out.count else { return nil }
                out[count] = UInt8(truncatingIfNeeded: bits >> UInt32(held))
                count += 1
                bits &= (1 << UInt32(held)) - 1
            }
        }
        guard characters % 4 != 1, bits == 0, padding == 0 || (padding <= 2 && (characters + padding) % 4 == 0) else { return nil }
        return count
    }

    /// Decodes base64 into an array; nil as above.
    static func base64Bytes(_ text: Substring.UTF8View) -> [UInt8]? {
        let capacity = text.count * 3 / 4 + 3
        var isValid = false
        let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            let decoded = decodeBase64(text, into: UnsafeMutableRawBufferPointer(buffer))
            isValid = decoded != nil
            count = decoded ?? 0
        }
        return isValid ? bytes : nil
    }

    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - 48
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - 87
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - 55
        default: nil
        }
    }

    private static func base64Value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte + 4
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }

    private static let digits = Array("0123456789abcdef".utf8)

    /// Lower-case hexadecimal.
    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(64)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
