// The table of contents: what the daemon is made of, in the order in which it starts. It stops in reverse: first nothing
// new is accepted, then what is in hand is finished or put back, then the store closes.

import BerthControlAPI
import BerthEngine
import BerthGrants
import BerthModel
import BerthOutbound
import BerthPlugins
import BerthSeams
import BerthServer
import BerthStoreSQLite
import BerthVault
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import UnixSignals

struct Daemon {
    let configuration: Configuration
    let egress: EgressSettings
    let environment: [String: String]
    /// Deliveries are taken in and the control socket answers; nothing else is done.
    var isHeld = false

    func run() async throws {
        let logger = Logger(label: "berthd")
        let clock = SystemClock()
        let entropy = SystemEntropy()
        let notifier = Notifier(environment: environment)
        let inherited = try InheritedSockets(environment: environment)
        try Descriptors.reserve(
            connections: configuration.integer("server.max_connections") + egress.routeCount
                * OutboundConfiguration().maxConnectionsPerRoute, logger: logger)
        let address = try ListenAddress(configuration.text("server.listen"), setting: "server.listen")

        // What is kept.
        let path = try storePath()
        var limits = SQLiteStore.Limits()
        limits.queueMax = configuration.integer("store.queue_max")
        limits.ballastBytes = Int64(configuration.integer("store.ballast_mib")) << 20
        let store = try await configuration.blaming("store.url") { () async throws(BerthError) in
            try await SQLiteStore.open(path: path, clock: clock, entropy: entropy, limits: limits, logger: Logger(label: "store"))
        }
        let vault = try await configuration.blaming("vault.key_file") { () async throws(BerthError) in
            try await VaultOpening.open(configuration, environment, storePath: path, store, logger)
        }

        // What talks to providers.
        let metrics = EngineMetrics()
        let bridge = MetricsBridge(metrics: metrics)
        let outgoing = outboundConfiguration()
        let directory = ConnectionDirectory()
        // Asked by connection: who is not there any more, or disconnected, may send nothing.
        let policy: @Sendable (ConnectionID) -> EgressPolicy? = { [egress] id in
            guard let connection = directory.connection(id), connection.status != .disconnected else { return nil }
            return egress.policy(of: connection.workspace)
        }
        let accessRevision: @Sendable (ConnectionID) -> UInt64? = { directory.accessRevision(of: $0) }
        let news = GrantNewsRelay()
        let desk = try ExchangeDesk(
            folder: (path as NSString).deletingLastPathComponent + "/grants", program: "/proc/self/exe",
            egress: { policy($0).map { ExchangeEgress($0) } }, userAgent: outgoing.userAgent)
        let grants = GrantKeeper(
            secrets: vault, desk: desk, clock: clock, entropy: entropy, logger: Logger(label: "grants"),
            accessRevision: accessRevision, tell: { await news.tell($0) })
        let answers = AnswerCache.open(configuration, storePath: path)
        let requestLog =
            configuration.text("log.provider_requests") == "off" ? nil : RequestLog(store: store, logger: Logger(label: "requests"))
        let outbound = try CurlOutbound(
            secrets: vault, configuration: outgoing, clock: clock, entropy: entropy, logger: Logger(label: "outbound"), observer: bridge,
            tokens: grants, answers: answers, limits: store, requestLog: requestLog, policy: policy, accessRevision: accessRevision)
        try await outbound.restoreLimits()
        warnOfMissingDirectories(logger)
        if !Hardening.zeroesFreedMemory { logger.warning("freed memory is not zeroed: another allocator is in charge, secrets stay in it") }
        let host = try await PluginRuntime.start(
            try pluginConfiguration(statePath: path), outbound: outbound, secrets: vault, logger: Logger(label: "plugins"),
            define: { entities throws(BerthError) in try await store.define(entities) })

        // What drives it.
        let feed = EventFeed(store: store)
        let signal = WorkSignal()
        let engineLogger = Logger(label: "engine")
        let dispatcher = Dispatcher(
            store: store, host: host, directory: directory, feed: feed, clock: clock, entropy: entropy, metrics: metrics,
            logger: engineLogger, signal: signal, lanesMax: configuration.integer("dispatch.lanes"))
        let syncs = SyncService(
            store: store, host: host, directory: directory, feed: feed, clock: clock, metrics: metrics, logger: engineLogger,
            runsMax: configuration.integer("sync.max_concurrent"))
        let zones = ZoneCatalog { name in FileManager.default.contents(atPath: "/usr/share/zoneinfo/\(name)").map { Array($0) } }
        let scheduler = Scheduler(
            store: store, host: host, directory: directory, syncs: syncs, zones: zones, clock: clock, entropy: entropy, logger: engineLogger
        )
        let connections = Connections(
            store: store, secrets: vault, host: host, outbound: outbound, grants: grants, directory: directory, clock: clock,
            entropy: entropy,
            logger: engineLogger,
            onChange: {
                signal.raiseAll()
                // A pause stops runs, an end cancels those that wait.
                syncs.wakeUp()
            })
        try await connections.load()
        desk.sweep { id in directory.connection(id).map { $0.status != .disconnected } ?? false }
        news.listen { await connections.hear($0) }
        let intake = Intake(
            inbox: store, audit: store, secrets: vault, host: host, directory: directory, clock: clock, entropy: entropy, observer: bridge,
            logger: Logger(label: "intake"), onAccepted: { signal.raise($0) })

        // Where it is reached.
        let listening = ListeningState(expected: 2)
        let publicURL = String(configuration.text("server.public_url").reversed().drop { $0 == "/" }.reversed())
        let facts = ControlPlane.Facts(
            version: BerthVersion.current, startedAt: clock.now(), pid: getpid(), listen: { listening.address },
            publicURL: { publicURL.isEmpty ? "http://\(listening.address)" : publicURL }, setLogLevel: LineLogHandler.setLevel,
            rotateVault: { makesKey throws(BerthError) in
                let done = try await VaultOpening.rotate(vault, configuration, environment, storePath: path, makesKey: makesKey, logger)
                return VaultRotation(
                    key: done.keys.first ?? "", older_keys: Array(done.keys.dropFirst()), rewrapped: done.rewrapped, current: done.current)
            }, keyProblem: { await VaultOpening.problem(vault, configuration, environment, storePath: path) }, isHeld: isHeld)
        let ages = CredentialAges(
            store: store, host: host, directory: directory, clock: clock, rotationDays: configuration.integer("credentials.rotation_days"))
        let reminder = RotationReminder(ages: ages, audit: store, clock: clock, logger: engineLogger)
        let control = ControlPlane(
            store: store, answers: answers, host: host, connections: connections, ages: ages, scheduler: scheduler, syncs: syncs,
            dispatchSignal: signal, feed: feed,
            metrics: metrics, outbound: outbound, clock: clock, entropy: entropy, logger: engineLogger, facts: facts)
        let announce: @Sendable () async -> Void = {
            guard listening.countDown() else { return }
            logger.notice("ready", metadata: ["listen": "\(listening.address)", "version": "\(BerthVersion.current)"])
            notifier.ready(status: "listening on \(listening.address)")
        }
        let controlServer = ControlServer(
            configuration: try controlConfiguration(inherited), operations: control, logger: Logger(label: "control"), onBound: announce,
            onRefused: { metrics.connectionRefused(listener: "control", limit: $0.limit.rawValue) })
        var ingestConfiguration = IngestServer.Configuration(
            host: address.host, port: address.port, descriptor: inherited.descriptor("public"),
            bodyBytesMax: configuration.integer("server.max_body_bytes"))
        ingestConfiguration.limits.connectionsMax = configuration.integer("server.max_connections")
        ingestConfiguration.limits.connectionsPerAddressMax = configuration.integer("server.max_connections_per_address")
        ingestConfiguration.limits.headSeconds = configuration.integer("server.head_seconds")
        ingestConfiguration.limits.requestSeconds = configuration.integer("server.request_seconds")
        ingestConfiguration.limits.bodyBytesPerSecondMin = configuration.integer("server.min_body_rate")
        let ingestServer = IngestServer(
            configuration: ingestConfiguration, receiver: intake,
            readiness: { Self.readiness(await control.health()) }, consent: { await ConsentPage.answer($0, connections) }, clock: clock,
            logger: Logger(label: "ingest"),
            onBound: { bound in
                listening.bound(to: bound)
                await announce()
            }, onRefused: { metrics.connectionRefused(listener: "public", limit: $0.limit.rawValue) })

        let retention = retention()
        var services: [any Service] = [
            BackgroundService(name: "retention") {
                await Housekeeping(store: store, answers: answers, retention: retention, clock: clock, logger: logger).run()
            },
            StoreWatch(store: store, clock: clock, logger: logger) {
                signal.raiseAll()
                scheduler.wakeUp()
            },
            BackgroundService(name: "hangup") { await Hangup.tell(logger) },
            BackgroundService(name: "refusals") { await intake.run() },
            BackgroundService(name: "watchdog") { await Watchdog(notifier: notifier, store: store).run() },
            BackgroundService(name: "reminder") { await reminder.run() },
            controlServer,
            ingestServer,
        ]
        if isHeld {
            logger.warning("held: nothing is dispatched or synced", metadata: ["hint": "start without --hold to go on"])
        } else {
            services.insert(
                contentsOf: [
                    BackgroundService(name: "dispatcher") { await dispatcher.run() },
                    BackgroundService(name: "syncs") { await syncs.run() },
                    BackgroundService(name: "scheduler") { await scheduler.run() },
                ], at: services.count - 3)
        }
        // The last one ends first: who waits for a token or a revocation would keep those from their end that serve them.
        services.append(StopSignal { desk.stop() })
        if let requestLog { services.insert(BackgroundService(name: "requests") { await requestLog.run() }, at: 0) }
        var group = ServiceGroupConfiguration(
            services: services.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        group.maximumGracefulShutdownDuration = .seconds(10)
        defer { notifier.stopping() }
        do { try await ServiceGroup(configuration: group).run() } catch {
            await end(intake, host, outbound, answers, requestLog, store)
            throw (error as? BerthError).map(named) ?? error
        }
        await end(intake, host, outbound, answers, requestLog, store)
        logger.notice("stopped")
    }

    /// A failed start names the setting that led to it.
    private func named(_ error: BerthError) -> BerthError {
        let code = error.code.rawValue
        if code.hasPrefix("control_socket") { return configuration.blamed("control.socket", error) }
        return code == "listen_failed" ? configuration.blamed("server.listen", error) : error
    }

    private func end(
        _ intake: Intake, _ host: PluginRuntime, _ outbound: CurlOutbound, _ answers: SQLiteResponseCache?, _ requestLog: RequestLog?,
        _ store: SQLiteStore
    ) async {
        await intake.flushRefusals(all: true)
        await host.stop()
        await outbound.close()
        await answers?.close()
        await requestLog?.flush()
        await store.close()
    }

    func storePath() throws(BerthError) -> String {
        let url = configuration.text("store.url")
        guard url.hasPrefix("sqlite://"), url.count > 10, url.dropFirst(9).hasPrefix("/") else {
            throw BerthError(
                "configuration_invalid", "store.url: '\(url)' is not sqlite:///absolute/path",
                hint: "for example sqlite:///var/lib/berth/berth.db")
        }
        return String(url.dropFirst(9))
    }

    private func outboundConfiguration() -> OutboundConfiguration {
        var outbound = OutboundConfiguration()
        outbound.egress = egress.shared
        outbound.userAgent = "Berth/\(BerthVersion.current)"
        return outbound
    }

    func controlConfiguration(_ inherited: InheritedSockets) throws(BerthError) -> ControlServer.Configuration {
        let text = configuration.text("control.mode")
        guard let mode = UInt32(text, radix: 8), mode <= 0o777, mode & 0o007 == 0 else {
            throw BerthError(
                "configuration_invalid", "control.mode: '\(text)' is not an octal mode without rights for others", hint: "for example 0660")
        }
        let roles: [String: Route.Permission] = ["read": .read, "operate": .operate, "admin": .admin]
        return ControlServer.Configuration(
            socket: configuration.text("control.socket"), mode: mode, group: configuration.text("control.group"),
            groupRole: roles[configuration.text("control.group_role")] ?? .read, descriptor: inherited.descriptor("control"),
            version: BerthVersion.current, stallSeconds: configuration.integer("control.stall_seconds"))
    }

    private func retention() -> Retention {
        var retention = Retention()
        retention.eventDays = configuration.integer("retention.event_days")
        retention.deadLetterDays = configuration.integer("retention.dead_letter_days")
        retention.dedupDays = configuration.integer("retention.dedup_days")
        retention.noticeHours = configuration.integer("retention.notice_hours")
        retention.auditDays = configuration.integer("retention.audit_days")
        retention.runDays = configuration.integer("retention.run_days")
        retention.requestDays = configuration.integer("retention.request_days")
        retention.requestRows = configuration.integer("retention.request_rows")
        return retention
    }

    private static func readiness(_ health: Health) -> (isReady: Bool, parts: [String: String]) {
        let parts = Dictionary(health.parts.map { ($0.name, $0.status) }, uniquingKeysWith: { first, _ in first })
        // A refused plugin or a failing connection must not take the whole daemon out of service: only the store decides.
        return (parts["store"] == "ok", parts)
    }
}

extension Daemon {
    /// A folder that somebody names and that is not there means no plugins, and nothing else would say why.
    private func warnOfMissingDirectories(_ logger: Logger) {
        guard let origin = configuration.origin("plugins.directories") else { return }
        for directory in configuration.list("plugins.directories") {
            do { _ = try FileManager.default.contentsOfDirectory(atPath: directory) } catch {
                logger.warning(
                    "a plugin folder can't be read: no plugin comes from it",
                    metadata: ["folder": "\(directory)", "set_by": "\(origin)", "error": "\(String(cString: strerror(errno)))"])
            }
        }
    }

