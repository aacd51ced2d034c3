// How the authorization server behaves: every knob in one value, set by name from the command line and at run time alike.
// It knows no grants and no requests.

/// What a reply to a refresh says about the refresh token.
enum RefreshReply: String, Sendable {
    /// A new one; the presented one is spent.
    case rotate
    /// The presented one again; it stays valid.
    case same
    /// Nothing; the presented one stays valid.
    case none
}

/// How long a spent refresh token is still taken after its successor was issued.
enum RefreshGrace: Sendable, Equatable {
    /// Not at all: presenting it again revokes the grant.
    case off
    case seconds(Int)
    /// Until the successor's access token, or the successor itself, is used.
    case untilUsed

    /// `off`, `until-used`, or a number of seconds.
    var text: String {
        switch self {
        case .off: "off"
        case .seconds(let seconds): String(seconds)
        case .untilUsed: "until-used"
        }
    }
}

/// How a client may prove who it is at the token endpoint.
enum ClientAuthentication: String, Sendable { case any, basic, body }

/// Which form of a token request is read.
enum TokenRequestForm: String, Sendable { case any, form, json }

/// A registered client; without a secret it is public.
struct OAuthClient: Sendable {
    var id: String
    var secret: String?
}

/// How a limited resource tells of its limit.
enum LimitStyle: String, Sendable, CaseIterable {
    /// `X-RateLimit-Limit`, `-Remaining`, `-Reset` (seconds since 1970) on every answer; 429.
    case xRateLimit = "x-ratelimit"
    /// The same with `-Reset` as seconds from now.
    case xRateLimitDelta = "x-ratelimit-delta"
    /// `RateLimit-Policy` and `RateLimit` structured fields on every answer; 429.
    case rateLimit = "ratelimit"
    /// Nothing until 429 with `Retry-After` in seconds.
    case retryAfter = "retry-after"
    /// Nothing until 429 with `Retry-After` as a date.
    case retryAfterDate = "retry-after-date"
    /// 200 with `"isRateLimited": true` in the body.
    case body
    /// A bare 429.
    case bare
}

/// Every knob.
struct OAuthSettings: Sendable {
    var clients = [OAuthClient(id: "mock-client", secret: "mock-client-secret"), OAuthClient(id: "mock-public", secret: nil)]
    /// Beside any loopback address, which is always taken.
    var redirects: [String] = []
    var isPKCERequired = true
    /// nil: any scope may be asked for.
    var scopes: [String]?
    var defaultScope = "read write"
    /// Who consents.
    var account = "acct-1"
    var isConsentDenied = false
    var codeSeconds = 600
    /// nil: access tokens never expire, and the reply has no `expires_in`.
    var accessSeconds: Int? = 3600
    /// nil: never.
    var refreshSeconds: Int?
    /// Whether replies have `expires_in`.
    var tellsExpiry = true
    /// Whether codes and passwords give a refresh token at all.
    var issuesRefresh = true
    var refreshReply = RefreshReply.rotate
    var grace = RefreshGrace.off
    /// Seconds between two tokens for one client and account; sooner is answered with 429. 0: no such rule.
    var mintSeconds = 0
    /// How far the server's clock is ahead of the real one.
    var clockSkewSeconds = 0
    var clientAuthentication = ClientAuthentication.any
    var tokenForm = TokenRequestForm.any
    var user = (name: "mock-user", password: "mock-password")
    var assertionKeys: [AssertionKey] = []
    /// nil: the token endpoint's URL or the issuer.
    var assertionAudience: String?
    /// Members of every token reply, as JSON text of an object; they replace the server's own, and null leaves one out.
    var extra: String?
    var itemCount = 95
    var limit = (requests: 100, seconds: 60)
    var limitStyle = LimitStyle.xRateLimit
    var isLimitSliding = false
    var isLimitPerToken = false

    /// One line per knob for `--help`.
    static let explanation = """
        clients=ID:SECRET,ID  (without a secret: public)      redirects=URI,URI (any loopback is taken beside)
        pkce=true|false       scopes=a b (empty: any)         default_scope=a b        account=ID     deny=true|false
        code_seconds=N        access_seconds=N|never          refresh_seconds=N|never  expires_in=true|false
        issues_refresh=true|false   refresh_reply=rotate|same|none   grace=off|N|until-used
        mint_seconds=N        clock_skew_seconds=N            client_auth=any|basic|body   token_body=any|form|json
        user=NAME:PASSWORD    jwt_key=FILE or PEM             jwt_audience=TEXT        extra={"instance_url":"..."}
        items=N               limit=N/SECONDS                 limit_style=x-ratelimit|x-ratelimit-delta|ratelimit|
        retry-after|retry-after-date|body|bare                limit_window=fixed|sliding   limit_per=provider|token
        """

