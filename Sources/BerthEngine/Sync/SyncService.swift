// Runs queued syncs: claims them, one at a time per connection and stream, drives each to its end, and keeps the
// handles by which a person cancels one.

public import BerthModel
public import BerthSeams
public import Logging

/// Claims and runs syncs.
public actor SyncService {
    private let store: any RunStore
    private let runner: SyncRunner
    private let clock: any WallClock
    private let logger: Logger
    private let runsMax: Int
    private let wake: AsyncStream<Void>
    private nonisolated let waker: AsyncStream<Void>.Continuation

    private var running: [RunID: Task<Void, Never>] = [:]
    private var cancelled: Set<RunID> = []
    private var isStopping = false
    /// Looks again after a claim that the store refused.
    private var retry: Task<Void, Never>?
    private var retryWait = SyncService.firstRetryWait
    private static let firstRetryWait = Duration.milliseconds(250)

    /// A service that runs at most `runsMax` syncs at once.
    public init(
        store: any RunStore, host: any PluginHost, directory: ConnectionDirectory, feed: EventFeed, clock: any WallClock,
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
        retry?.cancel()
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
            retryWait = Self.firstRetryWait
        } catch {
            logger.error("queued syncs not claimed, trying again", metadata: ["error": "\(error)", "wait": "\(retryWait)"])
            claimLater()
        }
    }

    /// The next signal may be a day away: what is queued must not wait for it because the store could not write just now.
    private func claimLater() {
        retry?.cancel()
        retry = Task { [retryWait] in
            guard (try? await Task.sleep(for: retryWait)) != nil else { return }  // only cancellation throws here
            self.wakeUp()
        }
        retryWait = min(retryWait * 2, .seconds(5))
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
