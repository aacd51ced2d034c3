// How a provider gives tokens: addresses, client authentication and quirks of its OAuth 2.0, declared in the manifest so
// that no plugin runs the protocol itself.

/// The OAuth part of a credential kind. Addresses may hold `{setting}` and may begin with `/`, which means below the
/// base URL; in an ``OutboundTarget`` both are filled in.
public struct OAuthSpec: Sendable, Hashable {
    /// How the client proves who it is at the token endpoint (RFC 6749, 2.3).
    public enum ClientAuthentication: String, Sendable, Codable, Hashable, CaseIterable {
        /// `client_id` and `client_secret` in the body.
        case body
        /// HTTP Basic, both form-encoded first.
        case basic
        /// A public client: only `client_id`, with PKCE.
        case none
    }
    /// What ends at the provider with a refresh token that is given back.
    public enum RevocationReach: String, Sendable, Codable, Hashable, CaseIterable {
        /// All that the user ever granted the application, newer tokens too.
        case authorization
        /// That token and what was made of it.
        case token
    }
    /// Form of token requests.
    public enum RequestFormat: String, Sendable, Codable, Hashable, CaseIterable { case form, json }

    /// Where a person consents; only for the authorization code grant.
    public var authorizeURL: String?
    /// Where tokens are given.
    public var tokenURL: String
    /// Where they are given back (RFC 7009); nil when the provider has none.
    public var revokeURL: String?
    /// Tokens that others took the place of are given back only where that ends nothing else.
    public var revocationReach = RevocationReach.authorization
    /// Asked for, in order.
    public var scopes: [String] = []
    /// Between scopes; a blank by the standard.
    public var scopeSeparator = " "
    /// See ``ClientAuthentication``.
    public var clientAuthentication = ClientAuthentication.body
    /// See ``RequestFormat``.
    public var requestFormat = RequestFormat.form
    /// PKCE with S256 (RFC 7636).
    public var usesPKCE = true
    /// Further query parameters of the consent page.
    public var authorizeParameters: [String: String] = [:]
    /// Further members of every token request.
    public var tokenParameters: [String: String] = [:]
    /// A token is renewed this long before it expires.
    public var refreshBeforeSeconds: Int64 = 300
    /// Lifetime of a token whose reply names none; nil: until the provider refuses it.
    public var lifetimeSeconds: Int64?
    /// JSON pointer into the token reply: who the token is for; nil: what the plugin's check says. Tokens for somebody else are refused.
    public var accountPointer: String?
    /// `aud` of a JWT assertion; nil: the token URL.
    public var audience: String?
    /// `RS256` or `ES256`, of a JWT assertion.
    public var algorithm = "RS256"
    /// Set when the addresses are the operator's own and not the manifest's: they may then be private ones.
    public var isOwnAddress = false

    /// The addresses, the rest by default.
    public init(authorizeURL: String? = nil, tokenURL: String, revokeURL: String? = nil) {
        self.authorizeURL = authorizeURL
        self.tokenURL = tokenURL
        self.revokeURL = revokeURL
    }
}
