// Webhook rules as a person wishes them: whatever can never verify a delivery is refused when it is set, not by the provider's first try.

import BerthModel
import BerthSeams

extension ConnectionRules {
    func applyWebhook(_ draft: ConnectionDraft, to connection: inout Connection, _ problems: inout [String]) {
        guard let spec = manifest.webhook else {
            if draft.webhook != nil { problems.append("webhook: \(manifest.id) sends no webhooks") }
            return
        }
        var rules = connection.webhook ?? ConnectionWebhook(scheme: spec.defaultScheme)
        defer { connection.webhook = rules }
        guard let wish = draft.webhook else { return }
        if let text = wish.scheme {
            if let scheme = spec.schemes.first(where: { $0.rawValue == text }) {
                rules.scheme = scheme
            } else {
                problems.append("webhook.scheme: \(unknown(text, "scheme of \(manifest.id)", spec.schemes.map(\.rawValue)))")
            }
        }
        for text in wish.allowIPs ?? [] where IPRange(text) == nil {
            problems.append("webhook.allow_ips: '\(text)' is neither an address nor a CIDR range such as 203.0.113.0/24")
        }
        rules.allowIPs = wish.allowIPs ?? rules.allowIPs
        if let text = wish.algorithm {
            rules.algorithm = .init(rawValue: text)
            if rules.algorithm == nil { problems.append("webhook.algorithm: '\(text)' is not one of sha256, sha1, sha512") }
        }
        if let text = wish.encoding {
            rules.encoding = .init(rawValue: text)
            if rules.encoding == nil { problems.append("webhook.encoding: '\(text)' is not one of hex, base64") }
        }
        if let header = wish.header {
            if !header.isEmpty, !HeaderName.isName(header) {
                problems.append("webhook.header: '\(header)' is not a header's name such as X-Signature (empty text: the manifest's)")
            }
            rules.header = header.isEmpty ? nil : header.lowercased()
        }
        if let prefix = wish.prefix {
            if !prefix.utf8.allSatisfy({ (32...126).contains($0) }) || prefix.hasPrefix(" ") {
                problems.append("webhook.prefix: must be plain text that a header's value can begin with, such as sha256=")
            }
            rules.prefix = prefix
        }
        if let seconds = wish.toleranceSeconds {
            if !(1...86_400).contains(seconds) { problems.append("webhook.tolerance_seconds: must be 1 to 86400") }
            rules.toleranceSeconds = seconds
        }
        if let secret = wish.secret {
            if secret.count < 8 { problems.append("webhook.secret: must have at least 8 bytes") }
            if let form = Self.missingForm(of: secret, rules.scheme) { problems.append("webhook.secret: \(form)") }
        }
    }

    /// What a secret lacks to verify anything by this scheme; nil: nothing.
    private static func missingForm(of secret: Secret, _ scheme: SignatureScheme.Kind) -> String? {
        switch scheme {
        case .hmac, .plugin: nil
        case .standardWebhooks:
            VerificationKey(secret)?.standard == nil
                ? "must be base64 for the scheme standard-webhooks, with or without whsec_ before it" : nil
        case .basic:
            secret.withBytes { $0.contains(UInt8(ascii: ":")) } ? nil : "must be USERNAME:PASSWORD for the scheme basic"
        case .token:
            secret.withBytes { $0.allSatisfy(isInPath) }
                ? nil : "is part of the address for the scheme token: letters, digits and -._~!$&'()*+,;=:@ only"
        }
    }

    /// Whether a byte stands for itself in a path segment (RFC 3986, 3.3): of a segment nothing is decoded.
    private static func isInPath(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || "-._~!$&'()*+,;=:@".utf8.contains(byte)
    }
}
