// A connection's trust from its provider: given by a person, kept alive by the grants, taken back.

public import BerthModel
public import BerthSeams
import Logging

extension Connections {
    /// Begins a consent; the answer's URL is for a person's browser.
    public func connect(_ id: ConnectionID, redirectURI: String, actor: String) async throws(BerthError) -> ConsentInvitation {
        // In its turn: what a disconnect has just closed must not be opened again.
        await enter(id)
        defer { leave(id) }
        let connection = try existing(id)
        guard connection.status != .disconnected else { throw Self.disconnected(connection) }
        try refuseWhileEnding(connection)
        let manifest = try manifest(of: connection.provider)
        guard let spec = InstanceFactory(host: host).credential(of: connection, manifest) else {
            throw BerthError(
                .invalid, "the connection has no credential kind", hint: "berthctl plugin show \(connection.provider) lists them")
        }
        let invitation = try await grants.invite(id, spec, redirectURI: redirectURI)
        try await store.audit([note("connection.consent_begun", actor).entry(of: connection)])
        return invitation
    }

    /// Ends a consent, by the browser or by hand, and tries the new tokens. `expected`: whose it must be.
    public func complete(_ fields: [(name: String, value: String)], expected: ConnectionID?, actor: String) async throws(BerthError)
        -> Connection
    {
        let id = try await grants.complete(fields, expected: expected)
        _ = try await check(id, actor: actor)
        return try existing(id)
    }

    /// Notes whose account a plugin's check found, where the token replies do not say it; the failure when it was another one before.
    func strangeAccount(_ reply: [UInt8], _ connection: Connection, _ manifest: PluginManifest) async -> AttemptFailure? {
        guard let spec = InstanceFactory(host: host).credential(of: connection, manifest), spec.kind == .authorizationCode,
            spec.oauth?.accountPointer == nil, case .object(let members)? = JSONValue(text: reply),
            let account = members["account"]?.scalarText,
            // What answered may be a server that the connection has left since.
            directory.accessRevision(of: connection.id) == spec.accessRevision
        else { return nil }
        do {
            try await grants.identify(connection.id, account: account)
            return nil
        } catch { return AttemptFailure(.authDenied, error.message) }
    }

    /// Cuts off: tokens are given back where the provider takes them, secrets are forgotten, webhooks get 410. Records stay. What is
    /// changed while the provider is asked stays; credentials, pauses and consents are refused until it is done.
    public func disconnect(_ id: ConnectionID, actor: String) async throws(BerthError) -> Connection {
        let asked = try existing(id)
        beginEnding(id)
        defer { finishEnding(id) }
        // Not in its turn: a provider may take 15 seconds for it.
        let problem = asked.status == .disconnected ? nil : await grants.end(id, credential(of: asked))
        await enter(id)
        defer { leave(id) }
        _ = try existing(id)
        await grants.close(id)
        let note = note("connection.disconnected", actor)
        let version: ConnectionVersion
        do throws(BerthError) {
            version = try await secrets.change(SecretChange(removesAll: true), of: id) { [store] sealed throws(BerthError) in
                try await store.changeConnection(id, secrets: sealed) { connection, _ in
                    if connection.status != .disconnected {
                        connection.lastError = problem.map { "disconnected, but the provider may still hold the grant: \($0)" }
                    }
                    connection.status = .disconnected
                    connection.updatedAt = note.at
                    return [note.entry(of: connection)]
                }
            }
        } catch {
            if directory.connection(id)?.status != .disconnected, endings[id] == 1 { await grants.open(id) }
            throw error
        }
        await publish(version)
        return version.connection
    }

    /// How a connection proves who it is; nil: it does not, or its plugin is gone.
    func credential(of connection: Connection) -> CredentialSpec? {
        host.manifest(of: connection.provider).flatMap { InstanceFactory(host: host).credential(of: connection, $0) }
    }

    /// What happened to a grant becomes the connection's status and an audit entry.
    public func hear(_ news: GrantNews) async {
        switch news {
        case .renewed(let id):
            await note("connection.token_renewed", id) { connection, _ in
                // Only what the tokens were the cause of, also when a former life or a run noted it.
                guard connection.lastError?.hasPrefix(Self.tokenError(id)) == true else { return }
                connection.lastError = nil
                if connection.status == .error { connection.status = .active }
            }
        case .connected(let id, let account):
            // What was kept was asked for with other rights.
            _ = await outbound.forgetAnswers(of: id, prefix: nil)
            await note("connection.connected", id, account.map { " as \($0)" } ?? "") { connection, slots in
                // It was disconnected before this was heard: the tokens are gone.
                guard slots.contains(SecretSlot.grant.text) else { return }
                // A person who paused it has reasons that a consent knows nothing of.
                if connection.status != .paused { connection.status = .active }
                connection.consecutiveFailures = 0
                connection.lastError = nil
            }
        case .givenBack(let id, let problem):
            let told = problem.map { ", but the provider may still hold it: \($0)" } ?? ""
            await note("connection.grant_revoked", id, ": the grant before" + told) { _, _ in }
        case .consentFailed(let id, let error):
            let said = "\(Self.tokenError(id)) the last consent failed: \(error.message)" + (error.hint.map { " (\($0))" } ?? "")
            await note("connection.consent_failed", id, ": \(error.message)") { connection, slots in
                // One that lives on an earlier consent goes on with it.
                let waits = !slots.contains(SecretSlot.grant.text) || connection.lastError?.hasPrefix(Self.tokenError(id)) == true
                guard connection.status == .error, connection.credentialKind == .authorizationCode, waits else { return }
                connection.lastError = said
            }
        case .failed(let id, let error, let isFinal):
            let said = "\(Self.tokenError(id)) \(error.message)" + (error.hint.map { " (\($0))" } ?? "")
            await note("connection.token_failed", id, ": \(error.message)") { connection, _ in
                guard connection.status != .disconnected else { return }
                connection.lastError = said
                if isFinal, connection.status == .active { connection.status = .error }
            }
        }
    }

    /// What every error about a missing token begins with, those of requests too.
    private static func tokenError(_ id: ConnectionID) -> String { "no token for \(id):" }

    /// Without a turn: whoever tells may hold what the one whose turn it is waits for.
    private func note(
        _ kind: String, _ id: ConnectionID, _ detail: String = "", _ change: @escaping @Sendable (inout Connection, Set<String>) -> Void
    ) async {
        let note = note(kind, "berthd")
        do throws(BerthError) {
            let version = try await store.changeConnection(id, secrets: SealedChange()) { connection, slots in
                let before = connection
                change(&connection, slots)
                if connection != before { connection.updatedAt = note.at }
                return [note.entry(of: connection, detail: "\(connection.provider)/\(connection.name)\(detail)")]
            }
            directory.take(version)
        } catch {
            guard error.code != .notFound else { return }  // removed meanwhile
            logger.error("a grant's change could not be noted", metadata: ["connection": "\(id)", "kind": "\(kind)", "error": "\(error)"])
        }
    }
}
