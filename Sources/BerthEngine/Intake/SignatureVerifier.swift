// Decides whether a delivery comes from where it says, by the scheme its connection chose. Constant time where secrets
// are compared; pure but for the clock value it is given. Whether an address may call at all is decided elsewhere, and
// so is what the sender is told: every refusal looks the same to it, and differs only in the audit log.

public import BerthModel

/// Verifies deliveries.
public struct SignatureVerifier: Sendable {
    /// Most signatures looked at in one delivery; more are refused unread.
    static let signaturesMax = 16

    /// What came of it. The audit text names the scheme and shows at most 4 characters of a signature, none of a token.
    public enum Verdict: Sendable {
        /// Authentic.
        case verified(audit: String)
        /// The plugin's `berth.verify/1` decides.
        case askPlugin(audit: String)
        /// Not authentic; the error is for the audit log.
        case refused(BerthError, audit: String)
    }

    /// A verifier. Has no state.
    public init() {}

    /// Verifies one delivery with the keys of its connection, the current one first. Without keys nothing is verified.
    public func verify(
        _ delivery: RawDelivery, spec: WebhookSpec, rules: ConnectionWebhook, keys: [VerificationKey], now: Timestamp
    ) -> Verdict {
        guard spec.schemes.contains(rules.scheme) else {
            return .refused(
                BerthError(
                    .schemeNotOffered, "the plugin does not offer the scheme '\(rules.scheme.rawValue)'",
                    hint: "choose one of \(spec.schemes.map(\.rawValue).joined(separator: ", ")) for the connection"),
                audit: rules.scheme.rawValue)
        }
        if rules.scheme == .plugin { return .askPlugin(audit: "plugin") }
        guard !keys.isEmpty else {
            return .refused(
                BerthError(
                    .verificationKeyMissing, "the connection has no webhook key",
                    hint: "set the webhook secret of the connection"), audit: rules.scheme.rawValue)
        }
        var proof = ProofText(scheme: rules.scheme)
        do throws(BerthError) {
            switch rules.scheme {
            case .hmac: try verifyHMAC(delivery, spec.hmac.overridden(by: rules), keys, now, &proof)
            case .standardWebhooks: try verifyStandardWebhooks(delivery, rules.toleranceSeconds ?? 300, keys, now, &proof)
            case .token: try verifyToken(delivery, spec.tokenPlaces, keys, &proof)
            case .basic: try verifyBasic(delivery, keys, &proof)
            case .plugin: break
            }
            try Self.checkContent(delivery, spec.unproven(by: rules.scheme))
            return .verified(audit: proof.text)
        } catch { return .refused(error, audit: proof.text) }
    }

    /// Refuses a delivery that holds something, and nothing that is proven. Its signature is the same for all of its kind, for ever; and
    /// taken, all but the first would be duplicates without a word to their sender.
    static func checkContent(_ delivery: RawDelivery, _ unproven: UnprovenParts) throws(BerthError) {
        let proven = delivery.proven(but: unproven)
        guard proven.query.isEmpty, proven.body.isEmpty, !(delivery.query.isEmpty && delivery.body.isEmpty) else { return }
        let covered = delivery.query.isEmpty ? "query" : "body"
        throw BerthError(
            .contentUnsigned, "the signature covers the \(covered), which is empty, and not what the delivery holds",
            hint: "for pixels use the scheme token, or a plugin whose manifest says that the query is signed")
    }

    /// The one value of a header. Two headers of a name are refused: the sender and a proxy may each have meant another.
    static func header(_ name: String, of delivery: RawDelivery, missing: BerthError.Code) throws(BerthError) -> String {
        var found: String?
        for header in delivery.headers where header.name == name {
            guard found == nil else { throw BerthError(.headerRepeated, "the header '\(name)' stands twice") }
            found = header.value
        }
        guard let found, !found.isEmpty else { throw BerthError(missing, "the header '\(name)' is missing") }
        return found
    }

