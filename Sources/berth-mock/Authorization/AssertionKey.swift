// Public keys that verify JWT bearer assertions (RFC 7523): RS256 and ES256. It does not look at claims.

import Crypto
import CryptoExtras
import FoundationEssentials

/// One configured public key.
struct AssertionKey: Sendable {
    private enum Key: Sendable {
        case rsa(_RSA.Signing.PublicKey)
        case p256(P256.Signing.PublicKey)
    }
    private let key: Key

    /// Reads a PEM text, or the file it names. - Throws: ``MockProblem`` when it is no RSA key of at least 2048 bits and no P-256 key.
    init(pemOrPath text: String) throws(MockProblem) {
        do {
            let pem = text.contains("-----BEGIN") ? text : try String(contentsOfFile: text, encoding: .utf8)
            // `try?` asks "is it this kind?"; the second one throws for good.
            if let p256 = try? P256.Signing.PublicKey(pemRepresentation: pem) {
                key = .p256(p256)
            } else {
                key = .rsa(try _RSA.Signing.PublicKey(pemRepresentation: pem))
            }
        } catch {
            throw MockProblem("jwt_key is a PEM public key, RSA of at least 2048 bits or P-256, or a file with one: \(error)")
        }
    }

    /// Whether `signature` over `message` is this key's by `algorithm` (`RS256`, `ES256`).
    func verifies(_ signature: Data, of message: Data, algorithm: String) -> Bool {
        switch (key, algorithm) {
        case (.rsa(let key), "RS256"):
            key.isValidSignature(
                _RSA.Signing.RSASignature(rawRepresentation: signature), for: SHA256.hash(data: message), padding: .insecurePKCS1v1_5)
        case (.p256(let key), "ES256"):
            // A malformed signature is a wrong one.
            (try? P256.Signing.ECDSASignature(rawRepresentation: signature)).map { key.isValidSignature($0, for: message) } ?? false
        default: false
        }
    }
}
