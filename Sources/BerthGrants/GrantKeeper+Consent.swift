// A person's consent: the authorization code grant (RFC 6749, 4.1) with state and PKCE (RFC 7636). States live in memory for
// ten minutes and are used once; who asks after a restart begins again.

public import BerthModel
public import BerthSeams
import Crypto
import Logging

/// A consent under way.
struct PendingConsent: Sendable {
    var connection: ConnectionID
    var spec: CredentialSpec
    var verifier: Secret
    var redirectURI: String
    var expiresAt: Timestamp
}

extension GrantKeeper {
    /// Begins a consent.
    public func invite(_ connection: ConnectionID, _ spec: CredentialSpec, redirectURI: String) async throws(BerthError)
        -> ConsentInvitation
    {
        guard spec.kind == .authorizationCode, let oauth = spec.oauth, let authorizeURL = oauth.authorizeURL else {
            throw BerthError(
                .unsupported, "a connection of kind \(spec.kind.rawValue) needs no consent",
                hint: "berthctl connection check NAME tries its credential")
        }
        let client: TokenRequest.Client
        do throws(GrantFailure) { client = try await self.client(of: connection) } catch {
            throw BerthError(.invalid, error.message, hint: error.hint)
        }
        let now = clock.now()
        pending = pending.filter { $0.value.expiresAt > now }
        open(connection)
        guard pending.count < 1000 else {
            throw BerthError(.overloaded, "too many consents are under way", isRetryable: true, retryAfter: .seconds(60))
        }
        let state = randomText(32)
        let verifier = randomText(32)
        let expiresAt = now.adding(seconds: 600)
        pending[state] = PendingConsent(
            connection: connection, spec: spec, verifier: Secret(copying: verifier.utf8), redirectURI: redirectURI, expiresAt: expiresAt)
        var parameters = [("response_type", "code"), ("client_id", client.id), ("redirect_uri", redirectURI), ("state", state)]
        if !oauth.scopes.isEmpty { parameters.append(("scope", oauth.scopes.joined(separator: oauth.scopeSeparator))) }
        if oauth.usesPKCE {
            let challenge = Base64.encode(Array(SHA256.hash(data: Array(verifier.utf8))), urlSafe: true)
            parameters += [("code_challenge", challenge), ("code_challenge_method", "S256")]
        }
        parameters += oauth.authorizeParameters.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        let query = parameters.map { "\(TokenRequest.formEncoded($0.0))=\(TokenRequest.formEncoded($0.1))" }.joined(separator: "&")
        return ConsentInvitation(
            url: authorizeURL + (authorizeURL.contains("?") ? "&" : "?") + query, redirectURI: redirectURI, expiresAt: expiresAt)
    }

    /// Ends a consent with what the provider sent the browser back with: `code`, `state`, `error`. Answers whose it was.
    /// The state is spent whatever comes of it, but for one of another connection than `expected`.
    public func complete(_ fields: [(name: String, value: String)], expected: ConnectionID?) async throws(BerthError) -> ConnectionID {
        func field(_ name: String) -> String? { fields.first { $0.name == name }?.value }
        // Pasted codes may come without their state: then it must be the only consent of that connection.
        let state = field("state") ?? expected.flatMap { wanted in onlyState(of: wanted) }
        // Looked at before it is spent: one that was pasted for the wrong connection still serves the right one.
        guard let state, let consent = pending[state], expected == nil || consent.connection == expected,
            pending.removeValue(forKey: state) != nil, consent.expiresAt > clock.now(), let oauth = consent.spec.oauth
        else { throw Self.unknownState }
        do throws(BerthError) {
            let grant = try await exchange(consent, oauth, fields)
            await announce(.connected(consent.connection, account: grant.account))
            return consent.connection
        } catch {
            logger.warning(
                "consent failed",
                metadata: ["connection": "\(consent.connection)", "error": "\(error.message)", "hint": "\(error.hint ?? "")"])
            await announce(.consentFailed(consent.connection, error))
            throw error
        }
    }

