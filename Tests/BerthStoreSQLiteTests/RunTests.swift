// Sync runs: one at a time, pages with their checkpoints, what an end changes.

import BerthModel
import BerthSeams
import BerthStoreSQLite
import Testing

@Suite struct RunTests {
    private func claimed(_ store: SQLiteStore, _ fixture: StoreFixture, _ mode: ReadMode = .incremental) async throws -> SyncRun {
        try await store.enqueueRun(fixture.run(mode))
        return try await store.claimAll(now: fixture.clock.now())[0]
    }

    // Without this two runs of one stream would race for its checkpoint.
    @Test func oneRunAtATimePerStream() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        _ = try await claimed(store, fixture)
        await #expect(throws: BerthError.self) { try await store.enqueueRun(fixture.run()) }
        await store.close()
    }

    // Without this a crash would begin a long read again, or skip what its last page held.
    @Test func anInterruptedRunGoesOnFromItsCheckpoint() async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.begin()
        let run = try await claimed(store, fixture)
        let checkpoint = Checkpoint(schema: 1, state: Array("page 2".utf8))
        _ = try await store.commitPage([fixture.change("1", "{}")], checkpoint: checkpoint, run: run.id, now: fixture.clock.now())
        await store.close()
        store = try await fixture.open()
        let again = try await store.claimAll(now: fixture.clock.now())[0]
        #expect(again.id == run.id && again.checkpoint == checkpoint && again.counts.created == 1 && again.attempts == 2)
        await store.close()
    }

    // Without this a page of a run that was taken away would still be written.
    @Test func aPageNeedsTheRun() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let run = try await claimed(store, fixture)
        _ = try await store.finishRun(run.id, status: .success, error: nil, deletesUnseen: nil, overlapSeconds: 0, now: fixture.clock.now())
        await #expect(throws: BerthError.self) {
            try await store.commitPage([], checkpoint: Checkpoint(schema: 1, state: []), run: run.id, now: fixture.clock.now())
        }
        #expect(try await store.streamStates(of: fixture.connection)[0].highWater == run.until)
        await store.close()
    }

    // Without this a page that was under way is written for a connection that is gone.
    @Test func aPageNeedsTheConnection() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let run = try await claimed(store, fixture)
        func page() async -> String? {
            do throws(BerthError) {
                _ = try await store.commitPage(
                    [fixture.change("1", "{}")], checkpoint: Checkpoint(schema: 1, state: []), run: run.id, now: fixture.clock.now())
                return nil
            } catch { return error.code == .connectionEnded ? error.message : "\(error)" }
        }
        _ = try await store.changeConnection(fixture.connection, secrets: SealedChange()) { connection, _ in
            connection.status = .disconnected
            return []
        }
        #expect(await page() == "the connection was disconnected while it ran")
        #expect(try await store.deleteConnection(fixture.connection))
        #expect(await page() == "the connection was removed while it ran")
        #expect(try await store.recordCount(EntityName("call")!) == 0)
        _ = try await store.finishRun(
            run.id, status: .cancelled, error: nil, deletesUnseen: nil, overlapSeconds: 0, now: fixture.clock.now())
        #expect(try await store.run(run.id)?.status == .cancelled, "its row ends all the same")
        await store.close()
    }

    // Without this an account's history is never read where another's was, or is taken for read by the end of a run of the other.
    @Test(arguments: [ReadMode.full, .incremental]) func streamsOfAnotherAccountBeginAnew(mode: ReadMode) async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        func mark() async throws -> Timestamp? { try await store.streamStates(of: fixture.connection)[0].highWater }
        func end(_ run: SyncRun) async throws {
            _ = try await store.finishRun(
                run.id, status: .success, error: nil, deletesUnseen: nil, overlapSeconds: 0, now: fixture.clock.now())
        }
        func restart() async throws {
            _ = try await store.changeConnection(fixture.connection, secrets: SealedChange(), restartsStreams: true) { _, _ in [] }
        }
        try await end(try await claimed(store, fixture))
        #expect(try await mark() != nil)
        let running = try await claimed(store, fixture, mode)
        try await restart()
        #expect(try await mark() == nil)
        try await end(running)
        #expect(try await mark() == nil, "what it read was the other's")

        var queued = try await claimed(store, fixture, mode)
        let checkpoint = Checkpoint(schema: 1, state: Array("page 2".utf8))
        _ = try await store.commitPage([], checkpoint: checkpoint, run: queued.id, now: fixture.clock.now())
        try await store.releaseRun(queued.id)
        try await restart()
        queued = try await store.claimAll(now: fixture.clock.now())[0]
        #expect(queued.checkpoint == nil && queued.since == nil)
        try await end(queued)
        #expect(try await mark() == queued.until)
        await store.close()
    }

    // Without this a run begins for a connection that a person has paused, in the moment between the look and the claim at the latest.
    @Test func runsOfAPausedConnectionWait() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let run = try await claimed(store, fixture)
        func pause(_ isPaused: Bool) async throws {
            _ = try await store.changeConnection(fixture.connection, secrets: SealedChange()) { connection, _ in
                connection.status = isPaused ? .paused : .active
                return []
            }
        }
        try await pause(true)
        try await store.releaseRun(run.id)
        #expect(try await store.waitingRuns().isEmpty)
        #expect(try await store.claimRuns([run.id], now: fixture.clock.now()).isEmpty)
        try await pause(false)
        #expect(try await store.waitingRuns().map(\.id) == [run.id])
        #expect(try await store.claimAll(now: fixture.clock.now()).map(\.attempts) == [2])
        await store.close()
    }

    // Without this a run that waits for its turn blocks its stream, and nobody can take it away.
    @Test func aQueuedRunIsCancelledAndARunningOneIsNot() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let run = fixture.run()
        let error = AttemptFailure(.cancelled, "by a person")
        try await store.enqueueRun(run)
        let receipt = try await store.cancelQueuedRun(run.id, error: error, now: fixture.clock.now())
        #expect(receipt?.notices.map(\.topic) == ["run.finished"])
        #expect(try await store.run(run.id)?.status == .cancelled)
        #expect(try await store.cancelQueuedRun(run.id, error: error, now: fixture.clock.now()) == nil)
        let next = try await claimed(store, fixture)
        #expect(try await store.cancelQueuedRun(next.id, error: error, now: fixture.clock.now()) == nil)
        #expect(try await store.run(next.id)?.status == .running)
        await store.close()
    }

    // Without this Berth believes that it has read what it never asked for, and no later run asks for it.
    @Test func theMarkMovesOnlyOverWhatWasRead() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        func mark(_ mode: ReadMode, since: Timestamp?, until: Timestamp? = nil) async throws -> Timestamp? {
            fixture.clock.advance(seconds: 100)
            var run = fixture.run(mode)
            run.since = since
            run.until = until ?? run.until
            try await store.enqueueRun(run)
            _ = try await store.claimAll(now: fixture.clock.now())
            _ = try await store.finishRun(
                run.id, status: .success, error: nil, deletesUnseen: nil, overlapSeconds: 60, now: fixture.clock.now())
            return try await store.streamStates(of: fixture.connection)[0].highWater
        }
        let begin = fixture.clock.now()
        #expect(try await mark(.incremental, since: begin) == nil, "a first run of the last days")
        #expect(try await mark(.range, since: begin) == nil)
        let first = try #require(try await mark(.incremental, since: nil))
        #expect(first == begin.adding(seconds: 300))
        #expect(try await mark(.incremental, since: first.adding(seconds: 1)) == first, "a gap behind the mark")
        #expect(try await mark(.incremental, since: first.adding(seconds: -59)) == first, "a gap in the overlap")
        #expect(try await mark(.incremental, since: first.adding(seconds: -60)) == begin.adding(seconds: 600))
        #expect(try await mark(.incremental, since: first, until: first.adding(seconds: 1)) == begin.adding(seconds: 600), "never back")
        #expect(try await mark(.full, since: nil) == begin.adding(seconds: 800))
        #expect(try await mark(.full, since: nil, until: begin.adding(seconds: 5000)) == begin.adding(seconds: 800), "never ahead")
        await store.close()
    }

    // Without this an operator would not be told of a broken connection, or of its recovery.
    @Test func threeFailuresMakeAnErrorAndASuccessClearsIt() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        var receipt: FinishReceipt?
        for _ in 0..<3 {
            let run = try await claimed(store, fixture)
            receipt = try await store.finishRun(
                run.id, status: .failed, error: AttemptFailure(.remoteDown, "gone"), deletesUnseen: nil, overlapSeconds: 0,
                now: fixture.clock.now())
        }
        #expect(receipt?.connection?.connection.status == .error && receipt?.notices.map(\.topic) == ["connection.error", "run.finished"])
        #expect(try await store.connections()[0].lastError == "gone")
        let run = try await claimed(store, fixture)
        receipt = try await store.finishRun(
            run.id, status: .success, error: nil, deletesUnseen: nil, overlapSeconds: 0, now: fixture.clock.now())
        #expect(receipt?.connection?.connection.status == .active && receipt?.connection?.connection.consecutiveFailures == 0)
        await store.close()
    }

    // Without this a schedule asks a provider again that wants to be left alone, after a restart at the latest.
    @Test func whatAProviderAskedForIsRememberedUntilARunSaysOtherwise() async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.begin()
        func end(_ status: RunStatus, asked: UInt64? = nil) async throws -> Timestamp? {
            let run = try await claimed(store, fixture)
            let failure = status == .failed ? AttemptFailure(.throttled, "quiet", retryAfterMilliseconds: asked) : nil
            _ = try await store.finishRun(
                run.id, status: status, error: failure, deletesUnseen: nil, overlapSeconds: 0, now: fixture.clock.now())
            return try await store.streamStates(of: fixture.connection)[0].notBefore
        }
        let now = fixture.clock.now()
        #expect(try await end(.failed, asked: 600_000) == now.adding(seconds: 600))
        await store.close()
        store = try await fixture.open()
        #expect(try await store.streamStates(of: nil)[0].notBefore == now.adding(seconds: 600))
        #expect(try await end(.cancelled) == now.adding(seconds: 600), "a person's stop says nothing of the provider")
        #expect(try await end(.failed, asked: .max) == now.adding(seconds: 86_400), "a day at most")
        #expect(try await end(.failed) == nil)
        #expect(try await end(.failed, asked: 5000) != nil)
        #expect(try await end(.success) == nil)
        await store.close()
    }

    // Without this what a provider deleted would stay for ever, or what it only did not change would go.
    @Test func aFullReadBuriesWhatItDidNotSee() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        _ = try await store.apply(
            [fixture.change("old", "{}"), fixture.change("kept", "{}")], connection: fixture.connection, now: fixture.clock.now())
        fixture.clock.advance(seconds: 10)
        let run = try await claimed(store, fixture, .full)
        _ = try await store.commitPage(
            [fixture.change("kept", "{}"), fixture.change("new", "{}")], checkpoint: Checkpoint(schema: 1, state: [1]), run: run.id,
            now: fixture.clock.now())
        _ = try await store.finishRun(
            run.id, status: .success, error: nil, deletesUnseen: EntityName("call"), overlapSeconds: 0, now: fixture.clock.now())
        let left = try await store.records(EntityName("call")!, RecordQuery(), page: PageRequest()).items.map(\.externalID)
        #expect(Set(left) == ["kept", "new"])
        await store.close()
    }
}

extension SQLiteStore {
    /// Takes every run that waits.
    fileprivate func claimAll(now: Timestamp) async throws -> [SyncRun] { try await claimRuns(try await waitingRuns().map(\.id), now: now) }
}
