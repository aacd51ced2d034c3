// The connections of a daemon: where they are found, and how a change of one becomes known. The changes themselves are in the
// extensions. Row, secrets and audit entries change in one transaction of the store, always from what the row says then: nobody
// writes back a copy that was made before something was awaited.

public import BerthModel
public import BerthSeams
public import Logging

/// The connections of this daemon.
///
/// Isolation: an actor; what people change of one connection is done one after the other, in the order asked. What the daemon notes
/// by itself (tokens, checks, runs) waits for nobody: the store orders it.
public actor Connections {
    let store: any Store
    let secrets: any TransactionalSecrets
    let host: any PluginHost
    let outbound: any Outbound
    let grants: any Grants
    let clock: any WallClock
    let entropy: any Entropy
    let logger: Logger
    /// What intake, dispatch and syncs look connections up in.
    public nonisolated let directory: ConnectionDirectory
    /// Counts changes of what is sent for a connection: what a check found out before is not true of what came after.
    private var changes: [ConnectionID: Int] = [:]
    /// Who waits for a turn at a connection; an entry: somebody has it.
    private var turns: [ConnectionID: [CheckedContinuation<Void, Never>]] = [:]
    /// Those whose disconnection or removal is under way: what it will end is not given, begun or opened meanwhile.
    var endings: [ConnectionID: Int] = [:]
    /// Called after any change.
    let onChange: @Sendable () -> Void

    /// Connections over a store; `load` must follow.
    public init(
        store: any Store, secrets: any TransactionalSecrets, host: any PluginHost, outbound: any Outbound, grants: any Grants,
        directory: ConnectionDirectory, clock: any WallClock, entropy: any Entropy, logger: Logger, onChange: @escaping @Sendable () -> Void
    ) {
        self.store = store
        self.secrets = secrets
        self.host = host
        self.outbound = outbound
        self.grants = grants
        self.directory = directory
        self.clock = clock
        self.entropy = entropy
        self.logger = logger
        self.onChange = onChange
    }

    /// Reads all connections into the directory. Secrets that outlived their connection, by an older version or a row that was
    /// changed by hand, are removed.
    public func load() async throws(BerthError) {
        let strays = try await store.removeStraySecrets()
        if strays > 0 { logger.notice("removed secrets of connections that are disconnected or gone", metadata: ["count": "\(strays)"]) }
        directory.replace(with: try await store.connections())
    }

    /// Asks the plugin whether the credential works; the answer also sets or clears the connection's error.
    public func check(_ id: ConnectionID, actor: String) async throws(BerthError) -> Result<[UInt8], AttemptFailure> {
        let asked = try existing(id)
        guard asked.status != .disconnected else { throw Self.disconnected(asked) }
        let manifest = try manifest(of: asked.provider)
        let before = changes[id]
        var result = await host.checkCredentials(for: InstanceFactory(host: host).instance(of: asked, manifest))
        if case .success(let reply) = result, let failure = await strangeAccount(reply, asked, manifest) { result = .failure(failure) }
        await enter(id)
        defer { leave(id) }
        // It took its time: what was changed meanwhile stays, and of another credential it says nothing.
        let isCurrent = changes[id] == before
        let note = note("connection.checked", actor)
        let version = try await store.changeConnection(id, secrets: SealedChange()) { [result] connection, _ in
            if isCurrent, connection.status != .disconnected { Self.apply(result, to: &connection) }
            return [note.entry(of: connection)]
        }
        directory.take(version)
        return result
    }

    private static func apply(_ result: Result<[UInt8], AttemptFailure>, to connection: inout Connection) {
        switch result {
        case .success:
            connection.lastError = nil
            guard connection.status == .error else { break }
            connection.status = .active
            connection.consecutiveFailures = 0
        case .failure(let failure) where failure.status == .authDenied || failure.status == .authExpired:
            if connection.status == .active { connection.status = .error }
            connection.lastError = failure.message
        case .failure(let failure): connection.lastError = failure.message
        }
    }

    /// Forgets kept answers of the provider; how many there were.
    public func clearCache(_ id: ConnectionID, prefix: String?, actor: String) async throws(BerthError) -> Int {
        let connection = try existing(id)
        let count = await outbound.forgetAnswers(of: id, prefix: prefix)
        try await store.audit([note("connection.cache_cleared", actor).entry(of: connection)])
        return count
    }

    /// A connection by id, or by a name that is clear: `name`, `provider/name` or `workspace/provider/name`.
    public nonisolated func find(_ text: String) throws(BerthError) -> Connection {
        if let id = ConnectionID(text) {
            guard let connection = directory.connection(id) else { throw Self.notFound(text) }
            return connection
        }
        let named = directory.connections().filter {
            $0.name == text || "\($0.provider)/\($0.name)" == text || "\($0.workspace)/\($0.provider)/\($0.name)" == text
        }
        if named.count > 1 {
            let list = named.prefix(10).map { "\($0.workspace)/\($0.provider)/\($0.name) is \($0.id)" }.joined(separator: ", ")
            throw BerthError(
                .conflict, "'\(text)' names \(named.count) connections",
                hint: "use WORKSPACE/PROVIDER/NAME or the id: \(list)\(named.count > 10 ? ", ..." : "")")
        }
        guard let connection = named.first else { throw Self.notFound(text) }
        return connection
    }

    static func waitsForConsent(_ name: String) -> String { "nobody has consented yet: berthctl connection connect \(name)" }

    // MARK: parts

    func manifest(of provider: ProviderName) throws(BerthError) -> PluginManifest {
        guard let manifest = host.manifest(of: provider) else {
            throw BerthError(.notFound, "there is no plugin '\(provider)'", hint: "berthctl plugin list shows what is installed")
        }
        return manifest
    }

    func existing(_ id: ConnectionID) throws(BerthError) -> Connection {
        guard let connection = directory.connection(id) else { throw Self.notFound(id.description) }
        return connection
    }

    static func notFound(_ text: String) -> BerthError {
        BerthError(.notFound, "there is no connection '\(text)'", hint: "berthctl connection list")
    }

    static func disconnected(_ connection: Connection) -> BerthError {
        let consent = connection.credentialKind == .authorizationCode ? ", then berthctl connection connect \(connection.name)" : ""
        return BerthError(
            .conflict, "connection '\(connection.name)' is disconnected: it has no secrets any more, and nothing is sent for it",
            hint: "berthctl connection set-credentials \(connection.name) brings it back\(consent)")
    }

    /// What is answered 200 and then taken away by a disconnection that was asked for before would be a lie.
    func refuseWhileEnding(_ connection: Connection) throws(BerthError) {
        guard endings[connection.id] != nil else { return }
        throw BerthError(
            .conflict, "connection '\(connection.name)' is being disconnected or removed, and its provider has not answered yet",
            hint: "again when that is done: it takes two minutes at most", isRetryable: true)
    }

    func beginEnding(_ id: ConnectionID) { endings[id, default: 0] += 1 }

    func finishEnding(_ id: ConnectionID) { endings[id] = endings[id].flatMap { $0 > 1 ? $0 - 1 : nil } }

    // MARK: turns

    /// Waits until nobody else changes the connection.
    func enter(_ id: ConnectionID) async {
        guard turns[id] != nil else {
            turns[id] = []
            return
        }
        await withCheckedContinuation { turns[id]?.append($0) }
    }

    func leave(_ id: ConnectionID) {
        guard let next = turns[id]?.first else {
            turns[id] = nil
            return
        }
        turns[id]?.removeFirst()
        next.resume()
    }

    // MARK: after a change

    /// Makes a change by a person known to all who keep something of the connection.
    func publish(_ version: ConnectionVersion) async {
        let id = version.connection.id
        directory.take(version)
        changes[id, default: 0] += 1
        await forget(id)
        // Of one that is disconnected no token is asked for.
        if version.connection.status != .disconnected, endings[id] == nil { await grants.open(id) }
        onChange()
    }

    func forget(_ id: ConnectionID) async {
        await host.forget(id)
        await outbound.forget(id)
        await grants.forget(id)
    }

    func forgetChanges(_ id: ConnectionID) { changes[id] = nil }

    /// Who does what now, for the audit log.
    func note(_ kind: String, _ actor: String) -> AuditNote {
        AuditNote(at: clock.now(), kind: kind, actor: actor, address: AuditOrigin.address)
    }
}

/// An audit entry whose connection is known only in the transaction that changes it.
struct AuditNote: Sendable {
    let at: Timestamp
    let kind: String
    let actor: String
    let address: String?

    func entry(of connection: Connection, detail: String? = nil) -> AuditEntry {
        AuditEntry(
            at: at, kind: kind, actor: actor, connection: connection.id,
            detail: detail ?? "\(connection.provider)/\(connection.name) in \(connection.workspace)", address: address)
    }
}
