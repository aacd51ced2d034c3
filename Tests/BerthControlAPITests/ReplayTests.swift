// What a replay answers where it is about more events than it lists.

import BerthControlAPI
import BerthModel
import Testing

@Suite struct ReplayTests {
    @Test(arguments: [0, 1, 1000, 1001]) func aListThatEndsEarlySaysSo(count: Int) {
        // Would break: a caller takes the first thousand for all that were replayed.
        let events = (0..<count).map { EventID(time: Timestamp(milliseconds: 1), random: (0, UInt64($0))) }
        let replay = Replay(dry_run: true, events: events)
        #expect(replay.count == count && replay.events.count == min(count, 1000) && replay.truncated == (count > 1000))
        #expect(replay.events == events.prefix(1000).map(\.description))
    }

    @Test func aLimitChoosesNothing() {
        // Would break: a filter that names nothing replays the whole inbox.
        var filter = ReplayFilter()
        filter.limit = 5
        filter.dry_run = false
        #expect(!filter.choosesSome)
        filter.states = [.discarded]
        #expect(filter.choosesSome)
    }
}
