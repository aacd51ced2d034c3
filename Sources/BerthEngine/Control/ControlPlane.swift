// The control API's operations on the engine: the only place where requests become calls of services.

public import BerthControlAPI
public import BerthModel
public import BerthSeams
public import Logging

/// Implements the control API.
public struct ControlPlane: ControlOperations {
    let store: any Store
    let answers: (any ResponseCache)?
    let host: any PluginHost
    let connections: Connections
    let ages: CredentialAges
    let scheduler: Scheduler
    let syncs: SyncService
    let dispatchSignal: WorkSignal
    let feed: EventFeed
    let metricsRegistry: EngineMetrics
    let outbound: any OutboundInspection
    let clock: any WallClock
    let entropy: any Entropy
    let logger: Logger
    let facts: Facts

    /// What the daemon knows of itself.
    public struct Facts: Sendable {
        /// Of berthd.
        public var version: String
        /// When it started.
        public var startedAt: Timestamp
        /// Process id.
        public var pid: Int32
        /// `host:port` of the public listener, once bound.
        public var listen: @Sendable () -> String
        /// Prefix of webhook URLs: `https://hooks.example.com`.
        public var publicURL: @Sendable () -> String
        /// Changes the log level; false for an unknown name.
        public var setLogLevel: @Sendable (String) -> Bool
        /// Changes the vault's key; the argument: make a new one first.
        public var rotateVault: @Sendable (Bool) async throws(BerthError) -> VaultRotation
        /// What is wrong with the vault's key where the next start will look for it; nil: nothing.
        public var keyProblem: @Sendable () async -> BerthError?
        /// Whether the daemon was told to dispatch and sync nothing.
        public var isHeld: Bool
        /// Facts.
        public init(
            version: String, startedAt: Timestamp, pid: Int32, listen: @escaping @Sendable () -> String,
            publicURL: @escaping @Sendable () -> String, setLogLevel: @escaping @Sendable (String) -> Bool,
            rotateVault: @escaping @Sendable (Bool) async throws(BerthError) -> VaultRotation,
            keyProblem: @escaping @Sendable () async -> BerthError?, isHeld: Bool = false
        ) {
            self.version = version
            self.startedAt = startedAt
            self.pid = pid
            self.listen = listen
            self.publicURL = publicURL
            self.setLogLevel = setLogLevel
            self.rotateVault = rotateVault
            self.keyProblem = keyProblem
            self.isHeld = isHeld
        }
    }

    /// Operations over these services.
    public init(
        store: any Store, answers: (any ResponseCache)? = nil, host: any PluginHost, connections: Connections, ages: CredentialAges,
        scheduler: Scheduler,
        syncs: SyncService, dispatchSignal: WorkSignal, feed: EventFeed, metrics: EngineMetrics, outbound: any OutboundInspection,
        clock: any WallClock, entropy: any Entropy, logger: Logger, facts: Facts
    ) {
        self.store = store
        self.answers = answers
        self.host = host
        self.connections = connections
        self.ages = ages
        self.scheduler = scheduler
        self.syncs = syncs
        self.dispatchSignal = dispatchSignal
        self.feed = feed
        self.metricsRegistry = metrics
        self.outbound = outbound
        self.clock = clock
        self.entropy = entropy
        self.logger = logger
        self.facts = facts
    }

    /// Appends to the audit log.
    func audit(_ kind: String, _ caller: Caller, _ connection: ConnectionID?, _ detail: String) async throws(BerthError) {
        try await store.audit([
            AuditEntry(
                at: clock.now(), kind: kind, actor: caller.actor, connection: connection, detail: detail, address: AuditOrigin.address)
        ])
    }

    /// Notes that a person looked at customers' data. A log that cannot be written stops nobody from looking: finding out why
    /// it cannot needs looking.
    func auditRead(_ kind: String, _ caller: Caller, _ connection: ConnectionID?, _ detail: String) async {
        do { try await audit(kind, caller, connection, detail) } catch {
            logger.error("audit entry not stored", metadata: ["kind": "\(kind)", "actor": "\(caller.actor)", "error": "\(error.message)"])
        }
    }

    /// The page a list request asks for.
    func page(_ query: ListQuery) throws(BerthError) -> PageRequest {
        guard let text = query["limit"] else { return PageRequest(cursor: query["cursor"]) }
        guard let limit = Int(text), (1...1000).contains(limit) else {
            throw BerthError(.invalid, "limit: '\(text)' is not 1 to 1000")
        }
        return PageRequest(limit: limit, cursor: query["cursor"])
    }

    /// The connection a list request asks for.
    func connection(_ query: ListQuery) throws(BerthError) -> ConnectionID? {
        guard let text = query["connection"] else { return nil }
        // A removed connection's events are still there: a well-formed id needs no living connection.
        if let id = ConnectionID(text) { return id }
        return try connections.find(text).id
    }

    /// A time in a query.
    func time(_ query: ListQuery, _ name: String) throws(BerthError) -> Timestamp? {
        guard let text = query[name] else { return nil }
        guard let time = Timestamp(timeOrDate: text) else {
            throw BerthError(.invalid, "\(name): '\(text)' is neither an RFC 3339 time nor a date")
        }
        return time
    }

    /// Refuses query fields nobody reads.
    func refuseUnknown(_ query: ListQuery, known: [String]) throws(BerthError) {
        for field in query.fields where !known.contains(field.name) {
            let nearest = NearestName.of(field.name, among: known).map { "; did you mean '\($0)'?" } ?? ""
            throw BerthError(.invalid, "'\(field.name)' is not known here\(nearest)", hint: "known: \(known.joined(separator: ", "))")
        }
    }
}
