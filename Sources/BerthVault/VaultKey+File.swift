// Reading a key file: who may own it, who may read it, and the three forms its content may have. The file is
// checked through the descriptor it is read from, so that it cannot be swapped between check and reading.

public import BerthModel
import Glibc

extension VaultKey {
    /// Reads a key: 32 raw bytes, 64 hex digits or base64 of 32 bytes; one trailing newline is ignored. The file must be
    /// regular, owned by root or the caller, with mode 0600 or stricter. `isCredential`: the file lies in
    /// `$CREDENTIALS_DIRECTORY`, where systemd's access list for the unit's user shows as a group-read bit.
    public static func load(from path: String, isCredential: Bool = false) throws(BerthError) -> VaultKey {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let number = errno
            throw BerthError(
                .vaultKey, "cannot open the key file \(path): \(number == ELOOP ? "it is a symbolic link" : systemMessage(number))",
                hint: number == ENOENT
                    ? "make one: (umask 077; head -c 32 /dev/urandom > \(path))" : "give the path of a regular file that berthd can read")
        }
        defer { close(descriptor) }
        try checkProtection(of: descriptor, path: path, isCredential: isCredential)

        // 129 bytes hold every accepted form; a longer file is refused unread.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 129, alignment: 1)
        defer {
            if let base = buffer.baseAddress { explicit_bzero(base, buffer.count) }
            buffer.deallocate()
        }
        var count = 0
        while count < buffer.count {
            let got = read(descriptor, buffer.baseAddress! + count, buffer.count - count)
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else {
                throw BerthError(.vaultKey, "cannot read the key file \(path): \(systemMessage(errno))", hint: "check the file system")
            }
            if got == 0 { break }
            count += got
        }
        guard let key = parse(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])) else {
            throw BerthError(
                .vaultKey, "the key file \(path) holds no key (\(count == buffer.count ? "more than 128" : "\(count)") bytes)",
                hint: "it must hold 32 raw bytes, 64 hex digits or base64 of 32 bytes: (umask 077; head -c 32 /dev/urandom > \(path))")
        }
        return key
    }

    private static func checkProtection(of descriptor: Int32, path: String, isCredential: Bool) throws(BerthError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw BerthError(.vaultKey, "cannot look at the key file \(path): \(systemMessage(errno))", hint: "check the file system")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw BerthError(.vaultKey, "the key file \(path) is not a regular file", hint: "give the path of a regular file")
        }
        let mine = geteuid()
        guard status.st_uid == 0 || status.st_uid == mine else {
            throw BerthError(
                .vaultKey, "the key file \(path) belongs to uid \(status.st_uid), which is neither root nor the daemon's (\(mine))",
                hint: "chown \(mine) \(path)")
        }
        let tolerated: mode_t = isCredential && status.st_uid == 0 ? 0o640 : 0o600
        guard status.st_mode & 0o7777 & ~tolerated == 0 else {
            throw BerthError(
                .vaultKey,
                "the key file \(path) has mode 0\(String(status.st_mode & 0o7777, radix: 8)): others could read it or it is executable",
                hint: "chmod 0600 \(path)")
        }
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
