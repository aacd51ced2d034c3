// Refresh: rotation, reuse, grace, and providers that do not rotate.

import Foundation
import Synchronization
import Testing

@Suite struct OAuthRefreshTests {
    // Without this, a daemon that uses a refresh token twice would not lose its grant here, but at the provider.
    @Test func reuseRevokesTheGrant() throws {
        let mock = try MockProcess.oauth()
        let first = try mock.connect()
        let second = try mock.refresh(first.refresh)
        let third = try mock.refresh(second.refresh ?? "")
        #expect(third.status == 200 && Set([first.refresh, second.refresh, third.refresh]).count == 3)
        #expect(try mock.api("me", first.access).status == 200, "a refresh ends no access token")
        #expect(try mock.refresh(second.refresh ?? "").error == "invalid_grant")
        #expect(try mock.api("me", third.access).status == 401)
        #expect(try mock.refresh(third.refresh ?? "").error == "invalid_grant")
        let grant = try #require(try mock.grants().first)
        #expect(
            grant["alive"] as? Bool == false && grant["revoked_by"] as? String == "refresh_reuse" && grant["reused_generation"] as? Int == 2
        )
        let grants = try mock.told("ledger")["grants"] as? [String: Any]
        #expect(grants?["alive"] as? Int == 0 && (grants?["by_reason"] as? [String: Int]) == ["refresh_reuse": 1])
        let presented = try mock.entries().map { $0["presented_generation"] as? Int }
        #expect(presented == [nil, 1, 2, nil, nil])
    }

    // Without this, a race between two refreshes could end well here by chance.
    @Test func oneOfManyConcurrentRefreshesWins() throws {
        let mock = try MockProcess.oauth()
        let token = try mock.connect().refresh
        let outcomes = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            let outcome = (try? mock.refresh(token)).map { $0.error ?? "issued" } ?? "no answer"
            outcomes.withLock { $0.append(outcome) }
        }
        let found = outcomes.withLock { $0 }
        #expect(found.filter { $0 == "issued" }.count == 1 && found.filter { $0 == "invalid_grant" }.count == 7)
        let counts = try mock.told("ledger")["token_requests"] as? [String: Any]
        #expect((counts?["by_outcome"] as? [String: Int]) == ["issued": 2, "invalid_grant": 7])
        #expect((counts?["by_grant_type"] as? [String: Int]) == ["authorization_code": 1, "refresh_token": 8])
        #expect(counts?["in_flight"] as? Int == 0)
    }

    // Without this, the crash between rotation and storing could not be told from a provider that forgives it.
    @Test func graceForgivesThePreviousToken() throws {
        let mock = try MockProcess.oauth("grace=3600")
        let first = try mock.connect()
        #expect(try mock.refresh(first.refresh).status == 200)
        let again = try mock.refresh(first.refresh)
        #expect(again.status == 200)
        #expect(try mock.refresh(again.refresh ?? "").status == 200)
        try mock.set(["grace": "off"])
        #expect(try mock.refresh(first.refresh).error == "invalid_grant")
    }

    // Without this, servers that retire the old token when the new access token is used could not be played.
    @Test func graceEndsWithTheFirstUse() throws {
        let mock = try MockProcess.oauth("grace=until-used")
        let first = try mock.connect()
        #expect(try mock.refresh(first.refresh).status == 200)
        let second = try mock.refresh(first.refresh)
        #expect(second.status == 200, "the first answer may have been lost")
        #expect(try mock.api("me", second.access).status == 200)
        #expect(try mock.refresh(first.refresh).error == "invalid_grant")
        #expect(try mock.grants().first?["revoked_by"] as? String == "refresh_reuse")
        let other = try mock.connect()
        let successor = try mock.refresh(other.refresh)
        #expect(try mock.refresh(successor.refresh ?? "").status == 200)
        #expect(try mock.refresh(other.refresh).error == "invalid_grant", "using the successor ends it too")
    }

    // Without this, a client that forgets the refresh token when a reply has none (Google) would lose its grant.
    @Test func repliesMayKeepTheToken() throws {
        let mock = try MockProcess.oauth("refresh_reply=none")
        let first = try mock.connect()
        #expect(try mock.refresh(first.refresh).refresh == nil)
        #expect(try mock.refresh(first.refresh).status == 200)
        try mock.set(["refresh_reply": "same"])
        #expect(try mock.refresh(first.refresh).refresh == first.refresh)
        #expect(try mock.refresh(first.refresh).status == 200)
    }

    // Without this, an idle connection's end, a user's revocation or a narrowed scope would not be met.
    @Test func refreshTokensEnd() throws {
        let mock = try MockProcess.oauth("refresh_seconds=0")
        #expect(try mock.refresh(try mock.connect().refresh).error == "invalid_grant")
        try mock.set(["refresh_seconds": "never"])
        let tokens = try mock.connect()
        #expect(try mock.refresh(tokens.refresh, ["client_id": "mock-public", "client_secret": ""]).error == "invalid_grant")
        #expect(try mock.refresh(tokens.refresh, ["scope": "read admin"]).error == "invalid_scope")
        let narrowed = try mock.refresh(tokens.refresh, ["scope": "read"])
        #expect(narrowed.object["scope"] as? String == "read")
        #expect(try mock.json("POST", "/_mock/oauth/grants/g2/revoke", [:]).status == 200)
        #expect(try mock.refresh(narrowed.refresh ?? "").error == "invalid_grant")
        #expect(try mock.grants().last?["revoked_by"] as? String == "user_revoked")
    }
}
