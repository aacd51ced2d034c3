// The token endpoint: single-use codes, client authentication, and grant types without a redirect.

import Foundation
import Testing

@Suite struct OAuthTokenTests {
    // Without this, a stolen code would be worth as much as the first.
    @Test func aReplayedCodeRevokesItsTokens() throws {
        let mock = try MockProcess.oauth()
        let code = try mock.code()
        let first = try mock.redeem(code)
        #expect(try mock.api("me", first.access).status == 200)
        #expect(try mock.redeem(code).error == "invalid_grant")
        let refused = try mock.api("me", first.access)
        #expect(refused.status == 401 && refused.headers["www-authenticate"]?.contains("error=\"invalid_token\"") == true)
        #expect(try mock.refresh(first.refresh ?? "").error == "invalid_grant")
        #expect(try mock.grants().map { $0["revoked_by"] as? String } == ["code_replay"])
    }

    // Without this, a client could mix up verifier, redirect, client or code and not notice.
    @Test(arguments: [
        ["code_verifier": ""], ["code_verifier": String(repeating: "a", count: 43)], ["redirect_uri": "http://127.0.0.1:2/callback"],
        ["redirect_uri": ""], ["code": "mock_ac_other"], ["client_id": "mock-public", "client_secret": ""],
    ])
    func wrongExchangesAreInvalidGrants(_ changes: [String: String]) throws {
        let mock = try MockProcess.oauth()
        let answer = try mock.redeem(try mock.code(), changes)
        #expect(answer.status == 400 && answer.error == "invalid_grant" && answer.refresh == nil)
        #expect(try mock.grants().isEmpty)
    }

    // Without this, slow users would not be played.
    @Test func codesExpire() throws {
        let mock = try MockProcess.oauth("code_seconds=0")
        #expect(try mock.redeem(try mock.code()).error == "invalid_grant")
    }

