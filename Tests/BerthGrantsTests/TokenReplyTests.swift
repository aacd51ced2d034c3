// Token replies as real servers write them: what is taken, what is told.

import BerthModel
import BerthSeams
import Foundation
import Testing

@testable import BerthGrants

@Suite struct TokenReplyTests {
    private static let now = Timestamp(milliseconds: 1_700_000_000_000)

    private func read(
        _ body: [UInt8], status: Int = 200, headers: [(name: String, value: String)] = [], _ change: (inout OAuthSpec) -> Void = { _ in }
    ) -> Result<TokenReply, GrantFailure> {
        var spec = OAuthSpec(tokenURL: "https://a.example/token")
        change(&spec)
        let response = ProviderResponse(status: status, headers: headers, body: body)
        return TokenReply.read(response, spec, now: Self.now, ForeignWords(hiding: []))
    }

    private func good(_ more: String = "") -> [UInt8] {
        Array(#"{"access_token":"AT-1","token_type":"Bearer","refresh_token":"RT-2"\#(more)}"#.utf8)
    }

    // Without this the refresh token of a good answer is thrown away, the spent one is sent again, and the provider ends the grant.
    @Test(arguments: ["null", #""""#, "0", "false", "{}", #""none""#])
    func whatIsSaidOfErrorsBesideATokenCostsNoGrant(_ error: String) throws {
        let reply = try read(good(#","error":\#(error)"#)).get()
        #expect(reply.unfit == nil && reply.refreshToken?.exposedText == "RT-2")
    }

    // Without this an answer that says no is taken for tokens.
    @Test func errorsAreErrors() {
        for (status, body) in [(200, #"{"error":"invalid_grant"}"#), (400, #"{"error":"invalid_grant","access_token":"AT-1"}"#)] {
            guard case .failure(let failure) = read(Array(body.utf8), status: status) else { Issue.record("taken: \(body)"); continue }
            #expect(failure.needsConsent)
        }
        guard case .failure(let failure) = read(Array(#"{"error":null}"#.utf8)) else { Issue.record("a reply of nothing"); return }
        #expect(failure.message.contains("without an access_token"))
    }

    // As with errors: a slip of the server's is not worth a grant.
    @Test func slipsInTheDocumentCostNoGrant() throws {
        let latin = Array(#"{"access_token":"AT-1","refresh_token":"RT-2","user":"J"#.utf8) + [0xF6] + Array(#"rg"}"#.utf8)
        for body in [[0xEF, 0xBB, 0xBF] + good(), good() + [0], good() + Array(";\r\n".utf8), latin] {
            #expect(try read(body).get().refreshToken?.exposedText == "RT-2")
        }
        #expect(try read(latin) { $0.accountPointer = "/user" }.get().account == "J\u{F6}rg")
        for body in ["", ";", "<html>", #"{"access_token":"AT-1""#, #"{"access_token":"AT-1"} {}"#] {
            guard case .failure = read(Array(body.utf8)) else { Issue.record("taken: \(body)"); continue }
        }
    }

    // Without this a token of an hour is used until the provider refuses it, and nobody learns why.
    @Test func lifetimesAreReadInAnyForm() throws {
        let forms: [(String, Int64?)] = [
            ("3600", 3600), ("3600.9", 3600), (#""3600""#, 3600), (#""3600.0""#, 3600), (#"" 3600 ""#, 3600), (#""1e3""#, 1000),
            ("null", nil),
            ("-5", nil), ("1e300", nil), (#""soon""#, nil), ("true", nil),
        ]
        for (text, seconds) in forms { #expect(try read(good(",\"expires_in\":\(text)")).get().expiresIn == seconds, "\(text)") }
        let unread = try read(good(#","expires_in":"soon""#)) { $0.lifetimeSeconds = 60 }.get()
        #expect(unread.expiresIn == 60 && unread.unreadLifetime == #""soon""#)
        #expect(try read(good(#","expires_in":3600"#)).get().unreadLifetime == nil)
    }

    // Without this a blank ends a grant, or a token of another kind is sent as a bearer token.
    @Test func kindsOfTokens() throws {
        for type in ["Bearer ", "bearer", "BEARER", ""] {
            let reply = try read(Array(#"{"access_token":"AT-1","token_type":"\#(type)"}"#.utf8)).get()
            #expect(reply.unfit == nil && reply.tokenType == "Bearer")
        }
        let reply = try read(Array(#"{"access_token":"AT-1","token_type":"mac","refresh_token":"RT-2"}"#.utf8)).get()
        #expect(reply.unfit?.isFinal == true && reply.refreshToken != nil)
    }

    // Without this a provider that lists its scopes in its own way loses every connection at the first renewal.
    @Test func scopesAreComparedByWhatTheyMean() throws {
        let asked = ["offline_access", "User.Read"]
        let same = [
            "User.Read", "https://graph.microsoft.com/User.Read profile openid", "offline_access user.read", "offline_access+User.Read",
            "User.Read,Mail.Read", "", " ",
        ]
        for scope in same { #expect(try read(good(#","scope":"\#(scope)""#)) { $0.scopes = asked }.get().unfit == nil, "\(scope)") }
        #expect(try read(good(#","scope":["User.Read"]"#)) { $0.scopes = asked }.get().unfit == nil)
        let less = try read(good(#","scope":"User.ReadBasic https://graph.microsoft.com/Mail.Read""#)) { $0.scopes = asked }.get()
        #expect(less.unfit?.message.hasSuffix("User.Read is missing") == true && less.refreshToken != nil)
    }

    // Two services' scopes that end alike are two scopes; a scope that holds a plus is one.
    @Test func scopesOfOtherServicesAreOthers() {
        #expect(GrantedScopes("https://a.example/read", " ").missing(of: ["https://b.example/read"]) == ["https://b.example/read"])
        #expect(GrantedScopes("https://a.example/read/", " ").missing(of: ["https://a.example/read"]).isEmpty)
        #expect(GrantedScopes("read", " ").missing(of: ["https://b.example/read"]).isEmpty)
        #expect(GrantedScopes("Mail.Read", " ").missing(of: ["https://graph.microsoft.com/.default"]).isEmpty)
        #expect(GrantedScopes("calls+read", " ").missing(of: ["calls+read"]).isEmpty)
        #expect(GrantedScopes("a;b", ";").missing(of: ["a", "b", "c"]) == ["c"])
    }

    // Without this an endpoint that asks for five minutes of rest is asked again after a second.
    @Test func restIsAskedForInSecondsOrAsADate() {
        let body = Array(#"{"error":"slow_down"}"#.utf8)
        let there = "Tue, 14 Nov 2023 23:13:20 GMT"  // an hour ahead of this machine
        let cases: [([(name: String, value: String)], Int64?)] = [
            ([("retry-after", "300")], 300), ([("retry-after", "Tue, 14 Nov 2023 22:18:20 GMT")], 300),
            ([("date", there), ("retry-after", "Tue, 14 Nov 2023 23:18:20 GMT")], 300),
            ([("retry-after", "Tue, 14 Nov 2023 20:00:00 GMT")], 0), ([("retry-after", "soon")], nil), ([], nil),
        ]
        for (headers, seconds) in cases {
            guard case .failure(let failure) = read(body, status: 429, headers: headers) else { Issue.record("taken"); continue }
            #expect(failure.retryAfter == seconds, "\(headers)")
        }
    }
}
