// The `hmac` scheme: a keyed hash over declared parts of the request, in a header.

import BerthModel
import Crypto

extension SignatureVerifier {
    func verifyHMAC(
        _ delivery: RawDelivery, _ details: SignatureScheme.HMAC, _ keys: [VerificationKey], _ now: Timestamp, _ proof: inout ProofText
    ) throws(BerthError) {
        proof.detail = details.algorithm.rawValue
        let header = try Self.header(details.header, of: delivery, missing: .signatureMissing)
        var timestamp = ""
        if let name = details.timestampHeader {
            timestamp = try Self.header(name, of: delivery, missing: .timestampMissing)
            guard let sent = Self.time(timestamp) else {
                throw BerthError(.timestampInvalid, "the header '\(name)' is neither Unix time nor RFC 3339")
            }
            try Self.checkAge(sent, now, toleranceSeconds: details.toleranceSeconds)
        } else if details.signed.contains(.timestamp) {
            throw BerthError(
                .timestampMissing, "the manifest signs a timestamp and names no header for it", hint: "set webhook.hmac.timestamp_header")
        }
        let signatures = try Self.signatures(in: header, details)
        if let first = signatures.first { proof.show(first) }
        let isAuthentic =
            switch details.algorithm {
            case .sha256: Self.matches(SHA256.self, signatures, details, delivery, timestamp, keys)
            case .sha1: Self.matches(Insecure.SHA1.self, signatures, details, delivery, timestamp, keys)
            case .sha512: Self.matches(SHA512.self, signatures, details, delivery, timestamp, keys)
            }
        guard isAuthentic else { throw BerthError(.signatureInvalid, "no key gives this signature for this request") }
    }

    /// The signature texts in a header's value: separated by commas or blanks, prefix taken off. With a declared prefix
    /// those without it are skipped; without one `<algorithm>=` may stand before each.
    static func signatures(in value: String, _ details: SignatureScheme.HMAC) throws(BerthError) -> [Substring] {
        var text = value[...]
        var prefix = details.prefix ?? ""
        if prefix.utf8.contains(where: isSeparator) {
            // A prefix with a blank ("HMAC-SHA256 ...") stands once, before the whole.
            guard text.hasPrefix(prefix) else { throw BerthError(.signatureInvalid, "the header does not begin with the declared prefix") }
            text = text.dropFirst(prefix.count)
            prefix = ""
        }
        let optional = "\(details.algorithm.rawValue)="
        var found: [Substring] = []
        var seen = 0
        for item in text.utf8.split(maxSplits: signaturesMax, whereSeparator: isSeparator) {
            seen += 1
            guard seen <= signaturesMax else {
                throw BerthError(.signatureInvalid, "the header holds more than \(signaturesMax) signatures")
            }
            var item = Substring(item)
            if !prefix.isEmpty {
                guard item.utf8.starts(with: prefix.utf8) else { continue }
                item = Substring(item.utf8.dropFirst(prefix.utf8.count))
            } else if details.prefix == nil, item.utf8.starts(with: optional.utf8) {
                item = Substring(item.utf8.dropFirst(optional.utf8.count))
            }
            found.append(item)
        }
        guard !found.isEmpty else { throw BerthError(.signatureInvalid, "the header holds no signature of the declared form") }
        return found
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ",") || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    /// Unix seconds or milliseconds (from 100,000,000,000 on), or RFC 3339.
    static func time(_ text: String) -> Timestamp? {
        let digits = text.utf8
        guard digits.allSatisfy({ (48...57).contains($0) }) else { return Timestamp(text) }
        guard (1...13).contains(digits.count), let value = Int64(text) else { return nil }
        return Timestamp(milliseconds: value >= 100_000_000_000 ? value : value * 1000)
    }

    /// Whether any signature is that of any key. Texts that do not decode to the hash's length count as wrong.
    private static func matches<H: HashFunction>(
        _ hash: H.Type, _ signatures: [Substring], _ details: SignatureScheme.HMAC, _ delivery: RawDelivery, _ timestamp: String,
        _ keys: [VerificationKey]
    ) -> Bool {
        let length = H.Digest.byteCount
        return withUnsafeTemporaryAllocation(byteCount: length * signatures.count, alignment: 8) { decoded in
            var count = 0
            for signature in signatures {
                let slot = UnsafeMutableRawBufferPointer(rebasing: decoded[count * length..<(count + 1) * length])
                let bytes =
                    details.encoding == .hex
                    ? SignatureText.decodeHex(signature.utf8, into: slot) : SignatureText.decodeBase64(signature.utf8, into: slot)
                if bytes == length { count += 1 }
            }
            guard count > 0 else { return false }
            for key in keys {
                var mac = HMAC<H>(key: key.raw)
                for part in details.signed { update(&mac, part, delivery, timestamp) }
                let isMatch = mac.finalize().withUnsafeBytes { computed in
                    var isMatch = false
                    for index in 0..<count {
                        let candidate = UnsafeRawBufferPointer(rebasing: decoded[index * length..<(index + 1) * length])
                        if ConstantTime.equal(computed, candidate) { isMatch = true }
                    }
                    return isMatch
                }
                if isMatch { return true }
            }
            return false
        }
    }

    private static func update<H: HashFunction>(
        _ mac: inout HMAC<H>, _ part: SignatureScheme.HMAC.Part, _ delivery: RawDelivery, _ timestamp: String
    ) {
        switch part {
        case .body: delivery.body.withUnsafeBytes { mac.update(data: $0) }
        case .timestamp: mac.update(text: timestamp)
        case .method: mac.update(text: delivery.method)
        case .path: mac.update(text: delivery.path)
        case .query: mac.update(text: delivery.query)
        case .literal(let text): mac.update(text: text)
        }
    }
}

extension HMAC {
    /// Adds a text's UTF-8 bytes.
    mutating func update(text: String) {
        var text = text
        text.withUTF8 { update(data: UnsafeRawBufferPointer($0)) }
    }
}
