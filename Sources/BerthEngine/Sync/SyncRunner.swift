// One sync run from claim to end: read with the last checkpoint, page after page into one transaction each, with a
// few tries when the trouble passes, and one row that says how it went.

import BerthModel
import BerthSeams
import Logging

/// Drives single runs.
struct SyncRunner: Sendable {
    let store: any RunStore
    let host: any PluginHost
    let directory: ConnectionDirectory
    let feed: EventFeed
    let clock: any WallClock
    let metrics: EngineMetrics
    let logger: Logger
    /// Tries without a page in between before a run fails.
    var triesMax = 3
    /// A provider that asks to wait longer than this ends the run; its schedule tries again.
    var waitMax: Duration = .seconds(300)

    /// Runs it. Never throws: the run's row holds the outcome.
    func run(_ run: SyncRun, keeper: any RunKeeper) async {
        var log = logger
        log[metadataKey: "run"] = "\(run.id)"
        log[metadataKey: "connection"] = "\(run.connection)"
        log[metadataKey: "stream"] = "\(run.stream)"
        guard var connection = directory.connection(run.connection) else {
            await finish(run, .cancelled, AttemptFailure(.cancelled, "the connection was removed before the run began"), keeper, log)
            return
        }
        guard let manifest = host.manifest(of: run.provider) else { return await putBackWithoutPlugin(run, keeper, log) }
        guard let stream = manifest.stream(run.stream) else {
            let failure = AttemptFailure(
                .unsupported, "version \(manifest.version) of plugin \(run.provider) has no stream '\(run.stream)'")
            await finish(run, .failed, failure, keeper, log)
            return
        }
        guard connection.status != .disconnected else {
            let failure = AttemptFailure(.cancelled, "the connection was disconnected before the run began")
            await finish(run, .cancelled, failure, keeper, log)
            return
        }
        var instance = InstanceFactory(host: host).instance(of: connection, manifest)
        let sink = RunPageSink(run: run, stream: stream, entities: StreamEntities(manifest), parts: self)
        log.info("sync begins", metadata: ["mode": "\(run.mode.rawValue)", "resumed": "\(run.checkpoint != nil)"])
        var tries = 0
        while true {
            let pagesBefore = await sink.pages
            let request = StreamReadRequest(
                run: run.id, stream: run.stream, mode: run.mode, since: run.since, until: run.until, checkpoint: await sink.checkpoint)
            let ended = await host.read(request, for: instance, into: sink)
            KillPoint.reach("sync.before-finish")
            let refused = await sink.takeFailure()
            guard let failure = refused ?? ended else {
                let failed = await sink.counts.failed
                await finish(run, failed > 0 ? .partial : .success, nil, stream: stream, keeper, log)
                return
            }
            if Task.isCancelled {
                await end(run, keeper, log)
                return
            }
            // The store was first to know.
            if let refused, refused.status == .cancelled {
                await finish(run, .cancelled, refused, keeper, log)
                return
            }
            guard host.manifest(of: run.provider) != nil else { return await putBackWithoutPlugin(run, keeper, log) }
            // What ended because the connection was changed says nothing of the provider.
            let isChanged = connection.accessRevision == 0 || directory.accessRevision(of: run.connection) != connection.accessRevision
            tries = isChanged ? 0 : await sink.pages > pagesBefore ? 1 : tries + 1
            let wait = isChanged ? .milliseconds(500) : Self.wait(failure, tries: tries, triesMax: triesMax, waitMax: waitMax)
            guard let wait else {
                await finish(run, .failed, failure, stream: stream, keeper, log)
                return
            }
            log.info(
                "sync interrupted, tries again",
                metadata: ["reason": "\(failure.message)", "status": "\(failure.status.rawValue)", "wait": "\(wait)"])
            await keeper.rest(run, for: wait)
            guard !Task.isCancelled else {
                await end(run, keeper, log)
                return
            }
            // As it is now: a try with an address or a credential of before would only be refused.
            connection = directory.connection(run.connection) ?? connection
            let address = instance.baseURL
            instance = InstanceFactory(host: host).instance(of: connection, manifest)
            // With another key of the same server it goes on where it was, as a run does that waited out a pause or a restart. Where it
            // stood at one server says nothing at another: records between would never be read.
            guard instance.baseURL == address else {
                await finish(run, .cancelled, .connectionMoved, stream: stream, keeper, log)
                return
            }
        }
    }

