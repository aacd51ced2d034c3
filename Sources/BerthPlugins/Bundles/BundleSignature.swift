// The file beside plugin.toml with signatures of its bytes: one a line, base64 of the 64 bytes of Ed25519 (RFC 8032), what
// `openssl pkeyutl -sign -rawin -inkey KEY -in plugin.toml | base64 -w0` prints. Several lines: several signers.

import BerthModel
import Foundation

/// The signature file.
public enum BundleSignature {
    /// Its name in the bundle.
    public static let file = "plugin.toml.sig"

    /// Signatures in a bundle's folder. Throws `signature_missing` or `signature_invalid`.
    static func read(in folder: String) throws(BerthError) -> [[UInt8]] {
        let path = "\(folder)/\(file)"
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size <= 65_536,
            let data = FileManager.default.contents(atPath: path)
        else {
            throw BerthError(
                "signature_missing",
                "\(folder) is not signed, and [plugins] require_signature asks for it: \(path) is no readable file of up to 64 KiB",
                hint: "get the signed bundle from its publisher, or sign what you trust: berthctl plugin sign --key KEY \(folder)")
        }
        var signatures: [[UInt8]] = []
        for (index, line) in String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let text = line.filter { !$0.isWhitespace }
            guard !text.isEmpty else { continue }
            guard let bytes = Data(base64Encoded: text), bytes.count == 64 else {
                throw BerthError(
                    "signature_invalid", "\(path):\(index + 1): no base64 of 64 bytes",
                    hint: "sign again: berthctl plugin sign --key KEY \(folder)")
            }
            signatures.append(Array(bytes))
        }
        return signatures
    }
}
