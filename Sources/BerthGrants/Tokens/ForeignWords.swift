// What a provider says, made fit for logs and people. Real servers repeat what they were sent ("refresh token abc not found"): words of
// theirs are cut, printable, and without anything that was or looks like a secret.

import BerthModel
import BerthSeams

/// Cleans texts of others.
struct ForeignWords: Sendable {
    /// What was sent, also as it looks in a form.
    private let secrets: [Secret]

    /// Shorter ones would tear holes into plain words.
    private static let secretBytesMin = 4
    /// A word of this length with a digit in it is no word.
    private static let opaqueLength = 24
    private static let hidden = "[hidden]"

    init(hiding secrets: [Secret]) { self.secrets = secrets.filter { $0.count >= Self.secretBytesMin } }

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

    /// Escapes in escapes: a form in a JSON text in a JSON text.
    private static let layersMax = 4

    private func withoutSecrets(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var places: [Range<Int>] = []
        var layer: EncodedText? = EncodedText(bytes)
        for _ in 0..<Self.layersMax {
            guard let current = layer else { break }
            for secret in secrets {
                let known = Array(secret.exposedText.utf8)
                places += current.places(of: known)
                // As forms write blanks.
                if known.contains(32) { places += current.places(of: known.map { $0 == 32 ? UInt8(ascii: "+") : $0 }) }
            }
            layer = current.decoded()
        }
        var out: [UInt8] = []
        var end = 0
        for place in places.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if place.lowerBound >= end {
                out += bytes[end..<place.lowerBound]
                out += Array(Self.hidden.utf8)
            }
            end = max(end, place.upperBound)
        }
        out += bytes[end...]
        return String(decoding: out, as: UTF8.self)
    }
}
