// Token requests by grant type (RFC 6749, 4 and 6; RFC 7523).

import BerthModel
import BerthSeams
import Crypto
import CryptoExtras
import FoundationEssentials

/// A request to a token or revocation endpoint, before it is sent.
struct TokenRequest {
    var url: String
    var headers: [(name: String, value: String)] = [(name: "accept", value: "application/json")]
    var body: [UInt8] = []

    /// The client's own fields.
    struct Client {
        var id: String
        var secret: String?
    }

    /// `parameters` in order; authentication and extra parameters are added.
    init(_ url: String, _ parameters: [(String, String)], _ client: Client, _ spec: OAuthSpec) {
        self.url = url
        var all = parameters
        for (name, value) in spec.tokenParameters.sorted(by: { $0.key < $1.key }) where !all.contains(where: { $0.0 == name }) {
            all.append((name, value))
        }
        switch spec.clientAuthentication {
        case .body:
            all.append(("client_id", client.id))
            if let secret = client.secret { all.append(("client_secret", secret)) }
        case .none: all.append(("client_id", client.id))
        case .basic:
            let pair = "\(Self.formEncoded(client.id)):\(Self.formEncoded(client.secret ?? ""))"
            headers.append((name: "authorization", value: "Basic \(Base64.encode(Array(pair.utf8), urlSafe: false))"))
        }
        switch spec.requestFormat {
        case .form:
            headers.append((name: "content-type", value: "application/x-www-form-urlencoded"))
            body = Array(all.map { "\(Self.formEncoded($0.0))=\(Self.formEncoded($0.1))" }.joined(separator: "&").utf8)
        case .json:
            headers.append((name: "content-type", value: "application/json"))
            let members = Dictionary(all.map { ($0.0, JSONValue.string($0.1)) }, uniquingKeysWith: { first, _ in first })
            body = Array(JSONValue.object(members).text.utf8)
        }
    }

    /// `application/x-www-form-urlencoded`: all but unreserved characters in percent form.
    static func formEncoded(_ text: String) -> String {
        var out = ""
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: out.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let hex = String(byte, radix: 16, uppercase: true)
                out += hex.utf8.count == 1 ? "%0\(hex)" : "%\(hex)"
            }
        }
        return out
    }

    /// A JWT assertion (RFC 7523): issuer is the client, subject the user it acts for.
    static func assertion(
        issuer: String, subject: String, audience: String, keyPEM: String, algorithm: String, id: String, now: Timestamp
    ) throws(GrantFailure) -> String {
        let seconds = now.milliseconds / 1000
        let header = JSONValue.object(["alg": .string(algorithm), "typ": .string("JWT")]).text
        // A minute back: clocks differ, and some providers refuse an assertion from the future.
        let claims = JSONValue.object([
            "iss": .string(issuer), "sub": .string(subject), "aud": .string(audience), "iat": .integer(seconds - 60),
            "exp": .integer(seconds + 180), "jti": .string(id),
        ]).text
        let signed = "\(Base64.encode(Array(header.utf8), urlSafe: true)).\(Base64.encode(Array(claims.utf8), urlSafe: true))"
        do {
            let signature: [UInt8]
            if algorithm == "ES256" {
                signature = Array(
                    try P256.Signing.PrivateKey(pemRepresentation: keyPEM).signature(for: Array(signed.utf8)).rawRepresentation)
            } else {
                let key = try _RSA.Signing.PrivateKey(pemRepresentation: keyPEM)
                signature = Array(
                    try key.signature(for: SHA256.hash(data: Array(signed.utf8)), padding: .insecurePKCS1v1_5).rawRepresentation)
            }
            return "\(signed).\(Base64.encode(signature, urlSafe: true))"
        } catch {
            throw GrantFailure(
                message: "the private_key can't sign with \(algorithm)", hint: "it must be a PEM private key of that kind, unencrypted",
                isFinal: true)
        }
    }
}
