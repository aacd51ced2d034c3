// A secret as a query parameter: percent-encoded, replacing any parameter of the same name.

import BerthSeams
import CCurl

/// Overwrites bytes that held a secret.
func wipe(_ buffer: UnsafeMutableRawBufferPointer) {
    if let base = buffer.baseAddress { ccurl_wipe(base, buffer.count) }
}

enum QueryCredential {
    /// Puts `name=value` into the URL's query; false when libcurl refuses.
    static func put(_ name: String, _ secret: Secret, into url: ParsedURL) -> Bool {
        var query = kept(url.part(CURLUPART_QUERY) ?? "", without: name)
        if !query.isEmpty { query += "&" }
        query += encoded(name) + "="
        let prefix = query.utf8.count
        return withUnsafeTemporaryAllocation(byteCount: prefix + secret.count * 3 + 1, alignment: 1) { buffer in
            defer { wipe(buffer) }
            var count = 0
            func put(_ byte: UInt8) {
                buffer[count] = byte
                count += 1
            }
            for byte in query.utf8 { put(byte) }
            secret.withBytes { bytes in
                for byte in bytes { encode(byte, put) }
            }
            put(0)
            return url.setQuery(buffer.assumingMemoryBound(to: CChar.self).baseAddress!)
        }
    }

    /// The query's other parameters, as they stand.
    static func kept(_ query: String, without name: String) -> String {
        query.split(separator: "&", omittingEmptySubsequences: true)
            .filter { decodedName($0.prefix { $0 != "=" }) != Array(name.utf8) }.joined(separator: "&")
    }

    private static func decodedName(_ text: Substring) -> [UInt8] {
        var decoded: [UInt8] = []
        var bytes = text.utf8[...]
        while let byte = bytes.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: bytes.prefix(2), as: UTF8.self), radix: 16), bytes.count >= 2 {
                decoded.append(value)
                bytes = bytes.dropFirst(2)
            } else {
                decoded.append(byte == UInt8(ascii: "+") ? 32 : byte)
            }
        }
        return decoded
    }

    private static func encoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 { encode(byte) { bytes.append($0) } }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// RFC 3986: everything but unreserved characters.
    private static func encode(_ byte: UInt8, _ put: (UInt8) -> Void) {
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): put(byte)
        default:
            let digits: StaticString = "0123456789ABCDEF"
            put(UInt8(ascii: "%"))
            put(digits.utf8Start[Int(byte >> 4)])
            put(digits.utf8Start[Int(byte & 15)])
        }
    }
}
