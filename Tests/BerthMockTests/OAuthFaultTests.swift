// Faults of the token endpoint: each does what its name says, and leaves grants as it says.

import Foundation
import Glibc
import Testing

@Suite struct OAuthFaultTests {
    // Without this, a test of the daemon could pass because its fault never came, or because it had cost the grant nothing.
    @Test func faultsInsteadOfAnAnswerRotateNothing() throws {
        let mock = try MockProcess.oauth()
        let tokens = try mock.connect()
        func struck(_ fault: String) throws -> MockProcess.Answer {
            try mock.fault(fault)
            return try mock.refresh(tokens.refresh)
        }
        let page = try struck("token-html")
        #expect(page.status == 200 && page.headers["content-type"]?.hasPrefix("text/html") == true)
        #expect(try struck("token-500").status == 500)
        let empty = try struck("token-empty")
        #expect(empty.status == 200 && empty.body.isEmpty)
        let busy = try struck("token-429:17")
        #expect(busy.status == 429 && busy.headers["retry-after"] == "17")
        #expect(try struck("token-invalid-grant").error == "invalid_grant")
        let client = try struck("token-invalid-client")
        #expect(client.status == 401 && client.error == "invalid_client")
        #expect(try struck("token-redirect").headers["location"]?.hasSuffix("/_mock/trap") == true)
        #expect(try struck("token-gzip-bomb").headers["content-encoding"] == "gzip")
        let quiet = try struck("token-error-200")
        #expect(quiet.status == 200 && quiet.error == "bad_refresh_token")
        #expect(throws: (any Error).self) { try struck("token-reset") }
        try mock.fault()
        #expect(try mock.refresh(tokens.refresh).status == 200, "the grant is alive and its first refresh token unspent")
        let entries = try mock.entries().dropFirst()
        let wanted = [
            "token-html", "token-500", "token-empty", "token-429", "token-invalid-grant", "token-invalid-client", "token-redirect",
            "token-gzip-bomb", "token-error-200", "token-reset", "issued",
        ]
        #expect(entries.map { $0["outcome"] as? String } == wanted)
        #expect(entries.map { $0["status"] as? Int } == [200, 500, 200, 429, 400, 401, 302, 200, 200, 0, 200])
        #expect(entries.allSatisfy { $0["grant_type"] as? String == "refresh_token" && $0["finished_at"] is Int })
    }

    // Without this, the nastiest moment - rotated at the provider, unknown to the client - could not be made.
    @Test func resetAfterRotationLosesTheReply() throws {
        let mock = try MockProcess.oauth("grace=until-used")
        let tokens = try mock.connect()
        try mock.fault("token-reset-after*1")
        #expect(throws: (any Error).self) { try mock.refresh(tokens.refresh) }
        let entry = try #require(try mock.entries().last)
        #expect(entry["outcome"] as? String == "issued" && entry["status"] as? Int == 0 && entry["issued_generation"] as? Int == 2)
        #expect(entry["faults"] as? [String] == ["token-reset-after"])
        #expect(try mock.refresh(tokens.refresh).status == 200, "grace saves it")
        try mock.set(["grace": "off"])
        let strict = try mock.connect()
        try mock.fault("token-reset-after*1")
        #expect(throws: (any Error).self) { try mock.refresh(strict.refresh) }
        #expect(try mock.refresh(strict.refresh).error == "invalid_grant", "without grace it is lost")
        #expect(try mock.grants().last?["revoked_by"] as? String == "refresh_reuse")
    }

    // Without this, wrong tokens would not be told from right ones.
    @Test func faultsInTheReply() throws {
        let mock = try MockProcess.oauth("refresh_reply=none")
        let tokens = try mock.connect()
        func struck(_ fault: String) throws -> MockProcess.Answer {
            try mock.fault(fault)
            return try mock.refresh(tokens.refresh)
        }
        #expect(try struck("token-wrong-type").object["token_type"] as? String == "mac")
        let scope = try struck("token-wrong-scope")
        #expect(scope.object["scope"] as? String == "other.scope")
        let refused = try mock.api("items", scope.access)
        #expect(refused.status == 403 && refused.headers["www-authenticate"]?.contains("error=\"insufficient_scope\"") == true)
        #expect(try mock.api("me", try struck("token-other-account").access).object["account"] as? String == "acct-other")
        let half = try struck("token-truncated")
        #expect(half.status == 200 && half.json == nil && half.body.count == Int(half.headers["content-length"] ?? ""))
        let before = ContinuousClock.now
        #expect(try struck("token-slow:0.3").status == 200)
        #expect(ContinuousClock.now - before >= .milliseconds(300))
        #expect(try struck("token-drip:0.001").access.hasPrefix("mock_at_"))
    }

    // Without this, a client that gives up would leave the count of requests in flight wrong for good.
    @Test func aClientThatGivesUpIsStillCounted() throws {
        let mock = try MockProcess.oauth()
        let tokens = try mock.connect()
        try mock.fault("token-slow:0.2*1")
        let body = MockProcess.encoded(["grant_type": "refresh_token", "refresh_token": tokens.refresh].merging(MockProcess.secret) { $1 })
        let socket = try LoopbackSocket(port: mock.port)
        let type = "application/x-www-form-urlencoded"
        let head =
            "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        let bytes = Array((head + body).utf8)
        #expect(send(socket.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
        func count(_ name: String) throws -> Int? { (try mock.told("ledger")["token_requests"] as? [String: Any])?[name] as? Int }
        let deadline = ContinuousClock.now + .seconds(5)
        while try count("total") != 2, ContinuousClock.now < deadline {}
        close(socket.descriptor)
        while try count("in_flight") != 0, ContinuousClock.now < deadline {}
        #expect(try count("in_flight") == 0)
        #expect(try mock.entries().last?["outcome"] as? String == "issued", "it was rotated all the same")
        #expect(try mock.refresh(tokens.refresh).error == "invalid_grant")
    }

    // Without this, a fault meant for one request would strike the retry too, and token faults the API.
    @Test func countsAndPlaces() throws {
        let mock = try MockProcess.oauth(more: ["--fault", "token-500*2"])
        let code = try mock.code()
        #expect(try (0..<2).map { _ in try mock.redeem(code).status } == [500, 500])
        let reply = try mock.redeem(code)
        #expect(reply.status == 200)
        #expect(try mock.request("GET", "/_mock/faults").object["faults"] as? [String] == [])
        try mock.fault("http-500", "token-slow:0")
        #expect(try mock.refresh(reply.refresh ?? "").status == 200, "API faults leave the authorization server alone")
        #expect(try mock.api("me", reply.access).status == 500)
        try mock.fault("token-500")
        #expect(try mock.api("me", reply.access).status == 200)
        #expect(try mock.json("PUT", "/_mock/faults", ["faults": ["token-500*0"]]).status == 400)
        #expect(try mock.json("PUT", "/_mock/faults", ["faults": ["token-500:3"]]).status == 400)
    }
}
