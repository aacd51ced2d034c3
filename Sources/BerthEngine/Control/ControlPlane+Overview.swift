// Status, health, metrics, audit, log level, backup.

public import BerthControlAPI
public import BerthModel
import BerthSeams
import Logging

extension ControlPlane {
    public func status() async throws(BerthError) -> Status {
        var records: [String: Int] = [:]
        for entity in try await store.entities() { records[entity.name.text] = try await store.recordCount(entity.name) }
        let running = try await store.runs(connection: nil, stream: nil, status: .running, page: PageRequest(limit: 1000)).items.count
        let queued = try await store.runs(connection: nil, stream: nil, status: .queued, page: PageRequest(limit: 1000)).items.count
        let plugins = await host.plugins()
        let open = await outbound.openCircuits()
        let circuits = connections.directory.connections().compactMap { connection in
            open[connection.id].map { ("\(connection.provider)/\(connection.name)", $0.state) }
        }
        return Status(
            version: facts.version, health: await health().status, listen: facts.listen(), started_at: facts.startedAt, pid: facts.pid,
            plugins: Dictionary(plugins.map { ($0.state.rawValue, 1) }, uniquingKeysWith: +),
            connections: Dictionary(connections.directory.connections().map { ($0.status.rawValue, 1) }, uniquingKeysWith: +),
            events: Dictionary(uniqueKeysWithValues: try await store.queueDepths().map { ($0.key.rawValue, $0.value) }),
            open_runs: running + queued, records: records,
            circuits: Dictionary(circuits, uniquingKeysWith: { first, _ in first }))
    }

    public func health() async -> Health {
        var parts: [Health.Part] = []
        let store = await store.health()
        parts.append(
            Health.Part(
                name: "store", status: store.isWritable ? "ok" : "failing",
                detail: store.problem?.message
                    ?? "synchronous=FULL, \(store.sizeBytes >> 20) MiB, \(store.freeBytes >> 20) MiB free, \(store.queuedWrites) writes waiting",
                hint: store.problem?.hint))
        if let problem = await facts.keyProblem() {
            parts.append(Health.Part(name: "vault", status: "failing", detail: problem.message, hint: problem.hint))
        }
        if let problem = await answers?.problem() {
            parts.append(
                Health.Part(
                    name: "cache", status: "degraded", detail: "answers of providers are not kept, each is asked for: \(problem.message)",
                    hint: problem.hint))
        }
        if facts.isHeld {
            parts.append(
                Health.Part(
                    name: "work", status: "degraded", detail: "held: deliveries are taken in, nothing is dispatched or synced",
                    hint: "pause or remove what ends the daemon, then start it without --hold"))
        }
        parts.append(await queuePart())
        for plugin in await host.plugins() {
            let status =
                switch plugin.state {
                case .ready: "ok"
                case .loading, .restarting: "degraded"
                case .quarantined, .refused: "failing"
                }
            parts.append(
                Health.Part(
                    name: "plugin:\(plugin.manifest.id)", status: status,
                    detail: plugin.problem?.message
                        ?? "\(plugin.state.rawValue), version \(plugin.manifest.version), generation \(plugin.generation)",
                    hint: plugin.problem?.hint))
        }
        for connection in connections.directory.connections()
        where connection.status != .active || host.manifest(of: connection.provider) == nil {
            parts.append(part(of: connection))
        }
        parts += await circuitParts()
        parts += await tokenParts()
        if let credentials = await credentialsPart() { parts.append(credentials) }
        return Health(parts: parts)
    }

    /// A notice only: an old credential works as well as a new one.
    private func credentialsPart() async -> Health.Part? {
        do {
            let due = try await ages.due()
            guard !due.isEmpty else { return nil }
            let whose = "\(due.count) connection\(due.count == 1 ? " has" : "s have")"
            return Health.Part(
                name: "credentials", status: "ok", detail: "\(whose) credentials that are due for new ones: \(RotationReminder.text(due))",
                hint: "berthctl connection set-credentials NAME --credential FIELD=@FILE; [credentials] rotation_days is the age")
        } catch {
            return Health.Part(name: "credentials", status: "failing", detail: error.message, hint: error.hint)
        }
    }