    // Without this, a client that authenticates in one way only would fail with half of the providers.
    @Test func clientsAuthenticateInEveryWay() throws {
        let mock = try MockProcess.oauth("clients=mock-client:s%c:r et,mock-public")
        func basic(_ id: String, _ secret: String) -> [String: String] {
            ["Authorization": "Basic " + Data(MockProcess.encodedPair(id, secret).utf8).base64EncodedString()]
        }
        let ask = ["grant_type": "client_credentials"]
        #expect(try mock.token(ask, headers: basic("mock-client", "s%c:r et")).status == 200)
        #expect(try mock.token(ask.merging(["client_id": "mock-client", "client_secret": "s%c:r et"]) { $1 }).status == 200)
        let json = try mock.json(
            "POST", "/oauth/token", headers: ["Content-Type": "application/json"],
            ["grant_type": "client_credentials", "client_id": "mock-client", "client_secret": "s%c:r et"])
        #expect(json.status == 200)
        let wrong = try mock.token(ask, headers: basic("mock-client", "no"))
        #expect(wrong.status == 401 && wrong.error == "invalid_client" && wrong.headers["www-authenticate"]?.hasPrefix("Basic") == true)
        let body = try mock.token(ask.merging(["client_id": "mock-client", "client_secret": "no"]) { $1 })
        #expect(body.status == 401 && body.headers["www-authenticate"] == nil)
        #expect(
            try mock.token(ask.merging(["client_secret": "s%c:r et"]) { $1 }, headers: basic("mock-client", "s%c:r et")).error
                == "invalid_request")
        #expect(try mock.token(ask.merging(["client_id": "mock-public"]) { $1 }).error == "unauthorized_client")
        let code = try mock.code(["client_id": "mock-public"])
        #expect(try mock.redeem(code, ["client_id": "mock-public", "client_secret": ""]).status == 200, "public with PKCE")
        #expect(try mock.entries().map { $0["client_auth"] as? String } == ["basic", "body", "body", nil, nil, nil, "none", "none"])
    }

    // Without this, "form or JSON" and "Basic or body" would be options that nothing checks.
    @Test func onlyTheConfiguredFormAndMethodAreTaken() throws {
        let mock = try MockProcess.oauth("token_body=form", "client_auth=basic")
        let ask = ["grant_type": "client_credentials"].merging(MockProcess.secret) { $1 }
        #expect(try mock.token(ask).error == "invalid_client")
        let header = ["Authorization": "Basic " + Data("mock-client:mock-client-secret".utf8).base64EncodedString()]
        #expect(try mock.token(["grant_type": "client_credentials"], headers: header).status == 200)
        let json = header.merging(["Content-Type": "application/json"]) { $1 }
        #expect(try mock.json("POST", "/oauth/token", headers: json, ["grant_type": "client_credentials"]).error == "invalid_request")
        try mock.set(["token_body": "json", "client_auth": "body"])
        #expect(try mock.token(ask).error == "invalid_request")
        #expect(try mock.json("POST", "/oauth/token", headers: ["Content-Type": "application/json"], ask).status == 200)
        #expect(try mock.request("GET", "/oauth/token").status == 405)
    }

    // Without this, kinds of grant without a redirect would go untested.
    @Test func otherGrantTypes() throws {
        let mock = try MockProcess.oauth()
        let machine = try mock.token(["grant_type": "client_credentials", "scope": "calls"].merging(MockProcess.secret) { $1 })
        #expect(machine.status == 200 && machine.refresh == nil && machine.object["scope"] as? String == "calls")
        let user = ["grant_type": "password", "username": "mock-user", "password": "mock-password"].merging(MockProcess.secret) { $1 }
        #expect(try mock.token(user).refresh != nil)
        #expect(try mock.token(user.merging(["password": "no"]) { $1 }).error == "invalid_grant")
        #expect(try mock.token(["grant_type": "implicit"].merging(MockProcess.secret) { $1 }).error == "unsupported_grant_type")
        #expect(try mock.token(MockProcess.secret).error == "invalid_request")
    }

    // Without this, replies that leave out what others send would not be met: Salesforce's has no expires_in, others no end.
    @Test func repliesLeaveThingsOut() throws {
        let mock = try MockProcess.oauth(#"extra={"instance_url":"https://na1.example","id":7}"#, "expires_in=false", "access_seconds=0")
        let reply = try mock.redeem(try mock.code())
        #expect(reply.object["expires_in"] == nil && reply.object["instance_url"] as? String == "https://na1.example")
        #expect(reply.object["id"] as? Int == 7)
        #expect(try mock.api("me", reply.access).status == 401, "it expires all the same")
        try mock.set(["expires_in": true, "access_seconds": "never", "issues_refresh": false])
        let endless = try mock.redeem(try mock.code())
        #expect(endless.object["expires_in"] == nil && endless.refresh == nil)
        #expect(try mock.api("me", endless.access).status == 200)
        try mock.set(["extra": #"{"expires_in":"soon","scope":null,"access_token":[{"a":1.5}]}"#])
        let odd = try mock.redeem(try mock.code()).object
        #expect(
            odd["expires_in"] as? String == "soon" && odd["scope"] == nil && (odd["access_token"] as? [[String: Double]]) == [["a": 1.5]])
        try mock.set(["clock_skew_seconds": -3600, "extra": ""])
        let created = try #require(try mock.redeem(try mock.code()).object["created_at"] as? Int)
        #expect(abs(Double(created) - Date().timeIntervalSince1970 + 3600) < 60)
    }

    // Without this, Outreach's one token a minute could not be met.
    @Test func mintingTooOftenIsThrottled() throws {
        let mock = try MockProcess.oauth("mint_seconds=3600")
        let tokens = try mock.connect()
        let throttled = try mock.refresh(tokens.refresh)
        #expect(throttled.status == 429 && Int(throttled.headers["retry-after"] ?? "").map { (3000...3600).contains($0) } == true)
        try mock.set(["mint_seconds": 0])
        #expect(try mock.refresh(tokens.refresh).status == 200, "nothing was rotated")
    }

    // Without this, disconnecting could claim to have revoked what it had not.
    @Test func revocation() throws {
        let mock = try MockProcess.oauth()
        func revoke(_ token: String, _ client: [String: String] = MockProcess.secret) throws -> MockProcess.Answer {
            let headers = ["Content-Type": "application/x-www-form-urlencoded"]
            return try mock.request(
                "POST", "/oauth/revoke", headers: headers, body: MockProcess.encoded(client.merging(["token": token]) { $1 }))
        }
        let tokens = try mock.connect()
        #expect(try revoke(tokens.refresh, ["client_id": "mock-client", "client_secret": "no"]).status == 401)
        #expect(try revoke(tokens.refresh, ["client_id": "mock-public"]).status == 200, "another client's token is unknown")
        #expect(try mock.api("me", tokens.access).status == 200)
        #expect(try revoke(tokens.access).status == 200)
        #expect(try mock.api("me", tokens.access).status == 401)
        let next = try mock.refresh(tokens.refresh)
        #expect(try mock.api("me", next.access).status == 200, "the grant lives on")
        #expect(try revoke(next.refresh ?? "").body.isEmpty)
        #expect(try mock.api("me", next.access).status == 401)
        #expect(try mock.refresh(next.refresh ?? "").error == "invalid_grant")
        #expect(try mock.told("ledger")["revocations"] as? [String: Int] == ["invalid_client": 1, "unknown_token": 1, "revoked": 2])
        #expect(try mock.grants().first?["revoked_by"] as? String == "client_revoked")
    }
}

extension MockProcess {
    /// `id:secret`, each form-urlencoded first, as RFC 6749 section 2.3.1 asks.
    static func encodedPair(_ id: String, _ secret: String) -> String {
        String(encoded(["x": id]).dropFirst(2)) + ":" + String(encoded(["x": secret]).dropFirst(2))
    }
}