    /// Makes tokens of what a provider sent the browser back with, and stores them.
    private func exchange(_ consent: PendingConsent, _ oauth: OAuthSpec, _ fields: [(name: String, value: String)]) async throws(BerthError)
        -> StoredGrant
    {
        func field(_ name: String) -> String? { fields.first { $0.name == name }?.value }
        guard isInService(consent.spec, consent.connection) || isClosed(consent.connection) else { throw Self.changed }
        if let error = field("error") {
            let what = String(decoding: error.utf8.prefix(60).map { (32...126).contains($0) ? $0 : 63 }, as: UTF8.self)
            throw BerthError(
                .credential, "the provider did not give consent: \(what)", hint: "begin again: berthctl connection connect NAME")
        }
        guard let code = field("code"), !code.isEmpty else {
            throw BerthError(.invalid, "there is no code in the answer", hint: "begin again: berthctl connection connect NAME")
        }
        // A renewal of the old grant that came in between would store its tokens, or its end, over the new ones.
        await enter(consent.connection)
        // Disconnected or removed while it waited: nothing is begun for it that would have to be forgotten.
        guard !closed.contains(consent.connection) else {
            leave(consent.connection)
            throw Self.unknownState
        }
        let outcome: Result<StoredGrant, GrantFailure>
        do throws(GrantFailure) {
            var parameters = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", consent.redirectURI)]
            if oauth.usesPKCE { parameters.append(("code_verifier", consent.verifier.exposedText)) }
            guard !isClosed(consent.connection) else {
                throw GrantFailure(
                    message: "the connection was disconnected or removed meanwhile", hint: "berthctl connection list", isFinal: true)
            }
            // Of a connection that has no credentials any more nothing is made.
            let client = try await client(of: consent.connection)
            let key = try await exchangeKey(consent.connection)
            // Of the grant there was: should this consent fail, the connection lives on with it.
            if case .taken = try await interrupted(consent.connection, consent.spec, oauth, key) { forget(consent.connection) }
            let old = try await replaceable(consent.connection)
            try checkService(consent.spec, consent.connection)
            let reply = try await desk.exchange(
                TokenRequest(oauth.tokenURL, parameters, client, oauth), of: consent.connection, key: key,
                basis: Self.consentBasis, isOwnAddress: oauth.isOwnAddress
            ).get()
            do throws(GrantFailure) { try checkService(consent.spec, consent.connection) } catch {
                desk.settled(consent.connection)
                throw error
            }
            let empty = beforeConsent(old)
            let sent = [Secret(copying: code.utf8), consent.verifier]
            let grant = try await take(reply, over: empty, consent.connection, consent.spec, isConsent: true, hiding: sent)
            hold(grant, consent.connection)
            await consented(over: old, grant, consent.connection, consent.spec)
            outcome = .success(grant)
        } catch { outcome = .failure(error) }
        leave(consent.connection)
        switch outcome {
        case .success(let grant): return grant
        case .failure(let error):
            guard isInService(consent.spec, consent.connection) || isClosed(consent.connection) else { throw Self.changed }
            throw BerthError(
                .credential, "the code could not be exchanged: \(error.message)", hint: error.hint, isRetryable: !error.isFinal)
        }
    }

    private static let unknownState = BerthError(
        .invalid, "the state is unknown, used or older than ten minutes, or its connection was disconnected since",
        hint: "begin again: berthctl connection connect NAME; a link works once")

    private static let changed = BerthError(
        .conflict, "the connection was changed after this link was made: its code belongs to the address and credentials of before",
        hint: "begin again: berthctl connection connect NAME")

    private func onlyState(of connection: ConnectionID) -> String? {
        let mine = pending.filter { $0.value.connection == connection }
        return mine.count == 1 ? mine.first?.key : nil
    }

    public func state(of connection: ConnectionID) async -> GrantState {
        do throws(GrantFailure) {
            guard let grant = try await load(connection) else { return GrantState(isConnected: false) }
            return GrantState(
                isConnected: grant.deadReason == nil && grant.accessToken.count > 0, expiresAt: grant.expiresAt, account: grant.account,
                problem: grant.deadReason)
        } catch { return GrantState(isConnected: false, problem: error.message) }
    }
}
