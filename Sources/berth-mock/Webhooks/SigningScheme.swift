// Signatures for tests of the receiver. The three providers sign nothing; their token stands in the URL.

import Crypto
import FoundationEssentials

/// How webhooks to one target are signed.
enum SigningScheme: Sendable, Hashable {
    /// As the providers truly do: not at all.
    case none
    /// HMAC-SHA256 in hexadecimal over the named parts of the request, in order.
    case hmac(secret: String, header: String, parts: [String])
    /// Standard Webhooks 1.0, symmetric.
    case standardWebhooks(secret: String)

    /// Reads `hmac:SECRET[:HEADER[:PARTS]]` (parts `body`, `query`, `path`, `method` joined by plus) or `standard-webhooks:SECRET`.
    init(_ text: String) throws(MockProblem) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        switch (parts[0], parts.count) {
        case ("none", 1), ("token", 1): self = .none
        case ("hmac", 2...4):
            let signed = parts.count > 3 ? parts[3].split(separator: "+").map(String.init) : ["body"]
            guard Set(signed).isSubset(of: ["body", "query", "path", "method"]) else {
                throw MockProblem("scheme hmac: parts are body, query, path, method joined by +, not '\(parts[3])'")
            }
            self = .hmac(secret: parts[1], header: parts.count > 2 && !parts[2].isEmpty ? parts[2] : "X-Signature", parts: signed)
        case ("standard-webhooks", 2): self = .standardWebhooks(secret: parts[1])
        default: throw MockProblem("scheme is hmac:SECRET[:HEADER[:PARTS]], standard-webhooks:SECRET, or none")
        }
    }

    /// The headers that sign `message`. - Parameter isWrong: spoil the signature.
    func headers(for message: WebhookMessage, id: String, now: Milliseconds, isWrong: Bool) -> [(name: String, value: String)] {
        switch self {
        case .none: return []
        case .hmac(let secret, let header, let parts):
            let url = OutgoingURL(message.url)
            var signed: [UInt8] = []
            for part in parts {
                switch part {
                case "query": signed += (url?.query ?? "").utf8
                case "path": signed += (url?.path ?? "").utf8
                case "method": signed += message.method.utf8
                default: signed += message.body
                }
            }
            let code = HMAC<SHA256>.authenticationCode(for: signed, using: SymmetricKey(data: Data(secret.utf8)))
            return [(header, isWrong ? String(repeating: "0", count: 64) : code.hexText)]
        case .standardWebhooks(let secret):
            let seconds = String(now / 1000)
            let raw = secret.hasPrefix("whsec_") ? String(secret.dropFirst(6)) : secret
            let key = Data(base64Encoded: raw) ?? Data(raw.utf8)
            let code = HMAC<SHA256>.authenticationCode(for: Array("\(id).\(seconds).".utf8) + message.body, using: SymmetricKey(data: key))
            let text = "v1," + (isWrong ? base64([UInt8](repeating: 0, count: 32)) : base64(Array(code)))
            return [("webhook-id", id), ("webhook-timestamp", seconds), ("webhook-signature", text)]
        }
    }
}