    /// Refuses a time of sending that is too far from now, in either direction.
    static func checkAge(_ sent: Timestamp, _ now: Timestamp, toleranceSeconds: Int64) throws(BerthError) {
        let age = now.milliseconds - sent.milliseconds
        guard age.magnitude <= UInt64(max(0, toleranceSeconds)) * 1000 else {
            throw BerthError(
                .timestampOutOfTolerance, "sent \(age.magnitude / 1000) s \(age > 0 ? "ago" : "ahead"), tolerance \(toleranceSeconds) s",
                hint: "compare the clocks of both sides")
        }
    }
}

/// What the audit log shows of a proof.
struct ProofText {
    let scheme: SignatureScheme.Kind
    /// Detail behind the scheme's name, such as the algorithm or the place of a token.
    var detail = ""
    /// The first characters of a signature.
    var shown = ""

    init(scheme: SignatureScheme.Kind) { self.scheme = scheme }

    /// Keeps the first 4 characters; what is not plain ASCII is shown as `?`.
    mutating func show(_ signature: Substring) {
        var characters: [UInt8] = []
        for byte in signature.utf8.prefix(4) { characters.append((33...126).contains(byte) ? byte : UInt8(ascii: "?")) }
        shown = String(decoding: characters, as: UTF8.self)
    }

    var text: String {
        var text = scheme.rawValue
        if !detail.isEmpty { text += " \(detail)" }
        if !shown.isEmpty { text += " \(shown)..." }
        return text
    }
}

extension BerthError.Code {
    /// The header that holds the signature is not there.
    public static let signatureMissing: BerthError.Code = "signature_missing"
    /// A signature that is none of the keys'.
    public static let signatureInvalid: BerthError.Code = "signature_invalid"
    /// The signature covers nothing of what the delivery holds.
    public static let contentUnsigned: BerthError.Code = "content_unsigned"
    /// The header with the time of sending is not there.
    public static let timestampMissing: BerthError.Code = "timestamp_missing"
    /// The time of sending is no time.
    public static let timestampInvalid: BerthError.Code = "timestamp_invalid"
    /// Sent too long ago, or in the future.
    public static let timestampOutOfTolerance: BerthError.Code = "timestamp_out_of_tolerance"
    /// The message id that is part of the signed text is missing or cannot be told from the rest.
    public static let messageIDInvalid: BerthError.Code = "message_id_invalid"
    /// No token where one may stand.
    public static let tokenMissing: BerthError.Code = "token_missing"
    /// Another token.
    public static let tokenInvalid: BerthError.Code = "token_invalid"
    /// A header that decides stands more than once.
    public static let headerRepeated: BerthError.Code = "header_repeated"
    /// The connection chose a scheme that its plugin's manifest does not list.
    public static let schemeNotOffered: BerthError.Code = "scheme_not_offered"
    /// No key to verify with.
    public static let verificationKeyMissing: BerthError.Code = "verification_key_missing"
    /// The caller's address is not in the connection's list.
    public static let addressNotAllowed: BerthError.Code = "address_not_allowed"
    /// The manifest does not take this method.
    public static let methodNotAllowed: BerthError.Code = "method_not_allowed"
    /// The connection was cut off for good.
    public static let connectionGone: BerthError.Code = "connection_gone"
}

extension SignatureScheme.HMAC {
    /// These details with a connection's own in their place. A prefix that names the manifest's algorithm goes when the
    /// connection chose another algorithm.
    func overridden(by rules: ConnectionWebhook) -> SignatureScheme.HMAC {
        var details = self
        if let algorithm = rules.algorithm, algorithm != details.algorithm {
            if details.prefix == "\(details.algorithm.rawValue)=" { details.prefix = nil }
            details.algorithm = algorithm
        }
        if let header = rules.header { details.header = header }
        if let encoding = rules.encoding { details.encoding = encoding }
        if let prefix = rules.prefix { details.prefix = prefix.isEmpty ? nil : prefix }
        if let tolerance = rules.toleranceSeconds { details.toleranceSeconds = tolerance }
        return details
    }
}
