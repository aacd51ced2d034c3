// How long a run waits before it goes on after trouble, and when it gives up.

import BerthModel
import Testing

@testable import BerthEngine

@Suite struct SyncRunnerTests {
    private func wait(_ status: AttemptStatus, asked: UInt64? = nil, tries: Int = 1) -> Duration? {
        SyncRunner.wait(AttemptFailure(status, "x", retryAfterMilliseconds: asked), tries: tries, triesMax: 3, waitMax: .seconds(300))
    }

    // Without this a run asks a provider again before the time it named, or holds its place for a day because one named a day.
    @Test func aRunWaitsAsAskedOrEnds() {
        #expect(wait(.throttled, asked: 90_000) == .seconds(90))
        #expect(wait(.throttled, asked: 300_000) == .seconds(300))
        #expect(wait(.throttled, asked: 300_001) == nil)
        #expect(wait(.throttled, asked: 1) == .seconds(1), "its own wait is longer")
        #expect(wait(.remoteDown, asked: .max) == nil)
    }

    // Without this a provider that is down for a second fails the run, or one that is down for good is asked for ever.
    @Test func threeTriesWithGrowingWaits() {
        #expect([1, 2, 3, 4].map { wait(.remoteDown, tries: $0) } == [.seconds(1), .seconds(2), nil, nil])
    }

    // Without this trouble that no waiting mends is repeated.
    @Test(arguments: [AttemptStatus.authDenied, .notFound, .invalidEvent, .denied, .unsupported, .conflict, .internal, .contractViolation])
    func whatWaitingDoesNotMendEndsTheRun(status: AttemptStatus) {
        #expect(wait(status) == nil && wait(status, asked: 1000) == nil)
    }
}
