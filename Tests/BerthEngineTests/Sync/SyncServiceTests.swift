// Queued runs are claimed, also when the store could not at first; a pause and a person stop them, and one that only waits is in
// nobody's way.

import BerthModel
import BerthSeams
import Logging
import Synchronization
import Testing

@testable import BerthEngine

@Suite(.timeLimit(.minutes(1))) struct SyncServiceTests {
    /// Connections with a queued run each, and the real service over them. Reads last until they are cancelled.
    private struct Bed {
        let runs = MemoryRuns()
        let clock = HandClock(moment(1_700_000_000))
        let directory = ConnectionDirectory()
        let host: ManifestHost
        let service: SyncService
        let begun = AsyncStream<RunID>.makeStream()
        var queued: [SyncRun] = []

        init(connections: Int = 1, runsMax: Int = 8) async throws {
            var manifest = try IntakeBed.manifest(nil)
            let stream = try #require(StreamName("calls"))
            manifest.streams = [StreamSpec(name: stream, entity: EntityDefinition.call.name)]
            host = ManifestHost(manifest)
            let entropy = CountingEntropy()
            for number in 1...connections {
                let connection = try IntakeBed.connection(nil, number: UInt64(number), name: "c\(number)")
                directory.insert(connection)
                queued.append(
                    SyncRun(
                        id: RunID(clock, entropy), connection: connection.id, provider: connection.provider, stream: stream, mode: .full,
                        trigger: .schedule, status: .queued, since: nil, until: clock.now(), createdAt: clock.now()))
                try await runs.enqueueRun(queued[number - 1])
            }
            service = SyncService(
                store: runs, host: host, directory: directory, feed: EventFeed(store: runs), clock: clock, metrics: EngineMetrics(),
                logger: Logger(label: "test"), runsMax: runsMax)
            reads { _ in
                _ = try? await Task.sleep(for: .seconds(600))  // until cancelled
                return AttemptFailure(.cancelled, "stopped")
            }
        }

        func reads(_ read: @escaping @Sendable (RunID) async -> AttemptFailure?) {
            host.reads.withLock { [begun] reads in
                reads = { request in
                    begun.continuation.yield(request.run)
                    return await read(request.run)
                }
            }
        }

        /// Lets the service work while `body` does.
        func working(_ body: () async throws -> Void) async throws {
            let running = Task { await service.run() }
            do { try await body() } catch {
                running.cancel()
                throw error
            }
            running.cancel()
            await running.value
        }

        func cancel(_ id: RunID) async throws -> Bool { try await service.cancel(id) }

        func pause(_ isPaused: Bool) {
            for var connection in directory.connections() {
                connection.status = isPaused ? .paused : .active
                directory.insert(connection)
            }
            runs.kept.withLock { $0.paused = isPaused ? Set(queued.map(\.connection)) : [] }
            service.wakeUp()
        }
    }

    // Without this a run that was queued while the disk was full waits for the next signal, which may be tomorrow's.
    @Test func aRefusedClaimIsTriedAgain() async throws {
        let bed = try await Bed()
        bed.reads { _ in nil }
        bed.runs.kept.withLock { $0.claimsRefused = 2 }
        try await bed.working {
            var ends = bed.runs.finished.stream.makeAsyncIterator()
            #expect(await ends.next() == bed.queued[0].id)
        }
        #expect(bed.runs.kept.withLock { $0.claimsRefused } == 0)
    }

    // Without this a paused connection's provider is asked until the run ends by itself, and the run is lost with the pause.
    @Test func aPauseStopsARunAndItsEndLetsItGoOn() async throws {
        let bed = try await Bed()
        try await bed.working {
            var begun = bed.begun.stream.makeAsyncIterator()
            var released = bed.runs.released.stream.makeAsyncIterator()
            #expect(await begun.next() == bed.queued[0].id)
            bed.pause(true)
            #expect(await released.next() == bed.queued[0].id)
            #expect(bed.runs.runs.map(\.status) == [.queued])
            bed.pause(false)
            #expect(await begun.next() == bed.queued[0].id)
        }
    }

    // Without this a run nobody wants any more can be stopped only after it has begun.
    @Test func aPersonEndsARunThatWaitsAndOneThatRuns() async throws {
        let bed = try await Bed(connections: 2, runsMax: 1)
        try await bed.working {
            var begun = bed.begun.stream.makeAsyncIterator()
            var ends = bed.runs.finished.stream.makeAsyncIterator()
            #expect(await begun.next() == bed.queued[0].id)
            let endedWaiting = try await bed.cancel(bed.queued[1].id)
            #expect(endedWaiting)
            #expect(bed.runs.runs.map(\.status) == [.running, .cancelled])
            #expect(try await bed.cancel(bed.queued[0].id))
            #expect(await ends.next() == bed.queued[0].id)
            #expect(bed.runs.runs.map(\.status) == [.cancelled, .cancelled])
            #expect(try await !bed.cancel(bed.queued[0].id), "it has ended")
        }
    }

    // Without this a person is told that a run ends, and it goes on when its connection is resumed.
    @Test func aRunEndedWhileAPauseStopsItIsOver() async throws {
        let bed = try await Bed()
        let run = bed.queued[0].id
        bed.runs.meanwhile.withLock { [service = bed.service] in $0 = { _ = try? await service.cancel(run) } }  // the double never throws
        try await bed.working {
            var begun = bed.begun.stream.makeAsyncIterator()
            var released = bed.runs.released.stream.makeAsyncIterator()
            #expect(await begun.next() == run)
            bed.pause(true)
            #expect(await released.next() == run)
        }
        #expect(bed.runs.runs.map(\.status) == [.cancelled])
    }

    // Without this a provider that asks for minutes of quiet holds a place for all of them.
    @Test func aRunThatWaitsForItsNextTryHoldsNoPlace() async throws {
        let bed = try await Bed(connections: 2, runsMax: 1)
        let first = bed.queued[0].id
        bed.reads { $0 == first ? AttemptFailure(.throttled, "quiet", retryAfterMilliseconds: 200_000) : nil }
        try await bed.working {
            var ends = bed.runs.finished.stream.makeAsyncIterator()
            #expect(await ends.next() == bed.queued[1].id)
            #expect(bed.runs.runs[0].status == .running)
        }
        #expect(bed.runs.runs.map(\.status) == [.queued, .success], "the end of the daemon puts it back")
    }

    // Without this a run that has waited never goes on, or goes on beside more than there is room for.
    @Test func aRunGoesOnWhenThereIsAPlace() async throws {
        let bed = try await Bed(connections: 2, runsMax: 1)
        let (first, second) = (bed.queued[0].id, bed.queued[1].id)
        let tries = Mutex(0)
        bed.reads { run in
            guard run == first else {
                _ = try? await Task.sleep(for: .seconds(600))  // until cancelled
                return AttemptFailure(.cancelled, "stopped")
            }
            return tries.withLock {
                $0 += 1
                return $0 == 1 ? AttemptFailure(.throttled, "quiet", retryAfterMilliseconds: 1) : nil
            }
        }
        try await bed.working {
            var begun = bed.begun.stream.makeAsyncIterator()
            var ends = bed.runs.finished.stream.makeAsyncIterator()
            #expect(await begun.next() == first)
            #expect(await begun.next() == second)
            try await Task.sleep(for: .milliseconds(1500))  // its wait of a second is over, its turn has not come
            #expect(tries.withLock { $0 } == 1)
            _ = try await bed.cancel(second)
            #expect(await ends.next() == second)
            #expect(await ends.next() == first)
            #expect(bed.runs.runs[0].status == .success)
        }
    }
}
