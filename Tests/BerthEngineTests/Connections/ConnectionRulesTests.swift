// What a connection may be given is found out when it is given.

import BerthModel
import BerthSeams
import Testing

@testable import BerthEngine

@Suite struct ConnectionRulesTests {
    private func problem(_ change: (inout ConnectionDraft) -> Void) throws -> String? {
        var manifest = try IntakeBed.manifest(nil)
        manifest.credentials = [
            CredentialSpec(kind: .apiKey, placements: [.init(field: "token", place: .authorization(scheme: "Bearer"))])
        ]
        var draft = ConnectionDraft()
        change(&draft)
        var connection = try IntakeBed.connection(nil, number: 1)
        do { try ConnectionRules(manifest: manifest).apply(draft, to: &connection, isNew: false) } catch { return error.message }
        return nil
    }

    @Test(arguments: ["http://127.0.0.1:99999", "http://127.0.0.1:0", "http://a:80:80", "http://[fe80::1%25lo]", "http://bücher.example"])
    func anAddressThatNoRequestCanUseIsRefused(url: String) throws {
        // Without it the connection is active until its first request.
        #expect(try problem { $0.baseURL = url }?.contains("base_url: '\(url)'") == true)
        #expect(try problem { $0.baseURL = "http://127.0.0.1:9999/" } == nil)
    }

    @Test(arguments: ["a\r\nX-Admin: 1", "a\nb", "\u{0}", "a\u{7F}"]) func aTokenThatNoHeaderCarriesIsRefused(token: String) throws {
        // Without it the first request says so, and the connection looks well until then.
        let found = try problem { $0.credentialFields = ["token": Secret(copying: Array(token.utf8))] }
        #expect(found?.contains("credentials.token") == true && found?.contains(token) == false)
        #expect(try problem { $0.credentialFields = ["token": Secret(copying: Array("ü-\t-ok".utf8))] } == nil)
    }
}