    /// Sets one knob. - Throws: ``MockProblem`` naming it and what it takes.
    mutating func set(_ name: String, _ value: String) throws(MockProblem) {
        switch name {
        case "clients": clients = Self.clients(value)
        case "redirects": redirects = value.split(separator: ",").map(String.init)
        case "pkce": isPKCERequired = try Self.flag(name, value)
        case "scopes": scopes = value.isEmpty ? nil : value.split(separator: " ").map(String.init)
        case "default_scope": defaultScope = value
        case "account": account = value
        case "deny": isConsentDenied = try Self.flag(name, value)
        case "code_seconds": codeSeconds = try Self.number(name, value)
        case "access_seconds": accessSeconds = value == "never" ? nil : try Self.number(name, value)
        case "refresh_seconds": refreshSeconds = value == "never" ? nil : try Self.number(name, value)
        case "expires_in": tellsExpiry = try Self.flag(name, value)
        case "issues_refresh": issuesRefresh = try Self.flag(name, value)
        case "refresh_reply": refreshReply = try Self.word(name, RefreshReply(rawValue: value))
        case "grace": grace = value == "off" ? .off : value == "until-used" ? .untilUsed : .seconds(try Self.number(name, value))
        case "mint_seconds": mintSeconds = try Self.number(name, value)
        case "clock_skew_seconds": clockSkewSeconds = try Self.word(name, Int(value))
        case "client_auth": clientAuthentication = try Self.word(name, ClientAuthentication(rawValue: value))
        case "token_body": tokenForm = try Self.word(name, TokenRequestForm(rawValue: value))
        case "user":
            let parts = value.split(separator: ":", maxSplits: 1).map(String.init)
            user = try Self.word(name, parts.count == 2 ? (parts[0], parts[1]) : nil)
        case "jwt_key": assertionKeys.append(try AssertionKey(pemOrPath: value))
        case "jwt_audience": assertionAudience = value.isEmpty ? nil : value
        case "extra":
            extra =
                value.isEmpty
                ? nil
                : try Self.word(name, JSONDocument(parsing: Array(value.utf8)).flatMap { if case .object = $0 { value } else { nil } })
        case "items": itemCount = try Self.number(name, value)
        case "limit":
            let parts = value.split(separator: "/").map { Int($0) ?? 0 }
            limit = try Self.word(name, parts.count == 2 && parts.allSatisfy { $0 > 0 } ? (parts[0], parts[1]) : nil)
        case "limit_style": limitStyle = try Self.word(name, LimitStyle(rawValue: value))
        case "limit_window": isLimitSliding = try Self.word(name, ["fixed": false, "sliding": true][value])
        case "limit_per": isLimitPerToken = try Self.word(name, ["provider": false, "token": true][value])
        default: throw MockProblem("no OAuth setting '\(name)'; known are:\n\(Self.explanation)")
        }
    }

    /// The client of this id.
    func client(_ id: String) -> OAuthClient? { clients.first { $0.id == id } }

    /// Writes the knobs by the names ``set(_:_:)`` takes, as members of the object being written.
    func write(to json: inout JSONText) {
        json.put("clients", clients.map { client in client.secret.map { "\(client.id):\($0)" } ?? client.id }.joined(separator: ","))
        json.put("redirects", redirects.joined(separator: ","))
        json.put("pkce", isPKCERequired)
        json.put("scopes", scopes?.joined(separator: " "))
        json.put("default_scope", defaultScope)
        json.put("account", account)
        json.put("deny", isConsentDenied)
        json.put("code_seconds", codeSeconds)
        json.put("access_seconds", accessSeconds.map(String.init) ?? "never")
        json.put("refresh_seconds", refreshSeconds.map(String.init) ?? "never")
        json.put("expires_in", tellsExpiry)
        json.put("issues_refresh", issuesRefresh)
        json.put("refresh_reply", refreshReply.rawValue)
        json.put("grace", grace.text)
        json.put("mint_seconds", mintSeconds)
        json.put("clock_skew_seconds", clockSkewSeconds)
        json.put("client_auth", clientAuthentication.rawValue)
        json.put("token_body", tokenForm.rawValue)
        json.put("user", "\(user.name):\(user.password)")
        json.put("jwt_keys", assertionKeys.count)
        json.put("jwt_audience", assertionAudience)
        json.put("extra", extra)
        json.put("items", itemCount)
        json.put("limit", "\(limit.requests)/\(limit.seconds)")
        json.put("limit_style", limitStyle.rawValue)
        json.put("limit_window", isLimitSliding ? "sliding" : "fixed")
        json.put("limit_per", isLimitPerToken ? "token" : "provider")
    }

    private static func clients(_ text: String) -> [OAuthClient] {
        text.split(separator: ",").map { item in
            let parts = item.split(separator: ":", maxSplits: 1).map(String.init)
            return OAuthClient(id: parts.first ?? "", secret: parts.count > 1 ? parts[1] : nil)
        }
    }

    private static func flag(_ name: String, _ value: String) throws(MockProblem) -> Bool {
        try word(name, ["true": true, "1": true, "yes": true, "false": false, "0": false, "no": false][value])
    }

    private static func number(_ name: String, _ value: String) throws(MockProblem) -> Int {
        try word(name, Int(value).flatMap { $0 >= 0 ? $0 : nil })
    }

    private static func word<Value>(_ name: String, _ value: Value?) throws(MockProblem) -> Value {
        guard let value else { throw MockProblem("OAuth setting '\(name)' has a value it does not take; known are:\n\(explanation)") }
        return value
    }
}
