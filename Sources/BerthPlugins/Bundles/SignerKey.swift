// Keys of those who sign bundles: PEM as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write it.

public import BerthModel
import Crypto
import Foundation

/// A public key that signatures are checked with.
public struct SignerKey: Sendable {
    /// Its file's name without extension: how operators know it.
    public let name: String
    private let key: Curve25519.Signing.PublicKey

    /// SubjectPublicKeyInfo of Ed25519 up to the key (RFC 8410, section 4).
    private static let prefix: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]

    /// Reads a public key. Throws `key_invalid`.
    public init(path: String) throws(BerthError) {
        let raw = try PEM.content(
            of: path, label: "PUBLIC KEY", prefix: Self.prefix, hint: "openssl pkey -in PRIVATE.pem -pubout -out \(path)")
        do { key = try Curve25519.Signing.PublicKey(rawRepresentation: raw) } catch {
            throw BerthError(
                "key_invalid", "\(path) holds no Ed25519 key: \(error)", hint: "openssl pkey -in PRIVATE.pem -pubout -out \(path)")
        }
        name = URL(filePath: path).deletingPathExtension().lastPathComponent
    }

    func verifies(_ signature: [UInt8], _ message: [UInt8]) -> Bool { key.isValidSignature(signature, for: message) }
}

/// A private key that bundles are signed with.
public struct SigningKey: Sendable {
    private let key: Curve25519.Signing.PrivateKey

    /// PKCS #8 of Ed25519 up to the key (RFC 8410, section 7).
    private static let prefix: [UInt8] = [0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]

    /// Reads a private key. Throws `key_invalid`, also when others than the owner may read the file.
    public init(path: String) throws(BerthError) {
        var info = stat()
        if stat(path, &info) == 0, info.st_mode & 0o077 != 0 {
            throw BerthError("key_invalid", "\(path): others than its owner may read this private key", hint: "chmod 600 \(path)")
        }
        let hint = "openssl genpkey -algorithm ed25519 -out \(path) && chmod 600 \(path)"
        let raw = try PEM.content(of: path, label: "PRIVATE KEY", prefix: Self.prefix, hint: hint)
        do { key = try Curve25519.Signing.PrivateKey(rawRepresentation: raw) } catch {
            throw BerthError("key_invalid", "\(path) holds no Ed25519 key", hint: hint)
        }
    }

    /// The line of a signature file for these bytes of a plugin.toml. Throws `key_invalid`.
    public func signature(of manifest: [UInt8]) throws(BerthError) -> String {
        do { return try key.signature(for: manifest).base64EncodedString() } catch {
            throw BerthError("key_invalid", "signing failed")
        }
    }
}

/// The 32 bytes in a PEM file. Errors never show what a file holds.
private enum PEM {
    static func content(of path: String, label: String, prefix: [UInt8], hint: String) throws(BerthError) -> [UInt8] {
        let data: Data
        do { data = try Data(contentsOf: URL(filePath: path)) } catch {
            throw BerthError("key_invalid", "\(path) can't be read: \(error.localizedDescription)", hint: hint)
        }
        let lines = String(decoding: data.prefix(4096), as: UTF8.self).split(whereSeparator: \.isNewline)
        guard let begin = lines.firstIndex(of: "-----BEGIN \(label)-----"), let end = lines.firstIndex(of: "-----END \(label)-----"),
            begin < end,
            let der = Data(base64Encoded: lines[(begin + 1)..<end].joined()), der.starts(with: prefix), der.count == prefix.count + 32
        else { throw BerthError("key_invalid", "\(path) is no PEM file with an Ed25519 \(label.lowercased())", hint: hint) }
        return Array(der.dropFirst(prefix.count))
    }
}
