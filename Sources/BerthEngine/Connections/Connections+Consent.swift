// A connection's trust from its provider: given by a person, kept alive by the grants, taken back.

public import BerthModel
public import BerthSeams
import Logging

extension Connections {
    /// Begins a consent; the answer's URL is for a person's browser.
    public func connect(_ id: ConnectionID, redirectURI: String, actor: String) async throws(BerthError) -> ConsentInvitation {
        let connection = try existing(id)
        let manifest = try manifest(of: connection.provider)
        guard let spec = InstanceFactory(host: host).credential(of: connection, manifest) else {
            throw BerthError(
                .invalid, "the connection has no credential kind", hint: "berthctl plugin show \(connection.provider) lists them")
        }
        let invitation = try await grants.invite(id, spec, redirectURI: redirectURI)
        try await audit("connection.consent_begun", connection, actor)
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
            let account = members["account"]?.scalarText
        else { return nil }
        do {
            try await grants.identify(connection.id, account: account)
            return nil
        } catch { return AttemptFailure(.authDenied, error.message) }
    }

    /// Cuts off: tokens are given back where the provider takes them, secrets are forgotten, webhooks get 410. Records stay.
    public func disconnect(_ id: ConnectionID, actor: String) async throws(BerthError) -> Connection {
        var connection = try existing(id)
        let manifest = host.manifest(of: connection.provider)
        let spec = manifest.flatMap { InstanceFactory(host: host).credential(of: connection, $0) }
        let problem = await grants.end(id, spec)
        connection.status = .disconnected
        connection.lastError = problem.map { "disconnected, but the provider may still hold the grant: \($0)" }
        connection.updatedAt = clock.now()
        try await store.updateConnection(connection)
        try await secrets.removeAll(of: id)
        await changed(connection, kind: "connection.disconnected", actor: actor)
        return connection
    }

    /// What happened to a grant becomes the connection's status and an audit entry.
    public func hear(_ news: GrantNews) async {
        switch news {
        case .renewed(let id):
            let said = tokenErrors.removeValue(forKey: id)
            await note("connection.token_renewed", id) {
                // Only what the tokens were the cause of.
                guard let error = $0.lastError, error == said || error.hasPrefix("no token for \(id):") else { return }
                $0.lastError = nil
                if $0.status == .error { $0.status = .active }
            }
        case .connected(let id, let account):
            // What was kept was asked for with other rights.
            _ = await outbound.forgetAnswers(of: id, prefix: nil)
            await note("connection.connected", id, account.map { " as \($0)" } ?? "") {
                $0.status = .active
                $0.consecutiveFailures = 0
                $0.lastError = nil
            }
        case .failed(let id, let error, let isFinal):
            let said = error.hint.map { "\(error.message) (\($0))" } ?? error.message
            tokenErrors[id] = said
            await note("connection.token_failed", id, ": \(error.message)") {
                $0.lastError = said
                if isFinal, $0.status == .active { $0.status = .error }
            }
        }
    }

    private func note(_ kind: String, _ id: ConnectionID, _ detail: String = "", _ change: (inout Connection) -> Void) async {
        guard var connection = directory.connection(id) else { return }
        let before = connection
        change(&connection)
        do {
            if connection != before {
                connection.updatedAt = clock.now()
                try await store.updateConnection(connection)
                directory.insert(connection)
            }
            try await store.audit([
                AuditEntry(
                    at: clock.now(), kind: kind, actor: "berthd", connection: id,
                    detail: "\(connection.provider)/\(connection.name)\(detail)",
                    address: AuditOrigin.address)
            ])
        } catch {
            logger.error("a grant's change could not be noted", metadata: ["connection": "\(id)", "kind": "\(kind)", "error": "\(error)"])
        }
    }
}
