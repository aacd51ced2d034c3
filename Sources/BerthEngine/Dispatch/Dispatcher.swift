// Hands accepted events to their plugins and settles them: lease -> batch -> plugin -> verdicts -> one transaction.
// One batch at a time per connection (so that order holds), several connections at once. Keeps nothing that a crash
// could lose: what is leased and not settled when the daemon dies is leased again by the next one.

import BerthModel
public import BerthSeams
public import Logging

/// Drives events from the inbox to their effects.
public actor Dispatcher {
    private let store: any Store
    private let host: any PluginHost
    private let directory: ConnectionDirectory
    private let instances: InstanceFactory
    private let feed: EventFeed
    private let clock: any WallClock
    private let entropy: any Entropy
    private let metrics: EngineMetrics
    private let logger: Logger
    private let judge: AttemptJudge
    private let lanesMax: Int

    /// Raised by intake, replay and retries.
    public nonisolated let signal: WorkSignal

    private var lanes: [ConnectionID: Task<Void, Never>] = [:]
    private var again: Set<ConnectionID> = []
    private var waiting: [ConnectionID] = []
    private var large = LargeTurns()
    private var isStopping = false
    /// The watch of due times while it sleeps, and the soonest due time that came up since it last looked into the store.
    private var watch: (until: Timestamp, sleep: Task<Void, Never>)?
    private var soonest: Timestamp?

    /// A dispatcher that serves at most `lanesMax` connections at once.
    public init(
        store: any Store, host: any PluginHost, directory: ConnectionDirectory, feed: EventFeed, clock: any WallClock,
        entropy: any Entropy, metrics: EngineMetrics, logger: Logger, signal: WorkSignal, retries: RetrySchedule = .init(),
        lanesMax: Int = 16
    ) {
        self.store = store
        self.host = host
        self.directory = directory
        self.instances = InstanceFactory(host: host)
        self.feed = feed
        self.clock = clock
        self.entropy = entropy
        self.metrics = metrics
        self.logger = logger
        self.signal = signal
        self.judge = AttemptJudge(retries: retries)
        self.lanesMax = lanesMax
    }

    /// Runs until cancelled; then waits for the batches in hand to be settled.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.followSignal() }
            group.addTask { await self.followDueTimes() }
            await group.waitForAll()
        }
        isStopping = true
        for lane in lanes.values { await lane.value }
    }

    private func followSignal() async {
        for await _ in signal.wakeUps {
            let connections = signal.drain()
            if connections.isEmpty { await startDueLanes() }
            for connection in connections { start(connection) }
        }
    }

    /// Retries become due by the clock, and a signal can be missed only by a crash: look at start and at due times.
    private func followDueTimes() async {
        while !Task.isCancelled {
            soonest = nil
            await startDueLanes()
            var wait: Int64 = 5000
            do {
                let stored = try await store.nextEventDue(after: clock.now())
                let next = [stored, soonest].compactMap { $0 }.min()
                wait = next.map { max(50, min(30_000, $0.milliseconds - clock.now().milliseconds)) } ?? 30_000
            } catch {
                logger.error("inbox not readable", metadata: ["error": "\(error)"])
            }
            let sleep = Task { [wait] in _ = try? await Task.sleep(for: .milliseconds(wait)) }  // only cancellation throws here
            watch = (clock.now().adding(milliseconds: wait), sleep)
            await withTaskCancellationHandler {
                await sleep.value
            } onCancel: {
                sleep.cancel()
            }
            watch = nil
        }
    }

    /// Something becomes due then: the watch must not sleep beyond it.
    private func look(at due: Timestamp) {
        soonest = min(soonest ?? due, due)
        if let watch, due < watch.until { watch.sleep.cancel() }
    }

    /// What of a settled batch comes up again: retries at their time. Events given back because a neighbour brought the plugin down
    /// are due now; where all were given back nothing moves, and a second must pass so that this is no endless loop.
    private func lookAgain(after settlements: [EventSettlement]) -> Bool {
        var released = 0
        for settlement in settlements {
            switch settlement.verdict {
            case .retry(let at, _): look(at: at)
            case .release: released += 1
            case .completed, .unsupported, .discard: break
            }
        }
        if released == settlements.count { look(at: clock.now().adding(seconds: 1)) }
        return released > 0 && released < settlements.count
    }

    private func startDueLanes() async {
        do {
            for connection in try await store.connectionsWithDueEvents(now: clock.now()) { start(connection) }
        } catch {
            logger.error("inbox not readable", metadata: ["error": "\(error)"])
        }
    }

    private func start(_ connection: ConnectionID) {
        guard !isStopping else { return }
        guard lanes[connection] == nil else {
            again.insert(connection)
            return
        }
        guard lanes.count < lanesMax else {
            if !waiting.contains(connection) { waiting.append(connection) }
            return
        }
        lanes[connection] = Task { await self.serve(connection) }
    }

    private func laneEnded(_ connection: ConnectionID) {
        lanes[connection] = nil
        if again.remove(connection) != nil {
            start(connection)
        } else if let next = large.giveUp(connection) {
            start(next)
        }
        if !waiting.isEmpty, lanes.count < lanesMax { start(waiting.removeFirst()) }
    }

    /// Serves one connection until it has no due event. A fair share: after 32 batches others get their turn.
    private func serve(_ id: ConnectionID) async {
        var batches = 0
        while !isStopping, !Task.isCancelled, let connection = directory.connection(id), connection.takesDispatch,
            let manifest = host.manifest(of: connection.provider)
        {
            do {
                guard try await serveBatch(connection, manifest) else { break }
            } catch {
                logger.error("batch not settled", metadata: ["connection": "\(id)", "error": "\(error)"])
                guard (try? await Task.sleep(for: .seconds(1))) != nil else { break }  // only cancellation throws here
            }
            batches += 1
            if batches >= 32, !waiting.isEmpty {
                again.insert(id)
                break
            }
        }
        laneEnded(id)
    }

    /// Bytes of events that a lane has in hand, unless one alone has more. What a lane holds is several times in memory on its way to a
    /// worker, and a batch of this size has long paid for its commit.
    private static let batchBytesMax = 1 << 20

    /// One batch; answers whether there may be more.
    private func serveBatch(_ connection: Connection, _ manifest: PluginManifest) async throws(BerthError) -> Bool {
        var bounds = LeaseBounds(count: max(1, manifest.runtime.eventBatch), bytes: Self.batchBytesMax)
        bounds.takesLarger = large.isTurn(of: connection.id)
        var lease = try await store.leaseEvents(of: connection.id, within: bounds, now: clock.now())
        if lease.isFirstLarger {
            // The lane is left to others while this one waits: the end of a turn starts it again.
            guard large.take(connection.id) else { return false }
            bounds.takesLarger = true
            lease = try await store.leaseEvents(of: connection.id, within: bounds, now: clock.now())
        }
        defer { if bounds.takesLarger, let next = large.giveUp(connection.id) { start(next) } }
        let events = lease.events
        guard !events.isEmpty else { return false }
        KillPoint.reach("dispatch.after-lease")
        let began = ContinuousClock.now
        let outcome = await host.handle(events.map(\.proven), for: instances.instance(of: connection, manifest))
        let settlements = judge.settlements(
            of: events, outcome: outcome, entities: StreamEntities(manifest), now: clock.now(),
            random: { Double(self.entropy.next() >> 11) * 0x1p-53 })
        KillPoint.reach("dispatch.before-settle")
        let receipt = try await settle(settlements, of: connection.id)
        KillPoint.reach("dispatch.after-settle")
        feed.publish(receipt.notices)
        report(settlements, receipt, connection, events: events.count, took: ContinuousClock.now - began)
        let hasReleased = lookAgain(after: settlements)
        return lease.hasMore || hasReleased || again.remove(connection.id) != nil
    }

    /// Settles, however long the store can't: what a plugin has done must not be forgotten because the disk was full, and events
    /// that stay leased would be seen by nobody before the next start. Throws when the daemon stops, or when the store refuses
    /// these settlements themselves even as failures.
    private func settle(_ settlements: [EventSettlement], of connection: ConnectionID) async throws(BerthError) -> SettleReceipt {
        var settlements = settlements
        var wait = Duration.milliseconds(250)
        var isGivenUp = false
        while true {
            do throws(BerthError) { return try await store.settle(settlements, now: clock.now()) } catch {
                logger.error(
                    "batch not settled, trying again",
                    metadata: ["connection": "\(connection)", "events": "\(settlements.count)", "error": "\(error)", "wait": "\(wait)"])
                guard !isStopping, !Task.isCancelled, error.code != .stopping else { throw error }
                if !error.isRetryable, error.code != .store {
                    guard !isGivenUp else { throw error }
                    isGivenUp = true
                    let failure = AttemptFailure(.internal, "its effects could not be stored: \(error.message)")
                    let later = clock.now().adding(seconds: 30)
                    settlements = settlements.map { EventSettlement(event: $0.event, verdict: .retry(at: later, failure)) }
                }
                guard (try? await Task.sleep(for: wait)) != nil else { throw error }  // only cancellation throws here
                wait = min(wait * 2, .seconds(5))
            }
        }
    }

    private func report(
        _ settlements: [EventSettlement], _ receipt: SettleReceipt, _ connection: Connection, events: Int, took: Duration
    ) {
        for settlement in settlements {
            let refusal = receipt.refused[settlement.event]
            let outcome =
                switch settlement.verdict {
                case .completed: refusal == nil ? "completed" : "discarded"
                case .unsupported: "unsupported"
                case .retry: "retry"
                case .release: "released"
                case .discard: "discarded"
                }
            metrics.webhookProcessed(provider: connection.provider, outcome: outcome)
            switch settlement.verdict {
            case .discard(let failure):
                logger.warning(
                    "event parked as dead letter",
                    metadata: [
                        "event": "\(settlement.event)", "connection": "\(connection.id)", "status": "\(failure.status.rawValue)",
                        "reason": "\(failure.message)", "hint": "berthctl event show \(settlement.event)",
                    ])
            case .retry(let at, let failure):
                logger.info(
                    "event will be tried again",
                    metadata: [
                        "event": "\(settlement.event)", "connection": "\(connection.id)", "at": "\(at)",
                        "status": "\(failure.status.rawValue)", "reason": "\(failure.message)",
                    ])
            case .completed:
                if let refusal {
                    logger.warning(
                        "event parked: its records do not fit their entity",
                        metadata: ["event": "\(settlement.event)", "connection": "\(connection.id)", "reason": "\(refusal)"])
                }
            case .unsupported, .release: break
            }
        }
        metrics.batchProcessed(provider: connection.provider, events: events, took: took)
    }
}
