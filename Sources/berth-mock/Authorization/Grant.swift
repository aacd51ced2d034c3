// What the authorization server remembers: grants, and the codes and tokens issued by them.

/// One consent. Revoking it ends every token issued by it.
struct Grant: Sendable {
    struct Revocation: Sendable {
        /// `code_replay`, `refresh_reuse`, `client_revoked`, `user_revoked`.
        var reason: String
        var at: Milliseconds
        /// Of the refresh token that was used again.
        var generation: Int?
    }

    /// `g1`, `g2`, ...
    let id: String
    let client: String
    let account: String
    let scopes: [String]
    /// Grant type it began with, or `issued` by the admin route.
    let type: String
    let createdAt: Milliseconds
    var revocation: Revocation?
    /// How many refresh tokens were issued.
    var generation = 0
    /// How many access tokens were issued.
    var accessCount = 0
}

/// An authorization code.
struct AuthorizationCode: Sendable {
    let client: String
    let redirect: String
    /// S256.
    let challenge: String?
    let scopes: [String]
    let account: String
    let expiresAt: Milliseconds
    /// The grant it was exchanged for.
    var grant: String?
    var isSpent = false
}

/// An access token.
struct AccessToken: Sendable {
    let grant: String
    let account: String
    let scopes: [String]
    let issuedAt: Milliseconds
    var expiresAt: Milliseconds?
    var isRevoked = false
    /// The refresh token whose grace ends when this token is used.
    let retires: String?
}

/// A refresh token.
struct RefreshToken: Sendable {
    let grant: String
    /// 1 for the first one of its grant.
    let generation: Int
    let expiresAt: Milliseconds?
    /// When its successor was issued.
    var spentAt: Milliseconds?
    /// Its successor was used: no grace any more.
    var isRetired = false
}

/// What a client was given.
struct IssuedTokens: Sendable {
    let grant: Grant
    let access: String
    let token: AccessToken
    let refresh: String?
}
