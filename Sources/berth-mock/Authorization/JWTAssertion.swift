// Reads a JWT bearer assertion and judges it as RFC 7523 asks: signature, audience, times, single use left to the caller.

import FoundationEssentials

/// A verified assertion.
struct JWTAssertion: Sendable {
    /// `iss`: the client.
    let issuer: String
    /// `sub`: the account.
    let subject: String
    /// `jti`, when it has one.
    let id: String?

    /// - Parameters:
    ///   - audiences: any of them will do.
    ///   - now: the server's time; an assertion may be issued up to 60 s in its future and live at most an hour.
    /// - Throws: ``OAuthFailure`` `invalid_grant`, with what is wrong in the description.
    init(_ text: String, keys: [AssertionKey], audiences: [String], now: Milliseconds) throws(OAuthFailure) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Self.decoded(parts[0]).flatMap({ JSONDocument(parsing: Array($0)) }),
            let claims = Self.decoded(parts[1]).flatMap({ JSONDocument(parsing: Array($0)) }), let signature = Self.decoded(parts[2])
        else { throw .invalidGrant("assertion is no JWT") }
        let algorithm = header["alg"]?.text ?? ""
        let message = Data("\(parts[0]).\(parts[1])".utf8)
        guard !keys.isEmpty else { throw .invalidGrant("no key is configured to verify assertions with (jwt_key)") }
        guard keys.contains(where: { $0.verifies(signature, of: message, algorithm: algorithm) }) else {
            throw .invalidGrant("assertion signature (\(algorithm)) does not match a configured key")
        }
        guard let issuer = claims["iss"]?.text, let subject = claims["sub"]?.text else { throw .invalidGrant("assertion lacks iss or sub") }
        let audience = claims["aud"]
        let named = audience?.elements.compactMap(\.text) ?? []
        guard (named + [audience?.text].compactMap { $0 }).contains(where: audiences.contains) else {
            throw .invalidGrant("assertion audience is none of \(audiences.joined(separator: ", "))")
        }
        let seconds = Double(now) / 1000
        guard let expiry = claims["exp"]?.number else { throw .invalidGrant("assertion lacks exp") }
        guard expiry > seconds else { throw .invalidGrant("assertion expired \(Int(seconds - expiry)) s ago") }
        guard expiry <= seconds + 3660 else { throw .invalidGrant("assertion expires more than an hour ahead") }
        for claim in ["nbf", "iat"] {
            if let time = claims[claim]?.number, time > seconds + 60 { throw .invalidGrant("assertion \(claim) is in the future") }
        }
        self.issuer = issuer
        self.subject = subject
        id = claims["jti"]?.text
    }

    private static func decoded(_ part: Substring) -> Data? {
        var text = String(part).replacing("-", with: "+").replacing("_", with: "/")
        while text.utf8.count % 4 != 0 { text += "=" }
        return Data(base64Encoded: text)
    }
}
