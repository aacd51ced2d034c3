// Adds, changes, pauses and removes connections: row, secrets, directory, plugin instances and audit together.

public import BerthModel
public import BerthSeams
import Crypto
public import Logging

/// The connections of this daemon.
public actor Connections {
    let store: any Store
    let secrets: any SecretStore
    let host: any PluginHost
    let outbound: any Outbound
    let grants: any Grants
    let clock: any WallClock
    private let entropy: any Entropy
    let logger: Logger
    /// What intake, dispatch and syncs look connections up in.
    public nonisolated let directory: ConnectionDirectory
    /// What was last said of tokens that could not be had.
    var tokenErrors: [ConnectionID: String] = [:]
    /// Called after any change.
    private let onChange: @Sendable () -> Void

    /// Connections over a store; `load` must follow.
    public init(
        store: any Store, secrets: any SecretStore, host: any PluginHost, outbound: any Outbound, grants: any Grants,
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

    /// Reads all connections into the directory and makes sure their plugins' entities have tables.
    public func load() async throws(BerthError) {
        directory.replace(with: try await store.connections())
    }

    /// A connection that was just made, with what is shown only now.
    public struct Created: Sendable {
        /// The connection.
        public var connection: Connection
        /// Token for the webhook path or secret that signs deliveries, when Berth made it up.
        public var generatedSecret: String?
    }

    /// Makes a connection: secrets first, so that a crash leaves no connection without them.
    public func create(provider: ProviderName, workspace: WorkspaceName, _ draft: ConnectionDraft, actor: String)
        async throws(BerthError) -> Created
    {
        let manifest = try manifest(of: provider)
        let now = clock.now()
        var connection = Connection(
            id: ConnectionID(clock, entropy), provider: provider, workspace: workspace, name: draft.name ?? "main", baseURL: nil,
            settings: [:], credentialKind: nil, webhook: nil, schedules: [:], status: .active, consecutiveFailures: 0, lastError: nil,
            createdAt: now, updatedAt: now, lastSyncAt: nil)
        try ConnectionRules(manifest: manifest).apply(draft, to: &connection, isNew: true)
        guard directory.connections().allSatisfy({ !$0.hasSameName(as: connection) }) else {
            throw BerthError(
                .conflict, "workspace '\(workspace)' already has a \(provider) connection named '\(connection.name)'",
                hint: "choose another name, or change that one: berthctl connection show \(connection.name)")
        }
        if connection.credentialKind == .authorizationCode {
            connection.status = .error
            connection.lastError = Self.waitsForConsent(connection.name)
        }
        try await store.define(manifest.entities)
        let generated = try await storeSecrets(draft, of: connection, isNew: true)
        do {
            try await store.insertConnection(connection)
        } catch {
            try await secrets.removeAll(of: connection.id)
            throw error
        }
        await changed(connection, kind: "connection.created", actor: actor)
        return Created(connection: connection, generatedSecret: generated)
    }

    /// Changes a connection.
    public func update(_ id: ConnectionID, _ draft: ConnectionDraft, actor: String) async throws(BerthError) -> Created {
        var connection = try existing(id)
        let schemeBefore = connection.webhook?.scheme
        try ConnectionRules(manifest: try manifest(of: connection.provider)).apply(draft, to: &connection, isNew: false)
        guard directory.connections().allSatisfy({ $0.id == id || !$0.hasSameName(as: connection) }) else {
            throw BerthError(.conflict, "the name '\(connection.name)' is taken", hint: "berthctl connection list shows the names in use")
        }
        connection.updatedAt = clock.now()
        // Before too: after a crash in between, answers of another account must not be there.
        if draft.credentialFields != nil || draft.credentialKind != nil { _ = await outbound.forgetAnswers(of: id, prefix: nil) }
        let generated = try await storeSecrets(draft, of: connection, isNew: schemeBefore != connection.webhook?.scheme)
        try await store.updateConnection(connection)
        await changed(connection, kind: "connection.changed", actor: actor)
        return Created(connection: connection, generatedSecret: generated)
    }

    /// Stops or restarts dispatch and syncs; deliveries are kept all the while. Resuming clears an error.
    public func setPaused(_ isPaused: Bool, _ id: ConnectionID, actor: String) async throws(BerthError) -> Connection {
        var connection = try existing(id)
        guard connection.status != .disconnected else {
            throw BerthError(
                .conflict, "connection '\(connection.name)' is disconnected: it has no secrets any more",
                hint: "berthctl connection set-credentials \(connection.name), or berthctl connection connect \(connection.name)")
        }
        connection.status = isPaused ? .paused : .active
        if !isPaused {
            connection.consecutiveFailures = 0
            connection.lastError = nil
        }
        connection.updatedAt = clock.now()
        try await store.updateConnection(connection)
        await changed(connection, kind: isPaused ? "connection.paused" : "connection.resumed", actor: actor)
        return connection
    }

    /// Removes a connection and its secrets; events, records and runs stay until their retention.
    public func remove(_ id: ConnectionID, actor: String) async throws(BerthError) {
        let connection = try existing(id)
        // A renewal that ended later would store tokens of nobody.
        await grants.close(id)
        do throws(BerthError) {
            guard try await store.deleteConnection(id) else { throw Self.notFound(id.description) }
        } catch {
            await grants.open(id)
            throw error
        }
        try await secrets.removeAll(of: id)
        directory.remove(id)
        await forget(id)
        try await audit("connection.removed", connection, actor)
        onChange()
    }

    /// Asks the plugin whether the credential works; the answer also sets or clears the connection's error.
    public func check(_ id: ConnectionID, actor: String) async throws(BerthError) -> Result<[UInt8], AttemptFailure> {
        let asked = try existing(id)
        let manifest = try manifest(of: asked.provider)
        var result = await host.checkCredentials(for: InstanceFactory(host: host).instance(of: asked, manifest))
        if case .success(let reply) = result, let failure = await strangeAccount(reply, asked, manifest) { result = .failure(failure) }
        // It took its time: what was changed meanwhile stays.
        var connection = try existing(id)
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
        try await store.updateConnection(connection)
        directory.update(id) { [connection] current in current = connection }
        try await audit("connection.checked", connection, actor)
        return result
    }

    /// Forgets kept answers of the provider; how many there were.
    public func clearCache(_ id: ConnectionID, prefix: String?, actor: String) async throws(BerthError) -> Int {
        let connection = try existing(id)
        let count = await outbound.forgetAnswers(of: id, prefix: prefix)
        try await audit("connection.cache_cleared", connection, actor)
        return count
    }

    /// A connection by id or unique name.
    public nonisolated func find(_ text: String) throws(BerthError) -> Connection {
        if let id = ConnectionID(text), let connection = directory.connection(id) { return connection }
        let named = directory.connections().filter { $0.name == text || "\($0.provider)/\($0.name)" == text }
        if named.count > 1 {
            throw BerthError(
                .conflict, "'\(text)' names \(named.count) connections",
                hint: "use the id or provider/name: \(named.map { "\($0.provider)/\($0.name)" }.joined(separator: ", "))")
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

    private static func notFound(_ text: String) -> BerthError {
        BerthError(.notFound, "there is no connection '\(text)'", hint: "berthctl connection list")
    }

    /// Stores given secrets and makes up the webhook key when the scheme needs one and none is there.
    private func storeSecrets(_ draft: ConnectionDraft, of connection: Connection, isNew: Bool) async throws(BerthError) -> String? {
        for (name, secret) in draft.credentialFields ?? [:] {
            try await secrets.set(secret, .credential(field: name), of: connection.id)
        }
        if let secret = draft.webhook?.secret {
            if let current = try await secrets.secret(.webhook(index: 0), of: connection.id) {
                try await secrets.set(current, .webhook(index: 1), of: connection.id)
            }
            try await secrets.set(secret, .webhook(index: 0), of: connection.id)
            return nil
        }
        guard isNew, let scheme = connection.webhook?.scheme else { return nil }
        let bytes = (0..<4).flatMap { _ in withUnsafeBytes(of: entropy.next()) { Array($0) } }
        let generated: String
        switch scheme {
        case .token, .hmac, .plugin: generated = Base64.encode(bytes, urlSafe: true)
        case .standardWebhooks: generated = "whsec_" + Base64.encode(bytes, urlSafe: false)
        case .basic: generated = "berth:" + Base64.encode(bytes, urlSafe: true)
        }
        try await secrets.set(Secret(copying: generated.utf8), .webhook(index: 0), of: connection.id)
        return generated
    }

    func changed(_ connection: Connection, kind: String, actor: String) async {
        directory.insert(connection)
        await forget(connection.id)
        await grants.open(connection.id)
        do { try await audit(kind, connection, actor) } catch {
            logger.error("audit entry not stored", metadata: ["kind": "\(kind)", "error": "\(error)"])
        }
        onChange()
    }

    private func forget(_ id: ConnectionID) async {
        await host.forget(id)
        await outbound.forget(id)
        await grants.forget(id)
    }

    func audit(_ kind: String, _ connection: Connection, _ actor: String) async throws(BerthError) {
        try await store.audit([
            AuditEntry(
                at: clock.now(), kind: kind, actor: actor, connection: connection.id,
                detail: "\(connection.provider)/\(connection.name) in \(connection.workspace)", address: AuditOrigin.address)
        ])
    }
}

extension Connection {
    fileprivate func hasSameName(as other: Connection) -> Bool {
        provider == other.provider && workspace == other.workspace && name == other.name
    }
}
