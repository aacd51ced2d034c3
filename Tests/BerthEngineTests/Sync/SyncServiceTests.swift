// Queued runs are claimed, also when the store could not at first.

import BerthModel
import BerthSeams
import Logging
import Synchronization
import Testing

@testable import BerthEngine

@Suite struct SyncServiceTests {
    // Without this a run that was queued while the disk was full waits for the next signal, which may be tomorrow's.
    @Test(.timeLimit(.minutes(1))) func aRefusedClaimIsTriedAgain() async throws {
        let runs = MemoryRuns()
        let clock = HandClock(moment(1_700_000_000))
        let directory = ConnectionDirectory()
        let connection = try IntakeBed.connection(nil, number: 1)
        directory.insert(connection)
        let service = SyncService(
            store: runs, host: ManifestHost(try IntakeBed.manifest(nil)), directory: directory, feed: EventFeed(store: runs), clock: clock,
            metrics: EngineMetrics(), logger: Logger(label: "test"))
        let run = SyncRun(
            id: RunID(clock, CountingEntropy()), connection: connection.id, provider: connection.provider,
            stream: try #require(StreamName("calls")),
            mode: .full, trigger: .schedule, status: .queued, since: nil, until: clock.now(), createdAt: clock.now())
        try await runs.enqueueRun(run)
        runs.kept.withLock { $0.claimsRefused = 2 }
        let running = Task { await service.run() }
        var ends = runs.finished.stream.makeAsyncIterator()
        #expect(await ends.next() == run.id)
        #expect(runs.kept.withLock { $0.claimsRefused } == 0)
        running.cancel()
        await running.value
    }
}