    /// Tells of the end of a run.
    func publish(_ receipt: FinishReceipt) {
        feed.publish(receipt.notices)
        if let version = receipt.connection { directory.take(version) }
    }

    /// How long to wait before another try; nil: give up. Pure.
    static func wait(_ failure: AttemptFailure, tries: Int, triesMax: Int, waitMax: Duration) -> Duration? {
        guard tries < triesMax else { return nil }
        switch failure.status {
        case .retry, .throttled, .remoteDown, .timeout, .crashed, .hung, .authExpired:
            let asked = Duration.milliseconds(Int64(clamping: failure.retryAfterMilliseconds ?? 0))
            guard asked <= waitMax else { return nil }
            return max(asked, .milliseconds(500 << min(tries, 6)))
        default: return nil
        }
    }

    static let cancelledByPerson = AttemptFailure(.cancelled, "cancelled by a person")

    private func end(_ run: SyncRun, _ keeper: any RunKeeper, _ log: Logger) async {
        switch await keeper.ending(of: run.id) {
        case .cancelled: await finish(run, .cancelled, Self.cancelledByPerson, keeper, log)
        case .connectionEnded(let why): await finish(run, .cancelled, why, keeper, log)
        case .paused:
            await putBack(run, keeper, log)
            log.info("sync waits: its connection is paused", metadata: ["hint": "it goes on when the connection is resumed"])
        case .shutdown: await putBack(run, keeper, log)
        }
    }

    /// Its plugin is removed or was refused: the run is not at fault, and goes on where it was when the plugin is back.
    private func putBackWithoutPlugin(_ run: SyncRun, _ keeper: any RunKeeper, _ log: Logger) async {
        await putBack(run, keeper, log)
        log.notice("sync waits: its plugin is not loaded", metadata: ["hint": "berthctl plugin list; install or reload '\(run.provider)'"])
    }

    /// Back to the queue. Where the daemon ends, the next one frees it anyway: its lease carries this one's epoch.
    private func putBack(_ run: SyncRun, _ keeper: any RunKeeper, _ log: Logger) async {
        var wait = Duration.milliseconds(250)
        while true {
            do throws(BerthError) { return try await store.releaseRun(run.id) } catch {
                log.notice("run not put back to the queue", metadata: ["error": "\(error)"])
                guard await waitOut(wait, keeper) else { return }
                wait = min(wait * 2, .seconds(5))
            }
        }
    }

    /// Waits, also in a task that was cancelled; false when the daemon stops: a run that was stopped has an end to be stored as well.
    private func waitOut(_ wait: Duration, _ keeper: any RunKeeper) async -> Bool {
        if !Task.isCancelled, (try? await Task.sleep(for: wait)) != nil { return true }  // only cancellation throws here
        guard await !keeper.isStopping else { return false }
        await Task { _ = try? await Task.sleep(for: wait) }.value  // nobody cancels it
        return true
    }

    /// A run whose end can't be stored would stay open until the next start, and no other could begin: tried until it can.
    private func finishSurely(
        _ run: SyncRun, _ status: RunStatus, _ failure: AttemptFailure?, _ stream: StreamSpec?, _ keeper: any RunKeeper, _ log: Logger
    )
        async throws(BerthError) -> FinishReceipt
    {
        // Only a read of everything up to now that came to its end shows what is gone.
        let showsAll = run.mode == .full && run.until >= run.createdAt && status == .success
        let deletes = stream.flatMap { $0.deletesUnseen && showsAll ? $0.entity : nil }
        var wait = Duration.milliseconds(250)
        while true {
            do throws(BerthError) {
                return try await store.finishRun(
                    run.id, status: status, error: failure, deletesUnseen: deletes, overlapSeconds: stream?.overlapSeconds ?? 0,
                    now: clock.now())
            } catch {
                guard error.isRetryable || error.code == .store, error.code != .stopping else { throw error }
                log.error("end of sync not stored, trying again", metadata: ["error": "\(error)", "wait": "\(wait)"])
                guard await waitOut(wait, keeper) else { throw error }
                wait = min(wait * 2, .seconds(5))
            }
        }
    }

