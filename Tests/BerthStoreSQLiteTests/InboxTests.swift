// Accepting, leasing and settling on a real database file.

import BerthModel
import BerthSeams
import BerthStoreSQLite
import Testing

@Suite struct InboxTests {
    // Without this a provider's repeat would take effect twice.
    @Test func aKnownKeyIsADuplicateOfTheFirst() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let first = try await store.accept(fixture.delivery("k"))
        let again = try await store.accept(fixture.delivery("k"))
        #expect(!first.isDuplicate && again.isDuplicate && again.event == first.event)
        #expect(try await store.events(EventFilter(), page: PageRequest()).items.count == 1)
        await store.close()
    }

    // Without this a hundred copies sent at once could all be accepted.
    @Test func ofParallelCopiesOneIsAccepted() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let receipts = try await withThrowingTaskGroup(of: IntakeReceipt.self) { group in
            for _ in 0..<100 { group.addTask { try await store.accept(fixture.delivery("same")) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(receipts.count { !$0.isDuplicate } == 1)
        #expect(Set(receipts.map(\.event)).count == 1)
        await store.close()
    }

    // Without this a restart would lose what was acknowledged, or keep dead leases until a timeout.
    @Test func aNewEpochFindsEverythingAndFreesLeases() async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.begin()
        let receipt = try await store.accept(fixture.delivery("k"))
        let leased = try await store.leaseEvents(of: fixture.connection, limit: 10, now: fixture.clock.now())
        #expect(leased.map(\.id) == [receipt.event])
        #expect(leased.first?.headers.map(\.name) == ["content-type", "x-a"])
        await store.close()
        store = try await fixture.open()
        let again = try await store.leaseEvents(of: fixture.connection, limit: 10, now: fixture.clock.now())
        #expect(again.map(\.id) == [receipt.event])
        await store.close()
    }

    // Without this a call's later state could overtake its earlier one.
    @Test func orderHoldsPerKeyAndOnlyThere() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        for (key, ordering) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("free", nil)] as [(String, String?)] {
            _ = try await store.accept(fixture.delivery(key, ordering: ordering))
        }
        let batch = try await store.leaseEvents(of: fixture.connection, limit: 1, now: fixture.clock.now())
        #expect(batch.map(\.dedupKey) == ["a1"])
        let rest = try await store.leaseEvents(of: fixture.connection, limit: 10, now: fixture.clock.now())
        #expect(rest.map(\.dedupKey) == ["b1", "free"])
        let later = fixture.clock.now().adding(seconds: 60)
        let failure = AttemptFailure(.retry, "not now")
        _ = try await store.settle([EventSettlement(event: batch[0].id, verdict: .retry(at: later, failure))], now: fixture.clock.now())
        #expect(try await store.leaseEvents(of: fixture.connection, limit: 10, now: fixture.clock.now()).isEmpty)
        #expect(try await store.nextEventDue(after: fixture.clock.now()) == later)
        fixture.clock.advance(seconds: 61)
        #expect(try await store.leaseEvents(of: fixture.connection, limit: 10, now: fixture.clock.now()).map(\.dedupKey) == ["a1", "a2"])
        await store.close()
    }

    // Without this thousands of events that wait behind one blocked key would keep all others of their connection from being found, and
    // those that waited would not come back when the head ends early.
    @Test func aLongLineBehindABlockedKeyKeepsNobodyElseWaiting() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let now = fixture.clock.now()
        let head = try await store.accept(fixture.delivery("head", ordering: "a")).event
        #expect(try await store.leaseEvents(of: fixture.connection, limit: 10, now: now).map(\.id) == [head])
        let later = now.adding(seconds: 86_400)
        let failure = AttemptFailure(.retry, "not now")
        _ = try await store.settle([EventSettlement(event: head, verdict: .retry(at: later, failure))], now: now)
        for n in stride(from: 0, to: 9000, by: 500) {
            await withTaskGroup(of: Void.self) { group in
                for m in n..<n + 500 {
                    group.addTask { _ = try? await store.accept(fixture.delivery("w\(m)", ordering: "a")) }  // counted below
                }
            }
        }
        _ = try await store.accept(fixture.delivery("other", ordering: "b"))
        _ = try await store.accept(fixture.delivery("free"))
        #expect(try await store.leaseEvents(of: fixture.connection, limit: 10, now: now).map(\.dedupKey) == ["other", "free"])
        #expect(try await store.leaseEvents(of: fixture.connection, limit: 10, now: now).isEmpty)
        #expect(try await store.connectionsWithDueEvents(now: now).isEmpty)
        #expect(try await store.nextEventDue(after: now) == later)
        // A person ends the head: the line goes on at once, in order.
        #expect(try await store.cancelEvent(head, now: now))
        var seen = 0
        while true {
            let batch = try await store.leaseEvents(of: fixture.connection, limit: 1000, now: now)
            if batch.isEmpty { break }
            seen += batch.count
            _ = try await store.settle(batch.map { EventSettlement(event: $0.id, verdict: .completed(records: [])) }, now: now)
        }
        #expect(seen == 9000)
        await store.close()
    }

    // Without this what was accepted while the clock was ahead would wait until the clock comes there again, and syncs would skip
    // what changed meanwhile.
    @Test func nothingWaitsForAClockThatWasAhead() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        #expect(try await !store.wasAhead(of: fixture.clock.now()))
        fixture.clock.advance(seconds: 3 * 86_400)
        _ = try await store.accept(fixture.delivery("early"))
        fixture.clock.advance(seconds: -3 * 86_400)
        let now = fixture.clock.now()
        #expect(try await store.leaseEvents(of: fixture.connection, limit: 10, now: now).isEmpty)
        #expect(try await store.wasAhead(of: now))
        #expect(try await store.clockWasSetBack(to: now).events == 1)
        #expect(try await store.leaseEvents(of: fixture.connection, limit: 10, now: now).map(\.dedupKey) == ["early"])
        await store.close()
    }

    // Without this an operator who has mended the cause waits up to two days for the next attempt.
    @Test func aRetryIsBroughtForwardByAPerson() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let event = try await store.accept(fixture.delivery("k")).event
        let now = fixture.clock.now()
        _ = try await store.leaseEvents(of: fixture.connection, limit: 10, now: now)
        let retry = EventSettlement.Verdict.retry(at: now.adding(seconds: 86_400), AttemptFailure(.retry, "not now"))
        _ = try await store.settle([EventSettlement(event: event, verdict: retry)], now: now)
        #expect(try await store.leaseEvents(of: fixture.connection, limit: 10, now: now).isEmpty)
        #expect(try await store.replay(EventFilter(ids: [event]), limit: 10, dryRun: false, now: now) == [event])
        let again = try await store.leaseEvents(of: fixture.connection, limit: 10, now: now)
        #expect(again.map(\.attempt) == [2])
        await store.close()
    }

    // Without this one bad record would take its neighbours' effects with it, or leave half of its own.
    @Test func aRefusedRecordParksItsEventAlone() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        for key in ["good", "bad"] { _ = try await store.accept(fixture.delivery(key)) }
        let events = try await store.leaseEvents(of: fixture.connection, limit: 10, now: fixture.clock.now())
        let receipt = try await store.settle(
            [
                EventSettlement(event: events[0].id, verdict: .completed(records: [fixture.change("1", #"{"status":"completed"}"#)])),
                EventSettlement(
                    event: events[1].id,
                    verdict: .completed(records: [
                        fixture.change("2", #"{"status":"missed"}"#), fixture.change("3", #"{"status":"nonsense"}"#),
                    ])),
            ], now: fixture.clock.now())
        #expect(receipt.refused[events[1].id]?.contains("nonsense") == true)
        #expect(try await store.event(events[0].id)?.state == .completed)
        #expect(try await store.event(events[1].id)?.state == .discarded)
        let records = try await store.records(EntityName("call")!, RecordQuery(), page: PageRequest()).items
        #expect(records.map(\.externalID) == ["1"])
        #expect(receipt.notices.map(\.topic) == ["record.created", "event.discarded"])
        #expect(try await store.notices(after: 0, limit: 10).map(\.topic) == receipt.notices.map(\.topic))
        await store.close()
    }

    // Without this a daemon that lost its lease could settle what another one now holds.
    @Test func onlyTheHolderSettles() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let receipt = try await store.accept(fixture.delivery("k"))
        let settled = try await store.settle([EventSettlement(event: receipt.event, verdict: .unsupported)], now: fixture.clock.now())
        #expect(settled.notHeld == [receipt.event])
        #expect(try await store.event(receipt.event)?.state == .available)
        await store.close()
    }

    // Without this a person could not bring settled events back, or a dry run would change something.
    @Test func replayBringsBackWhatTheFilterFinds() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        for n in 0..<5 { _ = try await store.accept(fixture.delivery("k\(n)")) }
        let events = try await store.leaseEvents(of: fixture.connection, limit: 10, now: fixture.clock.now())
        _ = try await store.settle(events.map { EventSettlement(event: $0.id, verdict: .unsupported) }, now: fixture.clock.now())
        #expect(try await store.replay(EventFilter(), limit: 3, dryRun: true, now: fixture.clock.now()).count == 3)
        #expect(try await store.leaseEvents(of: fixture.connection, limit: 10, now: fixture.clock.now()).isEmpty)
        #expect(try await store.replay(EventFilter(), limit: 100, dryRun: false, now: fixture.clock.now()).count == 5)
        #expect(try await store.leaseEvents(of: fixture.connection, limit: 10, now: fixture.clock.now()).map(\.attempt) == [1, 1, 1, 1, 1])
        await store.close()
    }

    // Without this pages of a list would miss or repeat events while new ones come.
    @Test func pagesHoldStillWhileEventsCome() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        for n in 0..<25 { _ = try await store.accept(fixture.delivery("k\(n)")) }
        var seen: [String] = []
        var cursor: String?
        repeat {
            let page = try await store.events(EventFilter(), page: PageRequest(limit: 10, cursor: cursor))
            seen += page.items.map(\.dedupKey)
            cursor = page.next
            _ = try await store.accept(fixture.delivery("late\(seen.count)"))
        } while cursor != nil
        #expect(seen == (0..<25).reversed().map { "k\($0)" })
        await #expect(throws: BerthError.self) { try await store.events(EventFilter(), page: PageRequest(cursor: "%%%")) }
        await store.close()
    }

    // Without this a provider that repeats a delivery after its event was pruned makes it take effect twice.
    @Test func deliveryKeysOutliveTheirEventsByThirtyDays() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let first = try await store.accept(fixture.delivery("k"))
        let leased = try await store.leaseEvents(of: fixture.connection, limit: 8, now: fixture.clock.now())
        #expect(leased.count == 1)
        _ = try await store.settle([EventSettlement(event: first.event, verdict: .completed(records: []))], now: fixture.clock.now())
        fixture.clock.advance(seconds: 29 * 86_400)
        _ = try await store.prune(Retention(), now: fixture.clock.now())
        let second = try await store.accept(fixture.delivery("k"))
        #expect(second.isDuplicate && second.event == first.event)
        fixture.clock.advance(seconds: 32 * 86_400)
        _ = try await store.prune(Retention(), now: fixture.clock.now())
        #expect(try await store.accept(fixture.delivery("k")).isDuplicate == false)
        await store.close()
    }
}
