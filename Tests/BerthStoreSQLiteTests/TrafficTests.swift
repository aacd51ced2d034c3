// What the store keeps of requests to providers, and that its audit log only grows.

import BerthModel
import BerthSeams
import BerthStoreSQLite
import Foundation
import Testing

@Suite struct TrafficTests {
    private let ringba = ProviderName("ringba")!

    @Test func countsOfLimitsAreReplacedAndForgottenWhenOver() async throws {
        // Without this a restart would count from nothing, or forever.
        let fixture = try StoreFixture()
        let now = fixture.clock.now()
        let own = RateLimitMark.Key(
            provider: ringba, origin: "https://a:443", connection: fixture.connection, requestClass: "reports", windowSeconds: 60)
        let shared = RateLimitMark.Key(provider: ringba, origin: "https://a:443", connection: nil, requestClass: "", windowSeconds: 3600)
        var elsewhere = shared
        elsewhere.origin = "https://b:443"
        let sent = [RateLimitMark.Sent(at: now, count: 3), .init(at: now.adding(seconds: 1), count: 2)]
        do {
            let store = try await fixture.open()
            try await store.keepLimits([
                RateLimitMark(key: own, sent: [], ahead: 9, until: now.adding(seconds: 60)),
                RateLimitMark(key: shared, sent: sent, ahead: 4, until: now.adding(seconds: 7200)),
                RateLimitMark(key: elsewhere, sent: [], ahead: 5, until: now.adding(seconds: 60)),
            ])
            try await store.keepLimits([RateLimitMark(key: own, sent: sent, ahead: 0, until: now.adding(seconds: 60))])
            await store.close()
        }
        let store = try await fixture.open()
        let kept = try await store.keptLimits(now: now)
        #expect(kept.count == 3)
        #expect(kept.first { $0.key == own } == RateLimitMark(key: own, sent: sent, ahead: 0, until: now.adding(seconds: 60)))
        #expect(kept.first { $0.key == shared }?.ahead == 4)
        #expect(try await store.keptLimits(now: now.adding(seconds: 60)).map(\.key) == [shared])
        await store.close()
    }

    @Test func countsOfAnOlderVersionBelongToNoServerAndEnd() async throws {
        // Without it the upgrade would forget what counts; or what a killed daemon had claimed would count at every start for a year.
        let fixture = try StoreFixture()
        await (try await fixture.open()).close()
        _ = try python(
            """
            d.executescript('DROP TABLE rate_limit; CREATE TABLE rate_limit (provider TEXT NOT NULL, connection TEXT NOT NULL, '
                            'class TEXT NOT NULL, window INTEGER NOT NULL, sent TEXT NOT NULL, ahead INTEGER NOT NULL, until INTEGER '
                            'NOT NULL, PRIMARY KEY (provider, connection, class, window)) WITHOUT ROWID; '
                            'ALTER TABLE request DROP COLUMN reason; ALTER TABLE event DROP COLUMN unproven; PRAGMA user_version=8')
            d.execute("INSERT INTO rate_limit VALUES ('ringba', '', '', 3600, '1000:3', 4, 99000000000000)")
            d.execute("INSERT INTO rate_limit VALUES ('ringba', '', 'reports', 0, '', 0, 99000000000000)")
            d.commit()
            """, fixture.path)
        let store = try await fixture.open()
        let kept = try await store.keptLimits(now: Timestamp(milliseconds: 0)).sorted { $0.until < $1.until }
        #expect(kept.map(\.key.origin) == ["", ""] && kept.map(\.ahead) == [4, 0] && kept[0].sent.map(\.count) == [3])
        let end = Int64(Date().timeIntervalSince1970 * 1000) + 3_700_000
        #expect(kept[0].until.milliseconds < end && kept[1].until.milliseconds == 99_000_000_000_000)
        await store.close()
    }

    @Test func theRequestLogIsBoundedByRowsAndDays() async throws {
        // Without bounds a busy connection's log would fill the disk that events need.
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        func log(_ count: Int) async throws {
            let now = fixture.clock.now()
            try await store.logRequests(
                (0..<count).map { number in
                    RequestLogEntry(
                        at: now, provider: ringba, connection: fixture.connection, method: "GET", host: "api.ringba.com", path: "/v2?a=***",
                        requestClass: nil, status: number % 2 == 0 ? 200 : nil, failure: number % 2 == 0 ? nil : .timeout, milliseconds: 5,
                        waitedMilliseconds: 1, bytes: 10, tries: 1)
                })
        }
        try await log(30)
        fixture.clock.advance(seconds: 8 * 86_400)
        try await log(5000)
        var retention = Retention()
        retention.requestRows = 1000
        _ = try await store.prune(retention, now: fixture.clock.now())
        let failed = try await store.requestLog(RequestLogFilter(failedOnly: true), page: PageRequest(limit: 1000))
        #expect(failed.items.count == 500 && failed.next == nil && failed.items.allSatisfy { $0.failure == .timeout && $0.status == nil })
        let first = try await store.requestLog(RequestLogFilter(connection: fixture.connection), page: PageRequest(limit: 700))
        let second = try await store.requestLog(
            RequestLogFilter(connection: fixture.connection), page: PageRequest(limit: 700, cursor: first.next))
        #expect(first.items.count == 700 && second.items.count == 300 && second.next == nil)
        await store.close()
    }

    @Test func theAuditLogIsFilteredAndEndsWithItsRetention() async throws {
        // Without the exception in its triggers nothing of it could ever be deleted (that they refuse the rest, test_limits.py shows).
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        func note(_ kind: String, _ actor: String) async throws {
            try await store.audit([
                AuditEntry(at: fixture.clock.now(), kind: kind, actor: actor, connection: fixture.connection, detail: "", address: nil)
            ])
        }
        try await note("connection.created", "uid:1")
        fixture.clock.advance(seconds: 400 * 86_400)
        try await note("connection.changed", "uid:2")
        try await note("connectionless", "uid:2")
        func kinds(_ filter: AuditFilter) async throws -> [String] {
            try await store.auditEntries(filter, page: PageRequest()).items.map(\.kind)
        }
        #expect(try await kinds(AuditFilter(kind: "connection.")) == ["connection.changed", "connection.created"])
        #expect(try await kinds(AuditFilter(actor: "uid:2")) == ["connectionless", "connection.changed"])
        #expect(try await kinds(AuditFilter(until: fixture.clock.now())) == ["connection.created"])
        #expect(try await kinds(AuditFilter(since: fixture.clock.now())).count == 2)
        _ = try await store.prune(Retention(), now: fixture.clock.now())
        #expect(try await kinds(AuditFilter()) == ["connectionless", "connection.changed"])
        await store.close()
    }
}