    private func finish(
        _ run: SyncRun, _ status: RunStatus, _ error: AttemptFailure?, stream: StreamSpec? = nil, _ keeper: any RunKeeper, _ log: Logger
    ) async {
        do {
            let receipt = try await finishSurely(run, status, error, stream, keeper, log)
            KillPoint.reach("sync.after-finish")
            publish(receipt)
            if status == .failed {
                log.warning(
                    "sync failed",
                    metadata: [
                        "status": "\(error?.status.rawValue ?? "")", "reason": "\(error?.message ?? "")",
                        "failures_in_a_row": "\(receipt.connection?.connection.consecutiveFailures ?? 0)",
                        "hint": "berthctl sync show \(run.id)",
                    ])
            } else {
                log.info("sync ended", metadata: ["status": "\(status.rawValue)"])
            }
        } catch let error {
            log.error("end of sync not stored; it is resumed at the next start", metadata: ["error": "\(error)"])
        }
    }
}

/// Takes the pages of one run: one transaction per page, counts, and a stop when the provider goes round in circles.
actor RunPageSink: PageSink {
    private let run: SyncRun
    private let stream: StreamSpec
    private let entities: StreamEntities
    private let parts: SyncRunner
    private var equalCheckpoints = 0
    /// How often a position came again after others: paging that goes in circles. By hash, so that long runs cost little.
    private var positions: [Int: UInt8] = [:]
    private static let positionsMax = 100_000
    private(set) var pages = 0
    private(set) var counts = RunCounts()
    private(set) var checkpoint: Checkpoint?
    /// Why a page was not stored, when that ended the read: it goes before what the host says of the same read.
    private var failure: AttemptFailure?

    init(run: SyncRun, stream: StreamSpec, entities: StreamEntities, parts: SyncRunner) {
        self.run = run
        self.stream = stream
        self.entities = entities
        self.parts = parts
        self.checkpoint = run.checkpoint
    }

    /// The failure since the last call.
    func takeFailure() -> AttemptFailure? {
        defer { failure = nil }
        return failure
    }

    func commit(_ records: [RecordChange], checkpoint next: Checkpoint) async throws(BerthError) {
        if next == checkpoint { equalCheckpoints += 1 } else { equalCheckpoints = 0 }
        var circles: UInt8 = 0
        if next != checkpoint, positions.count < Self.positionsMax {
            circles = positions[next.hashValue, default: 0]
            positions[next.hashValue] = circles == .max ? circles : circles + 1
        }
        guard equalCheckpoints < 2, circles < 3 else {
            let error = BerthError(
                "cursor_stalled",
                equalCheckpoints < 2
                    ? "the provider's paging goes in circles: the same position came for the fourth time"
                    : "the provider's paging stands still: the same position came three times in a row",
                hint: "look at the provider's answers; berthctl log level debug shows the requests")
            failure = AttemptFailure(.internal, "cursor_stalled: \(error.message)")
            throw error
        }
        let changes: [EntityChange]
        switch entities.changes(records) {
        case .success(let value): changes = value
        case .failure(let failure):
            self.failure = failure
            throw BerthError(.plugin, failure.message)
        }
        do {
            let receipt = try await parts.store.commitPage(changes, checkpoint: next, run: run.id, now: parts.clock.now())
            KillPoint.reach("sync.after-page")
            checkpoint = next
            pages += 1
            counts += receipt.counts
            parts.feed.publish(receipt.notices)
            parts.metrics.syncPage(provider: run.provider, stream: run.stream, counts: receipt.counts)
        } catch {
            guard error.code != .connectionEnded else {
                failure = AttemptFailure(.cancelled, error.message)
                throw error
            }
            failure = AttemptFailure(error.isRetryable ? .retry : .internal, "page not stored: \(error.message)")
            throw error
        }
    }
}
