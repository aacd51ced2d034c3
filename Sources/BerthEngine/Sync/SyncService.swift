// Runs queued syncs: claims them, one at a time per connection and stream, drives each to its end, and keeps the
// handles by which a person cancels one.

public import BerthModel
public import BerthSeams
public import Logging

/// Claims and runs syncs.
public actor SyncService {
    private let store: any Store
    private let runner: SyncRunner
    private let clock: any WallClock
    private let logger: Logger
    private let runsMax: Int
    private let wake: AsyncStream<Void>
    private nonisolated let waker: AsyncStream<Void>.Continuation

    private var running: [RunID: Task<Void, Never>] = [:]
    private var cancelled: Set<RunID> = []
    private var isStopping = false

    /// A service that runs at most `runsMax` syncs at once.
    public init(
        store: any Store, host: any PluginHost, directory: ConnectionDirectory, feed: EventFeed, clock: any WallClock,
        metrics: EngineMetrics, logger: Logger, runsMax: Int = 8
    ) {
        self.store = store
        self.clock = clock
        self.logger = logger
        self.runsMax = runsMax
        self.runner = SyncRunner(
            store: store, host: host, directory: directory, feed: feed, clock: clock, metrics: metrics, logger: logger)
        (wake, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Looks for queued runs soon.
    public nonisolated func wakeUp() { waker.yield() }

    /// Runs until cancelled; runs in hand are then put back to the queue with their checkpoints.
    public func run() async {
        wakeUp()
        for await _ in wake { await claim() }
        isStopping = true
        for task in running.values { task.cancel() }
        for task in running.values { await task.value }
    }

    /// Asks a running run to stop; false when this daemon does not run it.
    public func cancel(_ id: RunID) -> Bool {
        guard let task = running[id] else { return false }
        cancelled.insert(id)
        task.cancel()
        return true
    }

    private func claim() async {
        guard !isStopping, running.count < runsMax else { return }
        do {
            for run in try await store.claimRuns(limit: runsMax - running.count, now: clock.now()) {
                KillPoint.reach("sync.after-claim")
                running[run.id] = Task { await self.drive(run) }
            }
        } catch {
            logger.error("queued syncs not readable", metadata: ["error": "\(error)"])
        }
    }

    private func drive(_ run: SyncRun) async {
        await runner.run(run, ending: { [weak self] in await self?.ending(of: run.id) ?? .shutdown })
        running[run.id] = nil
        cancelled.remove(run.id)
        wakeUp()
    }

    /// Why a cancelled run ends.
    private func ending(of id: RunID) -> SyncRunner.Ending { cancelled.contains(id) ? .cancelled : .shutdown }
}
