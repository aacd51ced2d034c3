// Reading a key file: the three forms its content may have. Who may own and read it ProtectedFile checks.

public import BerthModel
import Glibc

extension VaultKey {
    /// Reads a key: 32 raw bytes, 64 hex digits or base64 of 32 bytes; one trailing newline is ignored. The file must be
    /// regular, owned by root or the caller, with mode 0600 or stricter. `isCredential`: the file lies in
    /// `$CREDENTIALS_DIRECTORY`, where systemd's access list for the unit's user shows as a group-read bit.
    public static func load(from path: String, isCredential: Bool = false) throws(BerthError) -> VaultKey {
        let descriptor = try ProtectedFile.open(
            path, what: "key file", code: .vaultKey, isCredential: isCredential,
            missing: "make one: (umask 077; head -c 32 /dev/urandom > \(path))")
        defer { close(descriptor) }
        // 129 bytes hold every accepted form; a longer file is refused unread.
        let (buffer, count) = try ProtectedFile.contents(of: descriptor, path: path, what: "key file", code: .vaultKey, bytesMax: 129)
        defer { ProtectedFile.wipe(buffer) }
        guard let key = parse(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])) else {
            throw BerthError(
                .vaultKey, "the key file \(path) holds no key (\(count == buffer.count ? "more than 128" : "\(count)") bytes)",
                hint: "it must hold 32 raw bytes, 64 hex digits or base64 of 32 bytes: (umask 077; head -c 32 /dev/urandom > \(path))")
        }
        return key
    }

    /// Decodes in place, so that no second copy of the key is left anywhere.
    static func parse(_ content: UnsafeMutableRawBufferPointer) -> VaultKey? {
        if content.count == 32 { return VaultKey(bytes: UnsafeRawBufferPointer(content)) }
        var count = content.count
        if count > 0, content[count - 1] == 10 { count -= 1 }
        if count > 0, count != 32, content[count - 1] == 13 { count -= 1 }
        let text = UnsafeMutableRawBufferPointer(rebasing: content[..<count])
        switch count {
        case 32: break
        case 64: guard decodeHex(text) else { return nil }
        case 43, 44: guard decodeBase64(text) else { return nil }
        default: return nil
        }
        return VaultKey(bytes: UnsafeRawBufferPointer(rebasing: text[..<32]))
    }

    private static func decodeHex(_ text: UnsafeMutableRawBufferPointer) -> Bool {
        func digit(_ byte: UInt8) -> UInt8? {
            switch byte {
            case 48...57: byte - 48
            case 65...70: byte - 55
            case 97...102: byte - 87
            default: nil
            }
        }
        for index in 0..<32 {
            guard let high = digit(text[2 * index]), let low = digit(text[2 * index + 1]) else { return false }
            text[index] = high << 4 | low
        }
        return true
    }

    private static func decodeBase64(_ text: UnsafeMutableRawBufferPointer) -> Bool {
        if text.count == 44, text[43] != UInt8(ascii: "=") { return false }
        var bits: UInt32 = 0
        var held = 0
        var count = 0
        for index in 0..<43 {
            let value: UInt32
            switch text[index] {
            case let byte where (65...90).contains(byte): value = UInt32(byte - 65)
            case let byte where (97...122).contains(byte): value = UInt32(byte - 71)
            case let byte where (48...57).contains(byte): value = UInt32(byte + 4)
            case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
            default: return false
            }
            bits = bits << 6 | value
            held += 6
            if held >= 8 {
                held -= 8
                text[count] = UInt8(truncatingIfNeeded: bits >> UInt32(held))
                count += 1
            }
        }
        return count == 32
    }
}
