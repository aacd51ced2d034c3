// Turns of connections whose events are larger than a batch.

import BerthModel
import BerthSeams
import Testing

@testable import BerthEngine

@Suite struct LargeTurnsTests {
    private struct Still: WallClock { func now() -> Timestamp { Timestamp(milliseconds: 1_772_600_000_000) } }
    private struct Chance: Entropy { func next() -> UInt64 { .random(in: .min ... .max) } }

    // Without this every lane could hold a large event, or one connection keep the others from theirs.
    @Test func aTurnGoesToWhoHasWaitedLongest() {
        let ids = (0..<4).map { _ in ConnectionID(Still(), Chance()) }
        var turns = LargeTurns(turnsMax: 2)
        // Macros can't change what they look at.
        func take(_ id: ConnectionID) -> Bool { turns.take(id) }
        func giveUp(_ id: ConnectionID) -> ConnectionID? { turns.giveUp(id) }
        #expect(take(ids[0]) && take(ids[1]) && take(ids[0]))
        #expect(!take(ids[2]) && !take(ids[3]) && !take(ids[2]))
        #expect(giveUp(ids[0]) == ids[2] && turns.isTurn(of: ids[2]))
        // Who comes back at once stands behind those that wait.
        #expect(!take(ids[0]))
        #expect(giveUp(ids[1]) == ids[3] && giveUp(ids[2]) == ids[0])
        #expect(giveUp(ids[0]) == nil && giveUp(ids[0]) == nil && take(ids[1]))
    }
}
