// Grants that have no use any more are given back (RFC 7009): at the end of a connection, and when another grant took their place. The
// latter only where the manifest says that it ends nothing else: many providers end all that a user granted the application, the new
// grant too. A token that was forgotten is nobody's; a connection that is cut off is somebody's trouble.

public import BerthModel
public import BerthSeams
import Logging

extension GrantKeeper {
    /// Longer a provider may not take to end a grant.
    private static let revocationSecondsMax = 15

    /// Gives the tokens back where the provider takes them and ends the grant, in one turn. Answers what could not be done. Who asks
    /// while that goes on gets the same answer: the provider is asked once.
    public func end(_ connection: ConnectionID, _ spec: CredentialSpec?) async -> String? {
        if let ending = endings[connection] { return await ending.value }
        let ending = Task { await endInTurn(connection, spec) }
        endings[connection] = ending
        return await ending.value
    }

    private func endInTurn(_ connection: ConnectionID, _ spec: CredentialSpec?) async -> String? {
        // After a renewal that is under way: it is its tokens that have to end. Those who wait behind this get none.
        await enter(connection)
        shut(connection)
        var problem: String?
        if let spec, let oauth = spec.oauth, oauth.revokeURL != nil {
            do throws(GrantFailure) { problem = try await giveBackNewest(connection, spec, oauth) } catch { problem = error.message }
        }
        // Somebody may have opened it meanwhile.
        shut(connection)
        desk.cleared(connection)
        endings[connection] = nil
        leave(connection)
        return problem
    }

    private func giveBackNewest(_ connection: ConnectionID, _ spec: CredentialSpec, _ oauth: OAuthSpec) async throws(GrantFailure)
        -> String?
    {
        var grant = try await load(connection)
        let key = try await exchangeKey(connection)
        var problem: String?
        // The living token may be in an answer that nobody took. It need not be stored to be given back.
        do throws(GrantFailure) {
            if let left = try await left(connection, spec, oauth, key) {
                switch await judge(left.reply, over: left.before, connection, spec, isConsent: left.isConsent) {
                case .success(let newer): grant = newer
                case .failure(let failure): grant = failure.kept ?? grant
                }
            }
        } catch { problem = error.message }
        guard let grant else { return problem }
        let client = try await client(of: connection)
        try checkService(spec, connection)
        return try await giveBack(grant, connection, oauth, client) ?? problem
    }

    /// Answers why the provider may still hold it.
    private func giveBack(
        _ grant: StoredGrant, _ connection: ConnectionID, _ oauth: OAuthSpec, _ client: TokenRequest.Client
    ) async throws(GrantFailure) -> String? {
        // Revoking a refresh token ends its access tokens as well (RFC 7009, 2.1).
        let token = grant.refreshToken ?? grant.accessToken
        guard let url = oauth.revokeURL, token.count > 0 else { return nil }
        let hint = grant.refreshToken == nil ? "access_token" : "refresh_token"
        let reply = try await desk.exchange(
            TokenRequest(url, [("token", token.exposedText), ("token_type_hint", hint)], client, oauth), of: connection,
            key: try await exchangeKey(connection), basis: Self.basis(token), isOwnAddress: oauth.isOwnAddress,
            timeoutSeconds: Self.revocationSecondsMax, revocation: true
        ).get()
        guard !(200...299).contains(reply.status) else { return nil }
        return reply.failure ?? "the revocation endpoint answered \(reply.status)"
    }

    // MARK: What another grant took the place of

    public func giving(back connection: ConnectionID, _ spec: CredentialSpec) async -> GrantReturn? {
        guard let oauth = spec.oauth, oauth.revokeURL != nil, oauth.revocationReach == .token else { return nil }
        // Who can't read it now can't give it back later.
        guard let old = try? await load(connection), let client = try? await client(of: connection) else { return nil }
        return { [self] now in await replaced(old, connection, oauth, client, by: now) }
    }

    private func replaced(
        _ old: StoredGrant, _ connection: ConnectionID, _ oauth: OAuthSpec, _ client: TokenRequest.Client, by now: CredentialSpec?
    ) async {
        await enter(connection)
        var old = old
        var isInUse = false
        do throws(GrantFailure) {
            let given = if let now { try await given(connection, now) } else { String?.none }
            func lives(_ grant: StoredGrant) -> Bool { now.map { grant.descends(from: given, $0.kind) } ?? false }
            isInUse = lives(old)
            if let stored = try await load(connection), !lives(stored) {
                // A renewal may have come in between. The kind it belongs to may come back: then it has to be told as gone.
                old = stored
                if stored.deadReason == nil { try await bury(stored, "it was given back when the credentials were replaced", connection) }
            }
        } catch {
            isInUse = true
            logger.warning("a replaced grant stays", metadata: ["connection": "\(connection)", "error": "\(error.message)"])
        }
        leave(connection)
        guard !isInUse, old.deadReason == nil else { return }
        await giveBack(replaced: old, connection, oauth, client)
    }

    /// In a turn, after a consent is durable: what was there before it. Waits for nobody.
    func consented(over old: StoredGrant?, _ new: StoredGrant, _ connection: ConnectionID, _ spec: CredentialSpec) async {
        guard let old, old.deadReason == nil, let oauth = spec.oauth, oauth.revokeURL != nil, oauth.revocationReach == .token else {
            return
        }
        // Some providers answer each consent with the same token.
        let tokens = [new.refreshToken, new.accessToken].compactMap { $0?.exposedText }
        guard !tokens.contains((old.refreshToken ?? old.accessToken).exposedText) else { return }
        // It was just there, but may be another since.
        guard let client = try? await client(of: connection), isInService(spec, connection) else { return }
        Task { await self.giveBack(replaced: old, connection, oauth, client) }
    }

    private func giveBack(
        replaced old: StoredGrant, _ connection: ConnectionID, _ oauth: OAuthSpec, _ client: TokenRequest.Client
    ) async {
        var problem: String?
        do throws(GrantFailure) { problem = try await giveBack(old, connection, oauth, client) } catch { problem = error.message }
        await announce(.givenBack(connection, problem: problem))
    }
}
