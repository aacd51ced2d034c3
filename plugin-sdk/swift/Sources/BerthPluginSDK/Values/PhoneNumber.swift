// E.164 from the forms the call-tracking providers write. It guesses only where the provider's numbering plan is the
// North American one; it checks no numbering plan of any country.

/// Normalises phone numbers.
public enum PhoneNumber {
    /// `+` and 7 to 15 digits, the first not 0.
    public static func isE164(_ bytes: some Collection<UInt8>) -> Bool {
        guard bytes.first == UInt8(ascii: "+"), (8...16).contains(bytes.count) else { return false }
        let digits = bytes.dropFirst()
        return digits.first != UInt8(ascii: "0") && digits.allSatisfy { $0 &- 48 < 10 }
    }

    /// E.164 of `+1 (202) 555-0143`, `0044...` as `+44...`, `12025550143` and `2025550143` (North American); nil for names
    /// such as "anonymous", extensions and anything it would have to guess.
    public static func e164(_ text: String) -> String? {
        var digits: [UInt8] = [UInt8(ascii: "+")]
        var isInternational = false
        for byte in text.utf8 {
            switch byte {
            case 48...57: digits.append(byte)
            case UInt8(ascii: "+") where digits.count == 1: isInternational = true
            case UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "."): continue
            default: return nil
            }
        }
        if !isInternational {
            if digits.starts(with: "+00".utf8) {
                digits.removeSubrange(1...2)
            } else if digits.count == 11, digits[1] >= 50 {
                digits.insert(49, at: 1)
            } else if digits.count != 12 || digits[1] != 49 {
                return nil
            }
        }
        return isE164(digits) ? String(decoding: digits, as: UTF8.self) : nil
    }
}
