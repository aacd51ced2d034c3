// Leases bounded by bytes, and events whose connection is gone.

import BerthModel
import BerthSeams
import BerthStoreSQLite
import Testing

@Suite struct LeaseBoundsTests {
    private func large(_ fixture: StoreFixture, _ key: String, bytes: Int, ordering: String? = nil) -> VerifiedDelivery {
        VerifiedDelivery(
            id: EventID(fixture.clock, fixture.entropy), connection: fixture.connection, provider: ProviderName("ringba")!, kind: "test",
            dedupKey: key, orderingKey: ordering, method: "POST", query: "", headers: [], body: Array(repeating: 120, count: bytes),
            receivedAt: fixture.clock.now(), audit: "token abcd", remoteAddress: "127.0.0.1")
    }

    // Without this a backlog of large deliveries would be read into memory at once.
    @Test func aLeaseHoldsNoMoreBytesThanItMay() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        for (key, bytes) in [("a", 400), ("b", 500), ("c", 200), ("huge", 5000), ("d", 100)] {
            _ = try await store.accept(large(fixture, key, bytes: bytes, ordering: key == "huge" ? nil : "line"))
        }
        let now = fixture.clock.now()
        var bounds = LeaseBounds(count: 10, bytes: 1000)
        let first = try await store.leaseEvents(of: fixture.connection, within: bounds, now: now)
        #expect(first.events.map(\.dedupKey) == ["a", "b"] && first.hasMore && !first.isFirstLarger)
        #expect(first.events.map(\.attempt) == [1, 1] && first.events.map(\.state) == [.running, .running])
        _ = try await store.settle(first.events.map { EventSettlement(event: $0.id, verdict: .unsupported) }, now: now)
        let second = try await store.leaseEvents(of: fixture.connection, within: bounds, now: now)
        #expect(second.events.map(\.dedupKey) == ["c"] && second.hasMore)
        let third = try await store.leaseEvents(of: fixture.connection, within: bounds, now: now)
        #expect(third.events.isEmpty && third.isFirstLarger)
        bounds.takesLarger = true
        let fourth = try await store.leaseEvents(of: fixture.connection, within: bounds, now: now)
        #expect(fourth.events.map(\.dedupKey) == ["huge"] && fourth.events.first?.attempt == 1)
        await store.close()
    }

    // Without this an attempt that ends after its connection's removal, or that a crash cut short, would wait for ever.
    @Test func whatWasRunningAtTheRemovalEndsAsWell() async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.begin()
        var events: [EventID] = []
        for key in ["retried", "released", "cut"] { events.append(try await store.accept(fixture.delivery(key)).event) }
        let now = fixture.clock.now()
        _ = try await store.leaseEvents(of: fixture.connection, limit: 10, now: now)
        #expect(try await store.deleteConnection(fixture.connection))
        let failure = AttemptFailure(.retry, "not now")
        _ = try await store.settle(
            [
                EventSettlement(event: events[0], verdict: .retry(at: now.adding(seconds: 5), failure)),
                EventSettlement(event: events[1], verdict: .release),
            ], now: now)
        for event in events.prefix(2) {
            let event = try #require(try await store.event(event))
            #expect(event.state == .cancelled && event.lastFailure?.message == "its connection was removed")
        }
        await #expect(throws: BerthError.self) { _ = try await store.accept(fixture.delivery("late")) }
        #expect(try await store.replay(EventFilter(), limit: 10, dryRun: false, now: now).isEmpty)
        await store.close()
        store = try await fixture.open()
        _ = try await store.prune(Retention(), now: now)
        #expect(try await store.event(events[2])?.state == .cancelled)
        // And then they go as every event does.
        _ = try await store.prune(Retention(), now: now.adding(seconds: 31 * 86_400))
        #expect(try await store.events(EventFilter(), page: PageRequest()).items.isEmpty)
        await store.close()
    }
}
