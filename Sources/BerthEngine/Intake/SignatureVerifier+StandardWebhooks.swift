// The `standard-webhooks` scheme: Standard Webhooks 1.0.0, symmetric signatures (`v1`). Asymmetric ones (`v1a`) and
// later versions are skipped, as the specification asks of a receiver that does not know them.

import BerthModel
import Crypto

extension SignatureVerifier {
    func verifyStandardWebhooks(
        _ delivery: RawDelivery, _ toleranceSeconds: Int64, _ keys: [VerificationKey], _ now: Timestamp, _ proof: inout ProofText
    ) throws(BerthError) {
        let list = try Self.header("webhook-signature", of: delivery, missing: .signatureMissing)
        let id = try Self.header("webhook-id", of: delivery, missing: .messageIDInvalid)
        // With a dot inside, "a.b" + "1" and "a" + "b.1" would be signed alike.
        guard !id.utf8.contains(UInt8(ascii: ".")) else { throw BerthError(.messageIDInvalid, "the message id contains a dot") }
        let timestamp = try Self.header("webhook-timestamp", of: delivery, missing: .timestampMissing)
        guard (1...12).contains(timestamp.utf8.count), timestamp.utf8.allSatisfy({ (48...57).contains($0) }), let seconds = Int64(timestamp)
        else { throw BerthError(.timestampInvalid, "the header 'webhook-timestamp' is not Unix time in seconds") }
        try Self.checkAge(Timestamp(milliseconds: seconds * 1000), now, toleranceSeconds: toleranceSeconds)

        let usable = keys.compactMap(\.standard)
        guard !usable.isEmpty else {
            throw BerthError(
                .verificationKeyMissing, "the connection's webhook key is not base64",
                hint: "set the key as shown by the provider: whsec_...")
        }
        let length = SHA256.byteCount
        let isAuthentic = try withUnsafeTemporaryAllocation(byteCount: length * Self.signaturesMax, alignment: 8) {
            decoded throws(BerthError) -> Bool in
            var count = 0
            for (index, item) in list.utf8.split(separator: UInt8(ascii: " "), maxSplits: Self.signaturesMax).enumerated() {
                guard index < Self.signaturesMax else {
                    throw BerthError(.signatureInvalid, "the header holds more than \(Self.signaturesMax) signatures")
                }
                guard item.starts(with: "v1,".utf8) else { continue }
                let text = item.dropFirst(3)
                if proof.shown.isEmpty { proof.show(Substring(text)) }
                let slot = UnsafeMutableRawBufferPointer(rebasing: decoded[count * length..<(count + 1) * length])
                if SignatureText.decodeBase64(text, into: slot) == length { count += 1 }
            }
            guard count > 0 else { throw BerthError(.signatureInvalid, "the header holds no v1 signature") }
            var isMatch = false
            for key in usable {
                var mac = HMAC<SHA256>(key: key)
                mac.update(text: id)
                mac.update(text: ".")
                mac.update(text: timestamp)
                mac.update(text: ".")
                delivery.body.withUnsafeBytes { mac.update(data: $0) }
                mac.finalize().withUnsafeBytes { computed in
                    for index in 0..<count {
                        let candidate = UnsafeRawBufferPointer(rebasing: decoded[index * length..<(index + 1) * length])
                        if ConstantTime.equal(computed, candidate) { isMatch = true }
                    }
                }
                if isMatch { break }
            }
            return isMatch
        }
        guard isAuthentic else { throw BerthError(.signatureInvalid, "no key gives this signature for this request") }
    }
}
