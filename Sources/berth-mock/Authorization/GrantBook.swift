// Issues, rotates, checks and revokes. A value without clock and I/O; the server that owns it serialises access.

/// All grants with their codes and tokens.
struct GrantBook: Sendable {
    /// What became of a presented access token.
    enum AccessState: Sendable { case valid(AccessToken, Grant), expired, revoked, unknown }

    private(set) var grants: [String: Grant] = [:]
    private var codes: [String: AuthorizationCode] = [:]
    private var accessTokens: [String: AccessToken] = [:]
    private var refreshTokens: [String: RefreshToken] = [:]

    /// Grants in the order they were made.
    var ordered: [Grant] { grants.values.sorted { ($0.id.utf8.count, $0.id) < ($1.id.utf8.count, $1.id) } }

    /// Everything secret that was ever issued, by kind.
    var issued: [(kind: String, texts: [String])] {
        [("access_tokens", accessTokens.keys.sorted()), ("codes", codes.keys.sorted()), ("refresh_tokens", refreshTokens.keys.sorted())]
    }

    // MARK: Codes

    /// Keeps `code` and answers its text.
    mutating func add(_ code: AuthorizationCode) -> String {
        let text = Self.secret("mock_ac_")
        codes[text] = code
        return text
    }

    /// Spends a code. A replay revokes what was issued by it.
    mutating func redeem(
        _ text: String, client: String, redirect: String?, verifier: String?, now: Milliseconds
    ) throws(OAuthFailure) -> AuthorizationCode {
        guard let code = codes[text], code.client == client else { throw .invalidGrant("authorization code is unknown") }
        if code.isSpent {
            if let grant = code.grant { revoke(grant, reason: "code_replay", now: now) }
            throw .invalidGrant("authorization code was used before; its tokens are revoked")
        }
        guard code.expiresAt > now else { throw .invalidGrant("authorization code expired") }
        guard code.redirect == redirect else { throw .invalidGrant("redirect_uri differs from the authorization request's") }
        if let challenge = code.challenge {
            guard let verifier, PKCE.isWellFormed(verifier), PKCE.challenge(of: verifier) == challenge else {
                codes[text]?.isSpent = true
                throw .invalidGrant("code_verifier does not match code_challenge")
            }
        } else if verifier != nil {
            throw .invalidGrant("code_verifier without code_challenge")
        }
        codes[text]?.isSpent = true
        return code
    }

    /// Remembers what `code` was exchanged for.
    mutating func bind(_ code: String, to grant: String) { codes[code]?.grant = grant }

    // MARK: Tokens

    /// A new grant without tokens.
    mutating func begin(client: String, account: String, scopes: [String], type: String, now: Milliseconds) -> Grant {
        let grant = Grant(id: "g\(grants.count + 1)", client: client, account: account, scopes: scopes, type: type, createdAt: now)
        grants[grant.id] = grant
        return grant
    }

    /// An access token, and a refresh token if wanted. - Parameters:
    ///   - replacing: the refresh token that is spent by this.
    ///   - account: other than the grant's when a fault says so; likewise `scopes`.
    mutating func issue(
        _ id: String, withRefresh: Bool, replacing: String? = nil, account: String? = nil, scopes: [String]? = nil, settings: OAuthSettings,
        now: Milliseconds
    ) throws(OAuthFailure) -> IssuedTokens {
        guard var grant = grants[id], grant.revocation == nil else { throw .invalidGrant("grant is revoked") }
        let access = Self.secret("mock_at_")
        let token = AccessToken(
            grant: id, account: account ?? grant.account, scopes: scopes ?? grant.scopes, issuedAt: now,
            expiresAt: settings.accessSeconds.map { now + Milliseconds($0) * 1000 }, retires: replacing)
        accessTokens[access] = token
        grant.accessCount += 1
        var refresh: String?
        if withRefresh {
            grant.generation += 1
            let text = Self.secret("mock_rt_")
            refreshTokens[text] = RefreshToken(
                grant: id, generation: grant.generation, expiresAt: settings.refreshSeconds.map { now + Milliseconds($0) * 1000 })
            refresh = text
            if let replacing, refreshTokens[replacing]?.spentAt == nil { refreshTokens[replacing]?.spentAt = now }
            predecessors[text] = replacing
        }
        grants[id] = grant
        return IssuedTokens(grant: grant, access: access, token: token, refresh: refresh)
    }

    /// Judges a refresh token that `client` presents; reuse of a spent one revokes its grant.
    mutating func present(_ text: String, client: String, settings: OAuthSettings, now: Milliseconds) throws(OAuthFailure) -> RefreshToken {
        guard let token = refreshTokens[text], let grant = grants[token.grant], grant.client == client else {
            throw .invalidGrant("refresh token is unknown")
        }
        if let revocation = grant.revocation { throw .invalidGrant("Token has been expired or revoked (\(revocation.reason))") }
        if let expiry = token.expiresAt, expiry <= now { throw .invalidGrant("Token has been expired or revoked (expired)") }
        if let spentAt = token.spentAt {
            let isGraced =
                switch settings.grace {
                case .off: false
                case .seconds(let seconds): now - spentAt <= Milliseconds(seconds) * 1000
                case .untilUsed: !token.isRetired
                }
            guard isGraced else {
                revoke(grant.id, reason: "refresh_reuse", generation: token.generation, now: now)
                throw .invalidGrant("refresh token was used before; the grant is revoked")
            }
        }
        // Whoever has the successor has no need of what came before it.
        if let predecessor = predecessors[text] { refreshTokens[predecessor]?.isRetired = true }
        return token
    }

    /// What `text` is worth now. Using it ends the grace of the refresh token it came by.
    mutating func use(_ text: String, now: Milliseconds) -> AccessState {
        guard let token = accessTokens[text], let grant = grants[token.grant] else { return .unknown }
        if token.isRevoked || grant.revocation != nil { return .revoked }
        if let expiry = token.expiresAt, expiry <= now { return .expired }
        if let retires = token.retires { refreshTokens[retires]?.isRetired = true }
        return .valid(token, grant)
    }

    // MARK: Revocation

    /// Ends a grant; the first reason stays.
    mutating func revoke(_ id: String, reason: String, generation: Int? = nil, now: Milliseconds) {
        guard let grant = grants[id], grant.revocation == nil else { return }
        grants[id]?.revocation = Grant.Revocation(reason: reason, at: now, generation: generation)
    }

    /// RFC 7009: a refresh token ends its grant, an access token only itself, and only for the client it was issued to.
    /// - Returns: whether the token was known.
    mutating func revoke(token text: String, client: String, now: Milliseconds) -> Bool {
        if let token = refreshTokens[text], grants[token.grant]?.client == client {
            revoke(token.grant, reason: "client_revoked", now: now)
            return true
        }
        guard let token = accessTokens[text], grants[token.grant]?.client == client else { return false }
        accessTokens[text]?.isRevoked = true
        return true
    }

    /// Access tokens, of one grant or all, expire now. - Returns: how many.
    mutating func expireAccess(grant: String?, now: Milliseconds) -> Int {
        var count = 0
        for (text, token) in accessTokens
        where (grant == nil || token.grant == grant) && !token.isRevoked && token.expiresAt.map({ $0 > now }) ?? true {
            accessTokens[text]?.expiresAt = now
            count += 1
        }
        return count
    }

    private var predecessors: [String: String] = [:]

    /// 32 random bytes as text, so that no two runs share a token.
    private static func secret(_ prefix: String) -> String {
        var random = SystemRandomNumberGenerator()
        return prefix + (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }.hexText
    }
}
