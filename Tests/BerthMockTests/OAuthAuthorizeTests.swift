// The authorization endpoint: who gets a code, who an error, and who no redirect at all.

import Foundation
import Testing

@Suite struct OAuthAuthorizeTests {
    // Without this, a client that loses state, or sends none of its parameters, would still get its tokens.
    @Test func theWholeFlowGivesTokensThatWork() throws {
        let mock = try MockProcess.oauth()
        let answer = try mock.authorization(["scope": "calls.read", "login_hint": "acct-7"])
        #expect(answer.status == 302 && answer.headers["location"]?.hasPrefix(MockProcess.redirect + "?") == true)
        let told = MockProcess.told(answer)
        #expect(told["state"] == "st ate" && told["iss"] == "http://127.0.0.1:\(mock.port)")
        let reply = try mock.redeem(try #require(told["code"]))
        #expect(reply.status == 200 && reply.headers["cache-control"] == "no-store")
        #expect(reply.object["token_type"] as? String == "Bearer" && reply.object["expires_in"] as? Int == 3600)
        #expect(reply.object["scope"] as? String == "calls.read" && reply.object["created_at"] is Int)
        let me = try mock.api("me", reply.access)
        #expect(me.object["account"] as? String == "acct-7" && me.object["scopes"] as? [String] == ["calls.read"])
    }

    // Without this, an open redirector would look like a provider.
    @Test(arguments: [
        ["client_id": "nobody"], ["redirect_uri": ""], ["redirect_uri": "https://example.com/callback"],
        ["redirect_uri": "http://127.0.0.1.example.com/"], ["redirect_uri": "http://127.0.0.1@example.com/"],
        ["redirect_uri": "http://127.0.0.1:99999/"], ["redirect_uri": "https://registered.example/callback/"],
    ])
    func untrustedClientsAreNotRedirected(_ changes: [String: String]) throws {
        let mock = try MockProcess.oauth("redirects=https://registered.example/callback")
        let answer = try mock.authorization(changes)
        #expect(answer.status == 400 && answer.headers["location"] == nil && answer.error == "invalid_request")
    }

    // Without this, registration and loopback (any port, IPv6 too) could not be told apart.
    @Test(arguments: ["https://registered.example/callback", "http://localhost:8700/x", "http://[::1]:77/oauth?a=1", "http://127.0.0.1/"])
    func knownRedirectsAreTaken(_ redirect: String) throws {
        let mock = try MockProcess.oauth("redirects=https://registered.example/callback")
        let answer = try mock.authorization(["redirect_uri": redirect])
        #expect(answer.status == 302 && answer.headers["location"]?.hasPrefix(redirect) == true)
        #expect(MockProcess.told(answer)["code"] != nil)
    }

    // Without this, a client without PKCE, with plain, or with a bad type would pass.
    @Test(arguments: [
        (["code_challenge": ""], "invalid_request"), (["code_challenge_method": "plain"], "invalid_request"),
        (["code_challenge_method": ""], "invalid_request"), (["code_challenge": "short"], "invalid_request"),
        (["response_type": "token"], "unsupported_response_type"), (["response_type": ""], "invalid_request"),
        (["scope": "read admin"], "invalid_scope"), (["prompt": "deny"], "access_denied"),
    ])
    func errorsComeByRedirectWithState(_ changes: [String: String], error: String) throws {
        let mock = try MockProcess.oauth("scopes=read write")
        let told = MockProcess.told(try mock.authorization(changes))
        #expect(told["error"] == error && told["state"] == "st ate" && told["code"] == nil)
    }

    // Without this, a provider without PKCE could not be played, or the switch would free public clients too.
    @Test func pkceMayBeSwitchedOff() throws {
        let mock = try MockProcess.oauth(more: ["--oauth-no-pkce"])
        let bare = ["code_challenge": "", "code_challenge_method": ""]
        #expect(try mock.redeem(try mock.code(bare), ["code_verifier": ""]).status == 200)
        #expect(MockProcess.told(try mock.authorization(bare.merging(["client_id": "mock-public"]) { $1 }))["error"] == "invalid_request")
    }

    // Without this, consent could not be refused and given again while a test runs.
    @Test func consentIsSwitchedAtRunTime() throws {
        let mock = try MockProcess.oauth()
        try mock.set(["deny": true])
        #expect(MockProcess.told(try mock.authorization())["error"] == "access_denied")
        try mock.set(["deny": false, "account": "acct-2"])
        #expect(try mock.api("me", try mock.connect().access).object["account"] as? String == "acct-2")
        let counts = try mock.told("ledger")["authorizations"] as? [String: Int]
        #expect(counts == ["access_denied": 1, "granted": 1])
        #expect(try mock.json("PUT", "/_mock/oauth/settings", ["account": "acct-3", "deny": "perhaps"]).status == 400)
        #expect(try mock.told("settings")["account"] as? String == "acct-2", "all or nothing")
    }
}