    private func part(of connection: Connection) -> Health.Part {
        let name = "connection:\(connection.provider)/\(connection.name)"
        guard host.manifest(of: connection.provider) != nil else {
            return Health.Part(
                name: name, status: "degraded", detail: "its plugin is not loaded: deliveries and syncs wait",
                hint: "berthctl plugin list; install or reload '\(connection.provider)'")
        }
        let why = connection.lastError.map { ": \($0)" } ?? ""
        return Health.Part(
            name: name, status: connection.status == .paused ? "ok" : "degraded", detail: "\(connection.status.rawValue)\(why)",
            hint: connection.status == .error
                ? "berthctl connection check \(connection.name)" : "berthctl connection resume \(connection.name)")
    }

    private func queuePart() async -> Health.Part {
        do {
            let depths = try await store.queueDepths()
            let dead = depths[.discarded] ?? 0
            let waiting = (depths[.available] ?? 0) + (depths[.retryable] ?? 0)
            return Health.Part(
                name: "queue", status: dead > 0 ? "degraded" : "ok", detail: "\(waiting) events wait, \(dead) dead letters",
                hint: dead > 0 ? "berthctl dead-letter list" : nil)
        } catch {
            return Health.Part(name: "queue", status: "failing", detail: error.message, hint: error.hint)
        }
    }

    public func metrics() async -> String {
        // A circuit becomes half-open by time alone: nobody tells of that.
        for (id, circuit) in await outbound.openCircuits() {
            guard let connection = connections.directory.connection(id) else { continue }
            metricsRegistry.circuitState(
                provider: connection.provider.text, connection: id.description, state: circuit.state == "open" ? 2 : 1)
        }
        metricsRegistry.keepCircuits(of: Set(connections.directory.connections().map(\.id.description)))
        do {
            let ages = try await ages.ages()
            metricsRegistry.credentialAges(
                ages.compactMap { id, age in age.days.map { (connection: id, days: $0) } }, due: ages.values.count { $0.isDue })
        } catch {
            // The rest is shown all the same.
            logger.warning("ages of credentials not read for /metrics", metadata: ["error": "\(error.message)"])
        }
        return await metricsRegistry.render(store: store, answers: answers, host: host, feed: feed, now: clock.now())
    }

    public func listAudit(_ query: ListQuery) async throws(BerthError) -> List<AuditView> {
        try refuseUnknown(query, known: ["kind", "actor", "connection", "since", "until", "limit", "cursor"])
        let filter = AuditFilter(
            kind: query["kind"], actor: query["actor"], connection: try connection(query), since: try time(query, "since"),
            until: try time(query, "until"))
        let page = try await store.auditEntries(filter, page: try page(query))
        return List(
            items: page.items.map {
                AuditView(
                    at: $0.at, kind: $0.kind, actor: $0.actor, connection: $0.connection?.description, detail: $0.detail,
                    address: $0.address)
            }, next: page.next)
    }

    public func setLogLevel(_ request: LogLevel, _ caller: Caller) async throws(BerthError) -> LogLevel {
        guard facts.setLogLevel(request.level) else {
            throw BerthError(.invalid, "'\(request.level)' is no log level", hint: "trace, debug, info, notice, warning, error, critical")
        }
        try await audit("log.level", caller, nil, request.level)
        return request
    }

    public func rotateVault(_ request: RotateVault, _ caller: Caller) async throws(BerthError) -> VaultRotation {
        let done = try await facts.rotateVault(request.new_key ?? false)
        try await audit("vault.rotated", caller, nil, "key \(done.key), \(done.rewrapped) secrets sealed again")
        return done
    }

    public func backup(_ request: Backup, _ caller: Caller) async throws(BerthError) -> Backup {
        guard request.path.hasPrefix("/") else {
            throw BerthError(.invalid, "path: '\(request.path)' is not absolute", hint: "name a new file from / on")
        }
        // The system's calls end a path there: the copy would have another name than the one answered.
        guard !request.path.utf8.contains(0) else {
            throw BerthError(.invalid, "path: a file's name holds no NUL character", hint: "leave \\u0000 out")
        }
        try await store.backup(to: request.path)
        try await audit("store.backup", caller, nil, request.path)
        return request
    }
}
