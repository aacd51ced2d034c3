// How long failed events wait: every number of the default schedule, the spread around it, and its end.

import BerthEngine
import BerthModel
import Testing

@Suite struct RetryScheduleTests {
    private let retries = RetrySchedule()

    // Without this the first retry comes at once or after an hour, or a long weekend's outage loses events.
    @Test func waitsAreTheDeclaredOnes() {
        let middle = (1...9).compactMap { retries.wait(afterAttempt: $0, asked: nil, random: 0.5) }.map {
            ($0 / .seconds(1) * 1e6).rounded() / 1e6
        }
        let minute: Int64 = 60
        let hour: Int64 = 3600
        let declared: [Int64] = [5, 30, 2 * minute, 10 * minute, 30 * minute, 2 * hour, 6 * hour, 15 * hour, 48 * hour]
        #expect(middle == declared.map { Double($0) })
        let total = declared.reduce(0, +)
        #expect(total > 2 * 86_400 && total < 4 * 86_400, "about three days, not \(total) s")
    }

    // Without a limit a poison event lives for ever; with a smaller one events of an outage are given up.
    @Test func tenAttemptsAndNoMore() {
        #expect(retries.attemptsMax == 10)
        #expect(retries.wait(afterAttempt: 9, asked: nil, random: 0) != nil)
        for attempt in [10, 11, 1000, 0, -1] {
            #expect(retries.wait(afterAttempt: attempt, asked: nil, random: 0.5) == nil, "attempt \(attempt)")
            #expect(retries.wait(afterAttempt: attempt, asked: .seconds(60), random: 0.5) == nil, "attempt \(attempt), asked")
        }
    }

    // Without the spread all events that one outage stopped come back in the same instant; with a wider one order of magnitude is lost.
    @Test func chanceSpreadsByAFifthBothWays() throws {
        for (attempt, seconds) in [(1, 5.0), (5, 1800.0), (9, 172_800.0)] {
            let lowest = try #require(retries.wait(afterAttempt: attempt, asked: nil, random: 0))
            let highest = try #require(retries.wait(afterAttempt: attempt, asked: nil, random: 0.999_999))
            #expect(abs(lowest / .seconds(1) - seconds * 0.8) < seconds * 0.001, "\(lowest)")
            #expect(abs(highest / .seconds(1) - seconds * 1.2) < seconds * 0.001, "\(highest)")
        }
        let waits = try stride(from: 0.0, to: 1, by: 0.01).map { try #require(retries.wait(afterAttempt: 1, asked: nil, random: $0)) }
        #expect(Set(waits).count == 100 && waits == waits.sorted())
    }

    // Without this a provider's Retry-After is overrun, or one of a year buries the event.
    @Test func whatIsAskedForIsHonouredUpToADay() {
        #expect(retries.wait(afterAttempt: 1, asked: .seconds(90), random: 0.5) == .seconds(90))
        #expect(retries.wait(afterAttempt: 1, asked: .seconds(2), random: 0.5) == .seconds(5), "a shorter wish does not hurry")
        #expect(retries.wait(afterAttempt: 1, asked: .seconds(86_399), random: 0.5) == .seconds(86_399))
        #expect(retries.wait(afterAttempt: 1, asked: .seconds(31_536_000), random: 0.5) == .seconds(86_400))
        #expect(retries.wait(afterAttempt: 9, asked: .seconds(31_536_000), random: 0.5) == .seconds(172_800), "its own wait is longer")
    }
}
