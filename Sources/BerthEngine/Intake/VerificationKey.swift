// A webhook key in the forms the schemes need, made once when a connection's keys are read.

public import BerthSeams
import Crypto

/// A key that deliveries are verified with. Cannot be printed: it holds only types that cannot.
public struct VerificationKey: Sendable {
    /// The text as set: a token, `username:password`, or a key's bytes.
    let secret: Secret
    /// The same bytes, for `hmac`.
    let raw: SymmetricKey
    /// What `whsec_` and base64 stand for, for `standard-webhooks`; nil when the text is no base64 or stands for nothing.
    let standard: SymmetricKey?

    /// Nil for an empty secret: nothing is ever verified with it.
    public init?(_ secret: Secret) {
        guard secret.count > 0 else { return nil }
        self.secret = secret
        raw = secret.withBytes { SymmetricKey(data: $0) }
        standard = secret.withBytes { bytes in
            let prefix = Array("whsec_".utf8)
            let body = bytes.starts(with: prefix) ? UnsafeRawBufferPointer(rebasing: bytes.dropFirst(prefix.count)) : bytes
            return withUnsafeTemporaryAllocation(byteCount: body.count * 3 / 4 + 3, alignment: 1) { buffer -> SymmetricKey? in
                defer { buffer.initializeMemory(as: UInt8.self, repeating: 0) }
                let text = String(decoding: body, as: UTF8.self)[...]
                guard let count = SignatureText.decodeBase64(text.utf8, into: buffer), count > 0 else { return nil }
                return SymmetricKey(data: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
    }
}
