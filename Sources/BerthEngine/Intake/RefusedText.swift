// What is said of a refused delivery: much to the operator, little to the sender.

import BerthModel

/// Texts of refusals.
enum RefusedText {
    /// For the audit log: cause, scheme with the masked signature, and the request without its token.
    static func detail(_ delivery: RawDelivery, _ error: BerthError, _ audit: String) -> String {
        var text = "\(error.code.rawValue): \(plain(error.message, limit: 200))"
        if !audit.isEmpty { text += "; \(audit)" }
        text += "; \(plain(delivery.method)) \(plain(delivery.provider))"
        if let connection = delivery.connection { text += "/\(plain(connection))" }
        return text
    }

    /// For the sender. Missing, wrong and late proofs look the same; unknown names are not told from hidden ones.
    static func told(_ outcome: IntakeOutcome, _ error: BerthError) -> BerthError {
        switch outcome {
        case .unauthorized:
            BerthError(
                .unauthorized, "the request does not prove where it comes from",
                hint: "check the webhook's secret or token and the sender's clock; the reason is in berthctl audit")
        case .forbidden: BerthError(.forbidden, "this address may not send here", hint: "the connection's allow_ips decides")
        case .notFound:
            BerthError(
                .notFound, "nothing takes webhooks at this address", hint: "berthctl connection show prints a connection's webhook URL")
        case .gone: BerthError(.connectionGone, "this webhook was ended", hint: "remove it at the provider")
        default: error
        }
    }

    /// A caller's text with everything but visible ASCII as `?`, cut.
    static func plain(_ text: String, limit: Int = 64) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8.prefix(limit) { bytes.append((32...126).contains(byte) ? byte : UInt8(ascii: "?")) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
