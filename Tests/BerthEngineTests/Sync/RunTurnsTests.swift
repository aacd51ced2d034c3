// Who of the waiting runs gets the next place.

import BerthModel
import BerthSeams
import Testing

@testable import BerthEngine

@Suite struct RunTurnsTests {
    private let clock = HandClock(moment(1_700_000_000))
    private let entropy = CountingEntropy()

    private func claimants(_ count: Int, _ provider: String, connections: Int = 1000, first: Int = 1, isErring: Bool = false) throws
        -> [RunTurns.Claimant]
    {
        let provider = try #require(ProviderName(provider))
        return try (0..<count).map { index in
            RunTurns.Claimant(
                id: RunID(clock, entropy), connection: try IntakeBed.connection(nil, number: UInt64(first + index % connections)).id,
                provider: provider, isErring: isErring)
        }
    }

    // Without this one provider that never answers keeps everybody else's syncs waiting for minutes.
    @Test func silentProvidersLeaveRoom() throws {
        var turns = RunTurns(runsMax: 32)
        let held = try ["a", "b", "c", "d", "e"].map { turns.take(from: try claimants(100, $0)).count }
        #expect(held == [16, 8, 4, 2, 1])
        #expect(turns.hasRoom)
        let good = try claimants(1, "good")
        #expect(turns.take(from: good).count == 1)
    }

    // Without this a large installation's reads take all operations of a worker, and its events wait behind them.
    @Test func readsLeaveAWorkerRoomForEvents() throws {
        var turns = RunTurns(runsMax: 256)
        let many = try claimants(300, "a")
        #expect(turns.take(from: many).count == 16)
    }

    // Without this a small setting stops syncs altogether.
    @Test func onePlaceIsGivenToWhoComesFirst() throws {
        var turns = RunTurns(runsMax: 1)
        let waiting = try claimants(3, "a")
        #expect(turns.take(from: waiting) == [waiting[0].id] && turns.take(from: waiting).isEmpty)
        turns.leave(waiting[0].id)
        turns.leave(waiting[0].id)
        #expect(turns.take(from: Array(waiting[1...])) == [waiting[1].id] && !turns.hasRoom)
    }

    // Without this who queued a hundred runs first is served first, a hundred times.
    @Test func providersAndConnectionsTakeTurns() throws {
        var turns = RunTurns(runsMax: 8)
        let many = try claimants(6, "a", connections: 2, first: 1)
        let late = try claimants(1, "a", first: 9)
        let other = try claimants(2, "b", first: 20)
        let taken = turns.take(from: many + late + other)
        #expect(Array(taken.prefix(4)) == [many[0].id, other[0].id, many[1].id, other[1].id])
        #expect(taken[4] == late[0].id, "a connection that has none before those that have one")
    }

    // Without this connections whose provider is gone keep the provider's healthy ones waiting.
    @Test func connectionsInErrorLeavePlacesToTheOthers() throws {
        var turns = RunTurns(runsMax: 32)
        let (gone, well) = (try claimants(50, "a", isErring: true), try claimants(50, "a", first: 100))
        #expect(turns.take(from: gone).count == 8)
        #expect(turns.take(from: well).count == 8)
        var one = RunTurns(runsMax: 1)
        #expect(one.take(from: gone).count == 1)
    }
}
