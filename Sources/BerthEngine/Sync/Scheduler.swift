// Queues syncs when they are due. Where each stream stands is in the store; this holds only the next moments, and sleeps
// until the first of them.

public import BerthModel
public import BerthSeams
public import Logging

/// Queues scheduled syncs.
public actor Scheduler {
    private let store: any RunStore & AuditStore
    private let host: any PluginHost
    private let directory: ConnectionDirectory
    private let syncs: SyncService
    private let zones: ZoneCatalog
    private let clock: any WallClock
    private let entropy: any Entropy
    private let logger: Logger
    private let wake: AsyncStream<Void>
    private nonisolated let waker: AsyncStream<Void>.Continuation

    /// A scheduler that hands runs to `syncs`.
    public init(
        store: any RunStore & AuditStore, host: any PluginHost, directory: ConnectionDirectory, syncs: SyncService, zones: ZoneCatalog,
        clock: any WallClock, entropy: any Entropy, logger: Logger
    ) {
        self.store = store
        self.host = host
        self.directory = directory
        self.syncs = syncs
        self.zones = zones
        self.clock = clock
        self.entropy = entropy
        self.logger = logger
        (wake, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Looks again soon: connections or schedules changed.
    public nonisolated func wakeUp() { waker.yield() }

    /// Runs until cancelled.
    public func run() async {
        var alarm: Task<Void, Never>?
        wakeUp()
        // One reader to the end: a stream whose reader is cancelled is finished, and would answer at once for ever after.
        for await _ in wake {
            alarm?.cancel()
            // The wall clock may jump while we sleep: look at least once a minute.
            let wait = min(await queueDueRuns(), .seconds(60))
            alarm = Task { [waker] in
                guard (try? await Task.sleep(for: wait)) != nil else { return }  // only cancellation throws here
                waker.yield()
            }
        }
        alarm?.cancel()
    }

    /// Queues what is due; answers how long until the next.
    func queueDueRuns() async -> Duration {
        let now = clock.now()
        var next = now.adding(seconds: 60)
        do {
            let states = try await store.streamStates(of: nil)
            for connection in directory.connections() where connection.takesSyncs {
                guard let manifest = host.manifest(of: connection.provider) else { continue }
                for (name, text) in connection.schedules {
                    guard let stream = manifest.stream(name), stream.isReadable else { continue }
                    let state = states.first { $0.connection == connection.id && $0.stream == name }
                    guard state?.lastStatus != .queued, state?.lastStatus != .running else {
                        // Its next time counts from the end of this run: look again soon.
                        next = min(next, now.adding(seconds: 1))
                        continue
                    }
                    guard let due = nextRun(of: connection, name, text, state, now) else { continue }
                    guard due <= now else {
                        next = min(next, due)
                        continue
                    }
                    let isLate = state?.lastRunAt != nil && now.milliseconds - due.milliseconds > 60_000
                    try await enqueue(connection, stream, state, trigger: isLate ? .catchUp : .schedule)
                    next = min(next, now.adding(seconds: 1))
                }
            }
        } catch {
            if Task.isCancelled { return .seconds(60) }
            logger.error("schedules not looked at", metadata: ["error": "\(error)"])
        }
        return .milliseconds(max(20, next.milliseconds - clock.now().milliseconds))
    }

    /// When a stream's next run is due; a stream that never ran: an interval is due at once, a cron time when it comes. Not before
    /// the moment that the provider asked the last run to wait for.
    private func nextRun(of connection: Connection, _ stream: StreamName, _ text: String, _ state: StreamState?, _ now: Timestamp)
        -> Timestamp?
    {
        do {
            let seed = Self.seed(connection.id, stream)
            let schedule = try Schedule(text, seed: seed)
            if state?.lastRunAt == nil, case .every = schedule.timing { return now }
            let last = state?.lastRunAt ?? connection.createdAt
            let zone = try zones.zone(schedule.zoneName)
            guard let due = schedule.nextRun(lastRunAt: last, now: now, zone: zone, anchor: last) else { return nil }
            // Also when the firing has passed: whoever wakes this in between must not start all that are scattered after it.
            let scattered = schedule.jittered(due, seed: seed)
            return max(scattered, state?.notBefore ?? scattered)
        } catch {
            logger.error("schedule not usable", metadata: ["connection": "\(connection.id)", "schedule": "\(text)", "error": "\(error)"])
            return nil
        }
    }

    /// Whether a schedule can be followed on this machine. Throws `schedule_invalid`, `zone_unknown` and the like.
    public nonisolated func check(_ text: String) throws(BerthError) { _ = try zones.zone(try Schedule(text).zoneName) }

    /// What people ask for.
    private static func check(_ mode: ReadMode, since: Timestamp?, until: Timestamp?, lower: Timestamp?, now: Timestamp) throws(BerthError)
    {
        if mode == .range, since == nil { throw BerthError(.invalid, "since: is required for mode 'range'") }
        if mode == .full, since != nil {
            throw BerthError(.invalid, "since: mode 'full' reads from the beginning", hint: "mode 'range' reads from since to until")
        }
        // Clocks differ a little; what is to come can't be read, and the stream must not be taken for read up to it.
        if let until, until > now.adding(seconds: 60) {
            throw BerthError(.invalid, "until: \(until) lies in the future, now is \(now)", hint: "leave it out for now; times are in UTC")
        }
        let upper = min(until ?? now, now)
        guard since != nil || until != nil, let lower, lower >= upper else { return }
        throw BerthError(
            .invalid,
            since == nil ? "until: \(upper) lies before \(lower), where the stream stands" : "since: \(lower) is not before \(upper)",
            hint: "mode 'range' reads any span: since is its beginning, until its end")
    }

    /// The same after every restart; streams of one connection differ as connections do (FNV-1a over the name).
    private static func seed(_ connection: ConnectionID, _ stream: StreamName) -> UInt64 {
        stream.text.utf8.reduce(connection.low) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// Queues one run, also for people. `until` is now by default, and may be a minute after it, which is taken as now. Throws
    /// `conflict` when the stream has one already, `invalid` for bounds between which there is nothing to read.
    @discardableResult
    public func enqueue(
        _ connection: Connection, _ stream: StreamSpec, _ state: StreamState?, trigger: SyncTrigger, mode: ReadMode? = nil,
        since: Timestamp? = nil, until: Timestamp? = nil
    ) async throws(BerthError) -> SyncRun {
        let now = clock.now()
        let mode = mode ?? (stream.isIncremental ? .incremental : .full)
        // A position in the future was written by a clock that was ahead: how far the last run really came nobody knows.
        let position = state?.highWater.flatMap { $0 > now ? nil : $0 }
        let lower = mode == .incremental ? since ?? position?.adding(seconds: -stream.overlapSeconds) : since
        try Self.check(mode, since: since, until: until, lower: lower, now: now)
        let run = SyncRun(
            id: RunID(clock, entropy), connection: connection.id, provider: connection.provider, stream: stream.name, mode: mode,
            trigger: trigger, status: .queued, since: lower, until: min(until ?? now, now),
            createdAt: now)
        do {
            try await store.enqueueRun(run)
        } catch let error where error.code == .conflict && trigger != .manual {
            return run  // the run before still goes on: one at a time, and the next look comes
        }
        // A person's wish is noted where it is heard.
        if trigger != .manual {
            let entry = AuditEntry(
                at: now, kind: "sync.scheduled", actor: "scheduler", connection: connection.id,
                detail: "\(stream.name) \(run.mode.rawValue) \(run.id)", address: nil)
            do { try await store.audit([entry]) } catch {
                logger.error("audit entry not stored", metadata: ["kind": "sync.scheduled", "error": "\(error.message)"])
            }
        }
        syncs.wakeUp()
        return run
    }
}
