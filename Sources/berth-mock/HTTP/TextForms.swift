// Hexadecimal and base64 text of bytes.

import Crypto
import FoundationEssentials

/// Standard base64 with padding.
func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

extension Sequence<UInt8> {
    /// Lower-case hexadecimal.
    var hexText: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
