// The schemes in which the sender shows the shared secret itself: `token` and `basic`. No part of it is ever logged.

import BerthModel
import BerthSeams

extension SignatureVerifier {
    /// The path segment counts if there is one, else the first declared place that holds a value. A wrong token is not
    /// made good by a right one in another place.
    func verifyToken(
        _ delivery: RawDelivery, _ places: [ValueSelector], _ keys: [VerificationKey], _ proof: inout ProofText
    ) throws(BerthError) {
        var token = delivery.pathToken
        proof.detail = "in path"
        if token == nil {
            for place in places {
                switch place {
                case .header(let name) where delivery.headers.contains { $0.name == name }:
                    let value = try Self.header(name, of: delivery, missing: .tokenMissing)
                    token = name == "authorization" ? Self.behindSchemeWord(value) : value
                    proof.detail = "in header \(name)"
                case .query(let name):
                    var query = delivery.query
                    token = query.withUTF8 { FormFields.value(of: name, in: $0) }
                    proof.detail = "in query \(name)"
                default: continue
                }
                if token != nil { break }
            }
        }
        guard var token, !token.isEmpty else {
            proof.detail = ""
            throw BerthError(.tokenMissing, "the request carries no token")
        }
        guard token.withUTF8({ Self.isAny(of: keys, UnsafeRawBufferPointer($0)) }) else {
            throw BerthError(.tokenInvalid, "the token is not the connection's")
        }
    }

    /// RFC 7617 with the secret `username:password`.
    func verifyBasic(_ delivery: RawDelivery, _ keys: [VerificationKey], _ proof: inout ProofText) throws(BerthError) {
        let header = try Self.header("authorization", of: delivery, missing: .signatureMissing)
        let words = header.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count == 2, words[0].lowercased() == "basic", words[1].utf8.count <= 4096,
            var given = SignatureText.base64Bytes(words[1].utf8)
        else { throw BerthError(.signatureInvalid, "the Authorization header is no basic credential") }
        defer { _ = given.withUnsafeMutableBytes { $0.initializeMemory(as: UInt8.self, repeating: 0) } }
        guard given.withUnsafeBytes({ Self.isAny(of: keys, $0) }) else {
            throw BerthError(.signatureInvalid, "user name or password are not the connection's")
        }
    }

    private static func isAny(of keys: [VerificationKey], _ given: UnsafeRawBufferPointer) -> Bool {
        guard given.count > 0 else { return false }
        var isMatch = false
        for key in keys where key.secret.withBytes({ ConstantTime.equal($0, given) }) { isMatch = true }
        return isMatch
    }

    private static func behindSchemeWord(_ value: String) -> String {
        guard let blank = value.firstIndex(of: " ") else { return value }
        return String(value[value.index(after: blank)...])
    }
}
