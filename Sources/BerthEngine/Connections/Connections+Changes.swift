// What people change of connections: made, changed, paused, removed. Each in its turn, each one transaction.

public import BerthModel
import BerthSeams

extension Connections {
    /// A connection that was just made or changed, with what is shown only now.
    public struct Created: Sendable {
        /// The connection.
        public var connection: Connection
        /// Token for the webhook path or secret that signs deliveries, when Berth made it up.
        public var generatedSecret: String?
    }

    /// Makes a connection with its secrets.
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
        connection.begin()
        try await store.define(manifest.entities)
        let (change, generated) = try await secretChange(draft, of: connection, makesKey: true)
        let note = note("connection.created", actor)
        let version = try await secrets.change(change, of: connection.id) { [store, connection] sealed throws(BerthError) in
            try await store.insertConnection(connection, secrets: sealed, audit: [note.entry(of: connection)])
        }
        directory.insert(connection, revision: version.revision)
        await publish(version)
        return Created(connection: connection, generatedSecret: generated)
    }

    /// Changes a connection. New credentials bring a disconnected one back.
    public func update(_ id: ConnectionID, _ draft: ConnectionDraft, actor: String) async throws(BerthError) -> Created {
        await enter(id)
        defer { leave(id) }
        let current = try existing(id)
        let manifest = try manifest(of: current.provider)
        let rules = ConnectionRules(manifest: manifest)
        var wished = current
        try rules.apply(draft, to: &wished, isNew: false)
        guard directory.connections().allSatisfy({ $0.id == id || !$0.hasSameName(as: wished) }) else {
            throw BerthError(.conflict, "the name '\(wished.name)' is taken", hint: "berthctl connection list shows the names in use")
        }
        let hasCredentials = draft.credentialFields != nil || draft.credentialKind != nil
        if hasCredentials || draft.webhook?.secret != nil { try refuseWhileEnding(current) }
        let isDisconnected = current.status == .disconnected
        let isBack = isDisconnected && hasCredentials
        // A disconnected connection keeps no secrets, so a new key has to come with what brings it back.
        guard !isDisconnected || isBack || draft.webhook?.secret == nil else { throw Self.disconnected(current) }
        // Before too: after a crash in between, answers of another account must not be there.
        if hasCredentials { _ = await outbound.forgetAnswers(of: id, prefix: nil) }
        let hasOtherScheme = current.webhook?.scheme != wished.webhook?.scheme
        let old = hasCredentials && !isDisconnected ? credential(of: current) : nil
        let giveBack = if let old { await grants.giving(back: id, old) } else { GrantReturn?.none }
        let (change, generated) = try await secretChange(draft, of: wished, makesKey: isBack || (hasOtherScheme && !isDisconnected))
        let isAnother = InstanceFactory.identity(of: current, manifest) != InstanceFactory.identity(of: wished, manifest)
        let restart = isAnother ? self.note("connection.streams_restarted", actor) : nil
        let note = note(isBack ? "connection.reconnected" : "connection.changed", actor)
        // Whoever began before ends with what it began with: the new secret must not go to the old address, nor the other way round.
        let isMoved = hasCredentials || InstanceFactory(host: host).hasOtherAccess(wished, than: current, manifest)
        if isMoved { directory.suspend(id) }
        defer {
            if isMoved {
                directory.resume(id)
                onChange()
            }
        }
        let version = try await secrets.change(change, of: id) { [store] sealed throws(BerthError) in
            try await store.changeConnection(id, secrets: sealed, restartsStreams: isAnother) { connection, _ throws(BerthError) in
                // Again, on what is there now: what the daemon noted meanwhile stays.
                try rules.apply(draft, to: &connection, isNew: false)
                if isBack { connection.begin() }
                connection.updatedAt = note.at
                return [note.entry(of: connection)] + (restart.map { [$0.entry(of: connection)] } ?? [])
            }
        }
        // The old server asked for it, not the new one.
        if current.baseURL != wished.baseURL { try await store.endWaits(of: id) }
        await publish(version)
        // A provider may take its time; what came of it is in the audit log.
        if let giveBack { Task { await giveBack(credential(of: version.connection)) } }
        return Created(connection: version.connection, generatedSecret: generated)
    }

    /// Stops or restarts dispatch and syncs; deliveries are kept all the while. Resuming clears an error.
    public func setPaused(_ isPaused: Bool, _ id: ConnectionID, actor: String) async throws(BerthError) -> Connection {
        await enter(id)
        defer { leave(id) }
        let current = try existing(id)
        // Where there are no credentials to give, nothing else could bring it back.
        guard current.status != .disconnected || (!isPaused && current.credentialKind == nil) else { throw Self.disconnected(current) }
        try refuseWhileEnding(current)
        let note = note(isPaused ? "connection.paused" : "connection.resumed", actor)
        let version = try await store.changeConnection(id, secrets: SealedChange()) { connection, _ in
            connection.status = isPaused ? .paused : .active
            if !isPaused {
                connection.consecutiveFailures = 0
                connection.lastError = nil
            }
            connection.updatedAt = note.at
            return [note.entry(of: connection)]
        }
        await publish(version)
        return version.connection
    }

    /// Removes a connection and its secrets; its grant is given back where the provider takes it. Events, records and runs stay until
    /// their retention. Answers why the provider may still hold the grant: that keeps nothing from being removed.
    public func remove(_ id: ConnectionID, actor: String) async throws(BerthError) -> String? {
        let asked = try existing(id)
        beginEnding(id)
        defer { finishEnding(id) }
        // Not in its turn, as with a disconnection.
        let problem = asked.status == .disconnected ? nil : await grants.end(id, credential(of: asked))
        await enter(id)
        defer { leave(id) }
        let connection = try existing(id)
        // A renewal that ended later would store tokens of nobody.
        await grants.close(id)
        do throws(BerthError) {
            let isGone = try await secrets.change(SecretChange(removesAll: true), of: id) { [store] _ throws(BerthError) in
                try await store.deleteConnection(id)
            }
            guard isGone else { throw Self.notFound(id.description) }
        } catch {
            if connection.status != .disconnected, endings[id] == 1 { await grants.open(id) }
            throw error
        }
        directory.remove(id)
        forgetChanges(id)
        await forget(id)
        let what = "\(connection.provider)/\(connection.name) in \(connection.workspace)"
        let told = problem.map { ", but the provider may still hold the grant: \($0)" } ?? ""
        try await store.audit([note("connection.removed", actor).entry(of: connection, detail: what + told)])
        onChange()
        return problem
    }

    private func isDamaged(_ slot: SecretSlot, of id: ConnectionID) async -> Bool {
        do throws(BerthError) {
            _ = try await secrets.secret(slot, of: id)
            return false
        } catch { return error.code == .vaultSealed }
    }

    /// What a draft makes of the secrets; `makesKey`: the key of deliveries is made up where none is given.
    private func secretChange(_ draft: ConnectionDraft, of connection: Connection, makesKey: Bool) async throws(BerthError)
        -> (change: SecretChange, generated: String?)
    {
        var change = SecretChange()
        for (name, secret) in draft.credentialFields ?? [:] { change.values[.credential(field: name)] = secret }
        if draft.credentialFields != nil {
            // One that can't be opened would stand in the way of all that the new credentials give.
            for slot in [SecretSlot.grant, .exchangeKey] where await isDamaged(slot, of: connection.id) { change.removes.insert(slot) }
        }
        if let secret = draft.webhook?.secret {
            // Both are good until the sender has the new one.
            change.values[.webhook(index: 1)] = try await secrets.secret(.webhook(index: 0), of: connection.id)
            change.values[.webhook(index: 0)] = secret
            return (change, nil)
        }
        guard makesKey, let scheme = connection.webhook?.scheme else { return (change, nil) }
        let bytes = (0..<4).flatMap { _ in withUnsafeBytes(of: entropy.next()) { Array($0) } }
        let generated: String
        switch scheme {
        case .token, .hmac, .plugin: generated = Base64.encode(bytes, urlSafe: true)
        case .standardWebhooks: generated = "whsec_" + Base64.encode(bytes, urlSafe: false)
        case .basic: generated = "berth:" + Base64.encode(bytes, urlSafe: true)
        }
        change.values[.webhook(index: 0)] = Secret(copying: generated.utf8)
        return (change, generated)
    }
}

extension Connection {
    fileprivate func hasSameName(as other: Connection) -> Bool {
        provider == other.provider && workspace == other.workspace && name == other.name
    }

    /// With credentials that are new: works, or waits for the consent that they still need.
    fileprivate mutating func begin() {
        let waits = credentialKind == .authorizationCode
        status = waits ? .error : .active
        consecutiveFailures = 0
        lastError = waits ? Connections.waitsForConsent(name) : nil
    }
}
