// Records: which change wins, what counts as one, and how they are found again.

import BerthModel
import BerthSeams
import BerthStoreSQLite
import Testing

@Suite struct RecordTests {
    private static let call = EntityName("call")!

    private func apply(_ store: SQLiteStore, _ fixture: StoreFixture, _ changes: EntityChange...) async throws -> RunCounts {
        try await store.apply(changes, connection: fixture.connection, now: fixture.clock.now()).counts
    }

    // Without this a late delivery of an old state would undo a newer one.
    @Test func theNewerSourceTimeWins() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        #expect(try await apply(store, fixture, fixture.change("1", #"{"revenue":"25.0"}"#, at: 2000)).created == 1)
        #expect(try await apply(store, fixture, fixture.change("1", #"{"revenue":"1"}"#, at: 1000)).unchanged == 1)
        #expect(try await apply(store, fixture, fixture.change("1", #"{"payout":18}"#, at: 3000)).updated == 1)
        let record = try await store.records(Self.call, RecordQuery(), page: PageRequest()).items[0]
        #expect(record.fields["revenue"] == .string("25.0") && record.fields["payout"] == .string("18"))
        await store.close()
    }

    // Without this a clock that was ahead for a moment freezes a record until its time has come.
    @Test func whatIsDatedInTheFutureIsNotNewerForEver() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let now = fixture.clock.now().milliseconds
        let hour: Int64 = 3_600_000
        #expect(try await apply(store, fixture, fixture.change("1", #"{"revenue":"1"}"#, at: now + 2 * hour)).created == 1)
        // Of the same clock: its own order counts.
        #expect(try await apply(store, fixture, fixture.change("1", #"{"revenue":"0"}"#, at: now + hour)).unchanged == 1)
        #expect(try await apply(store, fixture, fixture.change("1", #"{"revenue":"99"}"#, at: now)).updated == 1)
        #expect(try await apply(store, fixture, fixture.change("1", #"{"revenue":"2"}"#, at: now - 1)).unchanged == 1)
        // A provider's clock may be a little ahead.
        #expect(try await apply(store, fixture, fixture.change("1", #"{"revenue":"100"}"#, at: now + 60_000)).updated == 1)
        #expect(try await apply(store, fixture, fixture.change("1", #"{"revenue":"3"}"#, at: now)).unchanged == 1)
        #expect(try await store.records(Self.call, RecordQuery(), page: PageRequest()).items[0].fields["revenue"] == .string("100"))
        await store.close()
    }

    // Without this a reader of long originals takes the memory that intake needs.
    @Test func aPageOfLongOriginalsIsShort() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let long = String(repeating: "x", count: 1 << 20)
        for number in 0..<20 { _ = try await apply(store, fixture, fixture.change("\(number)", #"{"publisher_id":"\#(long)"}"#)) }
        var seen: [String] = []
        var page = PageRequest(limit: 1000)
        repeat {
            let found = try await store.records(Self.call, RecordQuery(), page: page)
            #expect(found.items.count <= 8)
            seen += found.items.map(\.externalID)
            page.cursor = found.next
        } while page.cursor != nil
        #expect(Set(seen).count == 20 && seen.count == 20)
        await store.close()
    }

    // Without this a state between an old one and its newer confirmation wins over both.
    @Test func aConfirmationMovesTheSourceTime() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        #expect(try await apply(store, fixture, fixture.change("1", #"{"revenue":"5"}"#, at: 1000)).created == 1)
        #expect(try await apply(store, fixture, fixture.change("1", #"{"revenue":"5"}"#, at: 3000)).unchanged == 1)
        #expect(try await apply(store, fixture, fixture.change("1", #"{"revenue":"7"}"#, at: 2000)).unchanged == 1)
        #expect(try await store.records(Self.call, RecordQuery(), page: PageRequest()).items[0].fields["revenue"] == .string("5"))
        await store.close()
    }

    // Without this a deletion that overtakes an older state of the record is undone by it.
    @Test func anOlderStateAfterTheDeletionIsTooLate() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let deletion = fixture.change("1", "{}", at: 2000, kind: .delete)
        #expect(try await apply(store, fixture, deletion).unchanged == 1)
        #expect(try await apply(store, fixture, fixture.change("1", #"{"revenue":"1"}"#, at: 1000)).unchanged == 1)
        #expect(try await store.records(Self.call, RecordQuery(), page: PageRequest()).items.isEmpty)
        #expect(try await apply(store, fixture, fixture.change("1", #"{"revenue":"2"}"#, at: 3000)).updated == 1)
        #expect(try await store.records(Self.call, RecordQuery(), page: PageRequest()).items.count == 1)
        await store.close()
    }

    // Without this a sync that brings nothing new would tell subscribers of a thousand changes.
    @Test func equalIsNoChange() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let change = fixture.change("1", #"{"status":"completed","started_at":"2026-03-04T10:21:07-05:00"}"#)
        #expect(try await apply(store, fixture, change).created == 1)
        fixture.clock.advance(seconds: 5)
        #expect(try await apply(store, fixture, change).unchanged == 1)
        let record = try await store.records(Self.call, RecordQuery(), page: PageRequest()).items[0]
        #expect(record.updatedAt == record.createdAt)
        #expect(record.fields["started_at"] == .string("2026-03-04T15:21:07.000Z"))
        await store.close()
    }

    // Without this a deleted record would come back by an older message, or never.
    @Test func tombstonesFallToNewerUpsertsOnly() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        _ = try await apply(store, fixture, fixture.change("1", "{}", at: 1000))
        #expect(try await apply(store, fixture, fixture.change("1", "", at: 2000, kind: .delete)).deleted == 1)
        #expect(try await apply(store, fixture, fixture.change("1", "{}", at: 1500)).unchanged == 1)
        #expect(try await store.records(Self.call, RecordQuery(), page: PageRequest()).items.isEmpty)
        #expect(try await store.records(Self.call, RecordQuery(includesDeleted: true), page: PageRequest()).items.count == 1)
        #expect(try await apply(store, fixture, fixture.change("1", "{}", at: 3000)).updated == 1)
        #expect(try await store.recordCount(Self.call) == 1)
        await store.close()
    }

    // Without this filters would compare text where numbers are meant, or let names into SQL.
    @Test func filtersSortsAndRefusals() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        for n in 1...12 {
            _ = try await apply(
                store, fixture, fixture.change("c\(n)", #"{"duration_seconds":\#(n),"revenue":"\#(n).5","converted":\#(n > 6)}"#))
        }
        func ids(_ conditions: [RecordQuery.Condition], sort: String? = nil) async throws -> [String] {
            try await store.records(Self.call, RecordQuery(conditions: conditions, sort: sort, isDescending: false), page: PageRequest())
                .items
                .map(\.externalID)
        }
        #expect(
            try await ids([.init(field: "duration_seconds", comparison: .gte, value: "11")], sort: "duration_seconds") == ["c11", "c12"])
        #expect(try await ids([.init(field: "revenue", comparison: .lt, value: "3")], sort: "duration_seconds") == ["c1", "c2"])
        #expect(try await ids([.init(field: "revenue", comparison: .gt, value: "9")], sort: "revenue") == ["c9", "c10", "c11", "c12"])
        #expect(
            try await ids([.init(field: "converted", value: "false"), .init(field: "external_id", comparison: .isIn, value: "c1,c9")]) == [
                "c1"
            ])
        for bad in [
            RecordQuery.Condition(field: "durration_seconds", value: "1"), .init(field: "id; DROP TABLE event", value: "x"),
            .init(field: "duration_seconds", value: "many"), .init(field: "started_at", value: "yesterday"),
        ] {
            await #expect(throws: BerthError.self) { try await ids([bad]) }
        }
        await store.close()
    }

    // Without this a page boundary inside equal or missing sort values would lose rows.
    @Test func cursorsCrossEqualAndMissingValues() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        for n in 0..<30 {
            _ = try await apply(store, fixture, fixture.change("c\(n)", n % 3 == 0 ? "{}" : #"{"duration_seconds":\#(n % 2)}"#))
        }
        for descending in [true, false] {
            var seen: [String] = []
            var cursor: String?
            repeat {
                let page = try await store.records(
                    Self.call, RecordQuery(sort: "duration_seconds", isDescending: descending), page: PageRequest(limit: 7, cursor: cursor))
                seen += page.items.map(\.externalID)
                cursor = page.next
            } while cursor != nil
            #expect(seen.count == 30 && Set(seen).count == 30)
        }
        await store.close()
    }
}
