// Runs queued syncs: claims them by turns, one at a time per connection and stream, drives each to its end, stops those whose
// connection was paused or ended, and keeps the handles by which a person cancels one.

public import BerthModel
public import BerthSeams
public import Logging

/// Claims and runs syncs.
public actor SyncService {
    private let store: any RunStore
    private let host: any PluginHost
    private let directory: ConnectionDirectory
    private let runner: SyncRunner
    private let clock: any WallClock
    private let logger: Logger
    private let wake: AsyncStream<Void>
    private nonisolated let waker: AsyncStream<Void>.Continuation

    private struct Running {
        let run: SyncRun
        /// Its connection as it was when the run began.
        let connection: Connection?
        let task: Task<Void, Never>
    }
    private var running: [RunID: Running] = [:]
    private var turns: RunTurns
    /// Runs that have waited and want to go on, in the order of their coming.
    private var returning: [(run: SyncRun, turn: CheckedContinuation<Void, Never>)] = []
    /// Runs that the store is being asked for.
    private var claiming: Set<RunID> = []
    private var cancelled: Set<RunID> = []
    /// Runs that their connection stopped, and why.
    private var stopped: [RunID: RunEnding] = [:]
    private(set) var isStopping = false
    /// Looks again after a claim that the store refused.
    private var retry: Task<Void, Never>?
    private var retryWait = SyncService.firstRetryWait
    private static let firstRetryWait = Duration.milliseconds(250)

    /// A service that runs at most `runsMax` syncs at once; those that wait for their next try are not counted.
    public init(
        store: any RunStore, host: any PluginHost, directory: ConnectionDirectory, feed: EventFeed, clock: any WallClock,
        metrics: EngineMetrics, logger: Logger, runsMax: Int = 32
    ) {
        self.store = store
        self.host = host
        self.directory = directory
        self.clock = clock
        self.logger = logger
        self.turns = RunTurns(runsMax: runsMax)
        self.runner = SyncRunner(
            store: store, host: host, directory: directory, feed: feed, clock: clock, metrics: metrics, logger: logger)
        (wake, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Looks soon for queued runs, and for those that their connection stops: it was paused or changed, or it ended. To be called when
    /// a connection or a plugin changed.
    public nonisolated func wakeUp() { waker.yield() }

    /// Runs until cancelled; runs in hand are then put back to the queue with their checkpoints.
    public func run() async {
        wakeUp()
        for await _ in wake { await look() }
        isStopping = true
        retry?.cancel()
        let left = running.values.map(\.task)
        for id in Array(running.keys) { interrupt(id) }
        for task in left { await task.value }
    }

    /// Ends a run: a queued one at once, a running one soon. False when it has ended. Throws when the store can't be asked.
    public func cancel(_ id: RunID) async throws(BerthError) -> Bool {
        // Noted before the store is asked: a claim that is under way finds it.
        cancelled.insert(id)
        if running[id] == nil {
            do throws(BerthError) {
                if try await cancelQueued(id) {
                    cancelled.remove(id)
                    return true
                }
            } catch {
                cancelled.remove(id)
                throw error
            }
        }
        if running[id] != nil {
            interrupt(id)
            return true
        }
        if !claiming.contains(id) { cancelled.remove(id) }
        return claiming.contains(id)
    }

    private func look() async {
        guard !isStopping else { return }
        for (id, running) in running where stopped[id] == nil {
            guard let ending = ending(of: running) else { continue }
            stopped[id] = ending
            interrupt(id)
        }
        serveReturning()
        guard turns.hasRoom else { return }
        do throws(BerthError) {
            // One without its plugin waits for it; one of a connection that is gone is taken, to be ended.
            let waiting = try await store.waitingRuns()
                .filter { host.manifest(of: $0.provider) != nil || directory.connection($0.connection) == nil }
                .map { claimant($0.id, $0.connection, $0.provider) }
            let chosen = turns.take(from: waiting)
            guard !chosen.isEmpty else { return }
            claiming = Set(chosen)
            defer {
                for id in chosen where running[id] == nil {
                    turns.leave(id)
                    cancelled.remove(id)
                }
                claiming = []
            }
            for run in try await store.claimRuns(chosen, now: clock.now()) {
                KillPoint.reach("sync.after-claim")
                running[run.id] = Running(run: run, connection: directory.connection(run.connection), task: Task { await self.drive(run) })
                if cancelled.contains(run.id) { interrupt(run.id) }
            }
            retryWait = Self.firstRetryWait
        } catch {
            logger.error("queued syncs not claimed, trying again", metadata: ["error": "\(error)", "wait": "\(retryWait)"])
            lookLater()
        }
    }

    /// Why a run has to stop by what its connection has become; nil: it may go on.
    private func ending(of running: Running) -> RunEnding? {
        guard let connection = directory.connection(running.run.connection) else {
            return .connectionEnded(.connectionEnded(isRemoved: true))
        }
        if connection.status == .disconnected { return .connectionEnded(.connectionEnded(isRemoved: false)) }
        // Before a pause: it must not go on with a checkpoint of what it read before.
        if let before = running.connection, !isSame(before, connection) {
            return .connectionEnded(.connectionMoved)
        }
        return connection.status == .paused ? .paused : nil
    }

    /// Whether both read the same account, by the manifest of now: another one, after a reload, changes nothing of the account.
    private func isSame(_ before: Connection, _ now: Connection) -> Bool {
        guard let manifest = host.manifest(of: now.provider) else { return true }
        return InstanceFactory.identity(of: before, manifest) == InstanceFactory.identity(of: now, manifest)
    }

    /// The next signal may be a day away: what is queued must not wait for it because the store could not write just now.
    private func lookLater() {
        retry?.cancel()
        retry = Task { [retryWait] in
            guard (try? await Task.sleep(for: retryWait)) != nil else { return }  // only cancellation throws here
            self.wakeUp()
        }
        retryWait = min(retryWait * 2, .seconds(5))
    }

    private func drive(_ run: SyncRun) async {
        await runner.run(run, keeper: self)
        // A pause may have put it back in the moment a person ended it.
        if cancelled.contains(run.id) {
            do { try await cancelQueued(run.id) } catch {
                logger.error("cancelled sync may still be queued", metadata: ["run": "\(run.id)", "error": "\(error)"])
            }
        }
        running[run.id] = nil
        cancelled.remove(run.id)
        stopped[run.id] = nil
        turns.leave(run.id)
        wakeUp()
    }

    /// Whether it was queued.
    @discardableResult
    private func cancelQueued(_ id: RunID) async throws(BerthError) -> Bool {
        guard let receipt = try await store.cancelQueuedRun(id, error: SyncRunner.cancelledByPerson, now: clock.now()) else { return false }
        runner.publish(receipt)
        return true
    }

    private func interrupt(_ id: RunID) {
        running[id]?.task.cancel()
        guard let index = returning.firstIndex(where: { $0.run.id == id }) else { return }
        returning.remove(at: index).turn.resume()
    }

    // MARK: Turns

    private func claimant(_ id: RunID, _ connection: ConnectionID, _ provider: ProviderName) -> RunTurns.Claimant {
        RunTurns.Claimant(
            id: id, connection: connection, provider: provider, isErring: directory.connection(connection)?.status == .error)
    }

    /// Before those that have not begun: what has begun should end.
    private func serveReturning() {
        for id in turns.take(from: returning.map { claimant($0.run.id, $0.run.connection, $0.run.provider) }) {
            guard let index = returning.firstIndex(where: { $0.run.id == id }) else { continue }
            returning.remove(at: index).turn.resume()
        }
    }
}

extension SyncService: RunKeeper {
    func rest(_ run: SyncRun, for wait: Duration) async {
        turns.leave(run.id)
        wakeUp()
        guard (try? await Task.sleep(for: wait)) != nil else { return }  // only cancellation throws here
        await withCheckedContinuation { turn in
            // Looked at here, where nothing comes between: `interrupt` resumes only those it finds.
            guard !Task.isCancelled else { return turn.resume() }
            returning.append((run, turn))
            serveReturning()
        }
    }

    func ending(of id: RunID) -> RunEnding { cancelled.contains(id) ? .cancelled : stopped[id] ?? .shutdown }
}
