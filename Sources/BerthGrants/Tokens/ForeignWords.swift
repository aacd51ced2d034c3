// What a provider says, made fit for logs and people. Real servers repeat what they were sent ("refresh token abc not found"): words of
// theirs are cut, printable, and without anything that was or looks like a secret.

import BerthModel
import BerthSeams

/// Cleans texts of others.
struct ForeignWords: Sendable {
    /// What was sent.
    private let secrets: SecretSearch

    /// A word of this length with a digit in it is no word.
    private static let opaqueLength = 24
    private static let hidden = "[hidden]"

    init(hiding secrets: [Secret]) { self.secrets = SecretSearch(secrets.compactMap(SecretForms.init), short: .anywhere) }

    /// Printable ASCII of at most `length` characters. Secrets are taken out before anything is cut.
    func plain(_ text: String, _ length: Int) -> String {
        let text = withoutSecrets(String(text.prefix(65_536)))
        var out = ""
        var run: [UInt8] = []
        func end() {
            let isOpaque = run.count >= Self.opaqueLength && run.contains { (48...57).contains($0) }
            out += isOpaque ? Self.hidden : String(decoding: run, as: UTF8.self)
            run = []
        }
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "="), UInt8(ascii: "~"),
                UInt8(ascii: "%"):
                run.append(byte)
            default:
                end()
                out.unicodeScalars.append((32...126).contains(byte) ? Unicode.Scalar(byte) : "?")
            }
        }
        end()
        return String(out.prefix(length))
    }

    private func withoutSecrets(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        var end = 0
        for place in secrets.places(in: bytes) {
            out += bytes[end..<place.lowerBound]
            out += Array(Self.hidden.utf8)
            end = place.upperBound
        }
        out += bytes[end...]
        return String(decoding: out, as: UTF8.self)
    }
}