    /// Where bundles are and how they run.
    func pluginConfiguration(statePath: String) throws(BerthError) -> PluginRuntimeConfiguration {
        var runtime = PluginRuntimeConfiguration(
            directories: configuration.list("plugins.directories"),
            managedDirectory: (statePath as NSString).deletingLastPathComponent + "/plugins",
            isolation: Isolation(rawValue: configuration.text("plugins.isolation")) ?? .worker, workerPath: try workerPath(),
            allowsWeakSandbox: configuration.text("plugins.sandbox") == "best-effort")
        do throws(BerthError) {
            var keys: [SignerKey] = []
            for path in configuration.list("plugins.trusted_keys") { keys.append(try SignerKey(path: path)) }
            runtime.signatures = try SignaturePolicy(keys: keys, isRequired: configuration.boolean("plugins.require_signature"))
        } catch {
            let name = error.code == "key_invalid" ? "plugins.trusted_keys" : "plugins.require_signature"
            throw configuration.blamed(name, BerthError("configuration_invalid", error.message, hint: error.hint))
        }
        return runtime
    }

    /// berth-worker: as configured, beside this program, or where it is installed.
    private func workerPath() throws(BerthError) -> String {
        let configured = configuration.text("plugins.worker")
        var candidates = ["/usr/lib/berth/berth-worker"]
        // The link leads to this program; without /proc only the installed place is left.
        if let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") {
            candidates.insert((own as NSString).deletingLastPathComponent + "/berth-worker", at: 0)
        }
        if !configured.isEmpty { candidates = [configured] }
        guard let path = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw configuration.blamed(
                "plugins.worker",
                BerthError(
                    "configuration_invalid", "berth-worker is not at \(candidates.joined(separator: " or "))",
                    hint: "set [plugins] worker to its path"))
        }
        return path
    }
}
