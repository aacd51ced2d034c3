// The API behind the authorization server: refusals, pages, caching, limits, and the log of who asked.

import Foundation
import Testing

@Suite struct OAuthResourceTests {
    // Without this, "no token", "expired" and "revoked" would look alike, and a client that ignores 401 would pass.
    @Test func bearerRefusals() throws {
        let mock = try MockProcess.oauth()
        let bare = try mock.request("GET", "/api/me")
        #expect(bare.status == 401 && bare.headers["www-authenticate"] == "Bearer realm=\"berth-mock\"")
        #expect(try mock.api("me", "mock_at_invented").headers["www-authenticate"]?.contains("invalid_token") == true)
        let tokens = try mock.connect()
        #expect(try mock.api("me", tokens.access).status == 200)
        #expect(try mock.json("POST", "/_mock/oauth/expire", [:]).object["expired"] as? Int == 1)
        let expired = try mock.api("me", tokens.access)
        #expect(expired.status == 401 && expired.headers["www-authenticate"]?.contains("expired") == true)
        let log = try mock.told("requests")["tokens"] as? [String: [String: Any]]
        let mine = log?[tokens.access]?["requests"] as? [[String: Any]]
        #expect(mine?.map { $0["status"] as? Int } == [200, 401] && log?[""]?["count"] as? Int == 1)
        #expect(try mock.request("DELETE", "/_mock/oauth/ledger").status == 204)
        #expect(try mock.told("ledger")["resource_requests"] as? Int == 0)
    }

    // Without this, a sync through OAuth could not be checked for completeness.
    @Test func itemsArePaged() throws {
        let mock = try MockProcess.oauth("items=45")
        let token = try #require(try mock.json("POST", "/_mock/oauth/grants", ["account": "acct-9"]).object["access_token"] as? String)
        var page: Int? = 1, ids: [String] = []
        while let number = page {
            let answer = try mock.api("items?page=\(number)", token).object
            ids += (answer["items"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? String }
            page = answer["next_page"] as? Int
        }
        #expect(ids == (1...45).map { "item-\($0)" })
        #expect((try mock.api("items?page=99", token).object["items"] as? [Any])?.isEmpty == true)
        #expect((try mock.api("items?page=9223372036854775807", token).object["items"] as? [Any])?.isEmpty == true)
        let key = ["Idempotency-Key": "k1"]
        #expect(try mock.api("items", token, method: "POST", headers: key).status == 201)
        #expect(try mock.api("items", token, method: "POST", headers: key).object["id"] as? String == "item-46")
        #expect(try mock.api("items", token).object["total"] as? Int == 46, "the repeat made nothing")
    }

    // Without this, a cache that revalidates nothing, or serves what changed, would not be seen.
    @Test(arguments: [
        ("etag", "etag", "if-none-match"), ("weak-etag", "etag", "if-none-match"), ("last-modified", "last-modified", "if-modified-since"),
    ])
    func revalidation(_ variant: String, given: String, asked: String) throws {
        let mock = try MockProcess.oauth()
        let token = try mock.connect().access
        let first = try mock.api("cached/\(variant)/x", token)
        let validator = [asked: try #require(first.headers[given])]
        let second = try mock.api("cached/\(variant)/x", token, headers: validator)
        #expect(first.object["version"] as? Int == 1 && second.status == 304 && second.body.isEmpty)
        #expect(try mock.request("PUT", "/_mock/oauth/cached/x").status == 200)
        let third = try mock.api("cached/\(variant)/x", token, headers: validator)
        #expect(third.status == 200 && third.object["version"] as? Int == 2)
        let counts = try mock.told("cached")["x"] as? [String: Any]
        #expect((counts?["full"] as? [String: Int]) == [variant: 2] && (counts?["not_modified"] as? [String: Int]) == [variant: 1])
    }

    // Without this, lifetimes and no-store would be untested, and a reply shared between accounts too.
    @Test func cacheHeaders() throws {
        let mock = try MockProcess.oauth()
        let token = try mock.connect().access
        #expect(try mock.api("cached/max-age/x?seconds=7", token).headers["cache-control"] == "private, max-age=7")
        #expect(try mock.api("cached/no-store/x", token).headers["cache-control"] == "no-store")
        let plain = try mock.api("cached/plain/x", token)
        #expect(plain.headers["etag"] == nil && plain.headers["cache-control"] == nil && plain.object["account"] as? String == "acct-1")
        try mock.set(["account": "acct-2"])
        let other = try mock.connect().access
        let tags = try [token, other].map { try mock.api("cached/etag/x", $0).headers["etag"] }
        #expect(tags[0] != nil && tags[0] != tags[1])
        #expect(try mock.api("cached/nonsense/x", token).status == 404)
    }

    // Without this, "at most N" could not be proved, nor each way in which providers tell of it.
    @Test(arguments: ["fixed", "sliding"])
    func exactlySoManyAreAdmitted(_ window: String) throws {
        // A window of 27 years, so that no boundary falls into the test.
        let mock = try MockProcess.oauth("limit=5/900000000", "limit_window=\(window)")
        let token = try mock.connect().access
        let answers = try (0..<8).map { _ in try mock.api("limited", token) }
        #expect(answers.map(\.status) == [200, 200, 200, 200, 200, 429, 429, 429])
        #expect(answers.map { $0.headers["x-ratelimit-remaining"] } == ["4", "3", "2", "1", "0", "0", "0", "0"])
        let reset = Double(answers[0].headers["x-ratelimit-reset"] ?? "") ?? 0
        #expect(reset > Date().timeIntervalSince1970)
        #expect(Double(try mock.api("limited/x-ratelimit-delta", token).headers["x-ratelimit-reset"] ?? "").map { $0 < reset } == true)
        let structured = try mock.api("limited/ratelimit", token)
        #expect(structured.status == 429 && structured.headers["ratelimit"]?.hasPrefix("\"minute\";r=0;t=") == true)
        #expect(structured.headers["ratelimit-policy"] == "\"minute\";q=5;w=900000000")
        #expect(Int(try mock.api("limited/retry-after", token).headers["retry-after"] ?? "") != nil)
        #expect(try mock.api("limited/retry-after-date", token).headers["retry-after"]?.hasSuffix(" GMT") == true)
        let body = try mock.api("limited/body", token)
        #expect(body.status == 200 && body.object["isRateLimited"] as? Bool == true)
        #expect(try mock.api("limited/bare", token).status == 429)
        let counter = try #require((try mock.told("limits")["counters"] as? [[String: Any]])?.first)
        #expect(counter["admitted"] as? Int == 5 && counter["refused"] as? Int == 9 && counter["peak_in_any_window"] as? Int == 5)
        try mock.set(["limit_per": "token"])
        #expect(try mock.api("limited", token).status == 200, "another counter")
    }

    // Without this, the summary at the end would not tell what the authorization server saw.
    @Test func playsBesideTheOthers() throws {
        let mock = try MockProcess(["retreaver", "oauth", "--calls", "5"])
        #expect(try mock.request("GET", "/api/v2/calls.json?\(MockProcess.retreaverKeys)").status == 200)
        #expect(try mock.api("me", try mock.connect().access).status == 200)
        let metadata = try mock.request("GET", "/.well-known/oauth-authorization-server").object
        #expect(metadata["token_endpoint"] as? String == "http://127.0.0.1:\(mock.port)/oauth/token")
        let (status, summary) = try mock.stop()
        let requests = (summary["oauth"] as? [String: Any])?["token_requests"] as? [String: Any]
        #expect(status == 0 && requests?["total"] as? Int == 1 && summary["retreaver"] != nil)
    }
}
