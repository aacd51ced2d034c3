// One key that secrets are sealed with, and the rules for the file it comes from. It does not decide which of
// several keys is used; that is the keyring's part.

public import BerthModel
package import Crypto
import Glibc

/// A 256-bit key and the id stored beside every value it sealed. Never printed: only `id` is shown.
public struct VaultKey: Sendable {
    /// 16 hex digits: the first bytes of a hash of the key. Tells keys apart, says nothing about the key.
    public let id: String
    package let key: SymmetricKey

    /// A key from exactly 32 bytes; nil for another length or bytes that are all equal.
    package init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 32, let first = bytes.first, !bytes.allSatisfy({ $0 == first }) else { return nil }
        key = SymmetricKey(data: bytes)
        var hash = SHA256()
        hash.update(data: Array("berth-key-id-v1|".utf8))
        hash.update(bufferPointer: bytes)
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in hash.finalize().prefix(8) {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        id = String(decoding: text, as: UTF8.self)
    }

    /// Writes a new random key to a file that must not exist yet: mode 0600, fsynced together with its folder
    /// before this returns, so that nothing can be sealed with a key that a power cut takes away.
    public static func create(at path: String) throws(BerthError) -> VaultKey {
        let random = SymmetricKey(size: .bits256)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw BerthError(
                .vaultKey, "cannot create the key file \(path): \(systemMessage(errno))",
                hint: errno == EEXIST
                    ? "a key is there already: use it, or name another file" : "create the folder and let berthd write to it")
        }
        defer { close(descriptor) }
        let written = random.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard written == 32, fchmod(descriptor, 0o600) == 0, fsync(descriptor) == 0, syncFolder(of: path) else {
            let reason = systemMessage(errno)
            unlink(path)
            throw BerthError(.vaultKey, "cannot write the key file \(path): \(reason)", hint: "free space or repair the file system")
        }
        guard let key = random.withUnsafeBytes({ VaultKey(bytes: $0) }) else {
            throw BerthError(.internal, "the random source gave equal bytes")
        }
        return key
    }

    /// Puts a new random key in place of the one in `path`, which stays as `path.old`. Whenever it is interrupted, both keys
    /// are found by ``VaultKeyring/load(keyFile:olderKeyFiles:credentialsDirectory:)``. An older `path.old` is replaced: the
    /// caller makes sure that nothing is sealed with it any more.
    public static func replace(at path: String) throws(BerthError) -> VaultKey {
        let fresh = path + ".new"
        unlink(fresh)
        let key = try create(at: fresh)
        let old = path + ".old"
        unlink(old)
        guard link(path, old) == 0, syncFolder(of: path), rename(fresh, path) == 0, syncFolder(of: path) else {
            let reason = systemMessage(errno)
            unlink(fresh)
            throw BerthError(
                .vaultKey, "cannot put a new key in place of \(path): \(reason)", hint: "berthd must be able to write to its folder")
        }
        return key
    }

    private static func syncFolder(of path: String) -> Bool {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return fsync(descriptor) == 0
    }
}

extension BerthError.Code {
    /// The vault's key is missing, unreadable, badly protected or wrong.
    public static let vaultKey: BerthError.Code = "vault_key"
}

/// The system's text for an error number.
func systemMessage(_ number: Int32) -> String {
    strerror(number).map { String(cString: $0) } ?? "error \(number)"
}
