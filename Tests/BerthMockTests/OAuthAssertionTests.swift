// JWT bearer assertions: RS256 and ES256, and every claim that can be wrong.

import Crypto
import CryptoExtras
import Foundation
import Testing

@Suite struct OAuthAssertionTests {
    static let type = "urn:ietf:params:oauth:grant-type:jwt-bearer"

    static func encoded(_ data: some DataProtocol) -> String {
        Data(data).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    static func assertion(_ algorithm: String, _ claims: [String: Any], sign: (Data) throws -> Data) throws -> String {
        let parts = try [["alg": algorithm, "typ": "JWT"], claims].map { encoded(try JSONSerialization.data(withJSONObject: $0)) }
        let message = parts.joined(separator: ".")
        return message + "." + encoded(try sign(Data(message.utf8)))
    }

    static func claims(_ mock: MockProcess, _ changes: [String: Any] = [:]) -> [String: Any] {
        [
            "iss": "mock-client", "sub": "user@example.com", "aud": "http://127.0.0.1:\(mock.port)/oauth/token",
            "exp": Int(Date().timeIntervalSince1970) + 180,
        ].merging(changes) { $1 }
    }

    // Without this, RS256 (Salesforce, Google) would be taken on trust, and a key of another size or kind with it.
    @Test func rs256() throws {
        let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let mock = try MockProcess.oauth("jwt_key=" + key.publicKey.pemRepresentation)
        func ask(_ key: _RSA.Signing.PrivateKey, _ changes: [String: Any] = [:], algorithm: String = "RS256") throws -> MockProcess.Answer {
            let text = try Self.assertion(algorithm, Self.claims(mock, changes)) {
                try key.signature(for: SHA256.hash(data: $0), padding: .insecurePKCS1v1_5).rawRepresentation
            }
            return try mock.token(["grant_type": Self.type, "assertion": text])
        }
        let reply = try ask(key)
        #expect(reply.status == 200 && reply.refresh == nil)
        #expect(try mock.api("me", reply.access).object["account"] as? String == "user@example.com")
        #expect(try mock.entries().first?["client_auth"] as? String == "assertion")
        #expect(try ask(try _RSA.Signing.PrivateKey(keySize: .bits2048)).error == "invalid_grant")
        #expect(try ask(key, algorithm: "none").error == "invalid_grant")
        let now = Int(Date().timeIntervalSince1970)
        let wrong: [[String: Any]] = [
            ["iss": "nobody"], ["aud": "https://login.example.com"], ["exp": now - 10], ["exp": now + 90_000], ["iat": now + 600],
            ["nbf": now + 600],
        ]
        for changes in wrong { #expect(try ask(key, changes).error == "invalid_grant", "\(changes)") }
        #expect(try ask(key, ["aud": ["x", "http://127.0.0.1:\(mock.port)"], "jti": "one"]).status == 200)
        #expect(try ask(key, ["jti": "one"]).error == "invalid_grant", "an assertion is good once")
        try mock.set(["clock_skew_seconds": 3600])
        #expect(try ask(key).error == "invalid_grant", "an hour ahead, the assertion has expired")
    }

    // Without this, ES256 keys would be refused, or their signatures not looked at.
    @Test func es256FromAFile() throws {
        let key = P256.Signing.PrivateKey()
        let file = FileManager.default.temporaryDirectory.appending(path: "key-\(UUID().uuidString).pem")
        try Data(key.publicKey.pemRepresentation.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }  // Left behind at worst.
        let mock = try MockProcess.oauth("jwt_key=" + file.path, "jwt_audience=https://login.example.com")
        func ask(_ key: P256.Signing.PrivateKey) throws -> MockProcess.Answer {
            let text = try Self.assertion("ES256", Self.claims(mock, ["aud": "https://login.example.com"])) {
                try key.signature(for: $0).rawRepresentation
            }
            return try mock.token(["grant_type": Self.type, "assertion": text])
        }
        #expect(try ask(key).status == 200)
        #expect(try ask(P256.Signing.PrivateKey()).error == "invalid_grant")
        #expect(try mock.token(["grant_type": Self.type]).error == "invalid_request")
        #expect(try mock.token(["grant_type": Self.type, "assertion": "a.b.c"]).error == "invalid_grant")
    }
}
