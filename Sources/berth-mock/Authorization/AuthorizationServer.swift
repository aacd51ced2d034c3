// The OAuth 2.0 authorization server and the API it protects: the state they share. Endpoints are in this type's other files. What a
// fault does to a connection is the endpoint's business, what it does to a token is decided here.

/// The played authorization server. All state is in memory.
actor AuthorizationServer {
    var settings: OAuthSettings
    var book = GrantBook()
    var ledger = TokenLedger()
    var usedAssertions: Set<String> = []
    var lastMints: [String: Milliseconds] = [:]
    var resources = ProtectedResources()
    let clock: @Sendable () -> Milliseconds

    init(settings: OAuthSettings, clock: @escaping @Sendable () -> Milliseconds) {
        self.settings = settings
        self.clock = clock
    }

    /// Which requests are the authorization server's own; faults of the API don't strike these.
    static func isAuthorizationPath(_ path: String) -> Bool { path.hasPrefix("/oauth/") || path.hasPrefix("/.well-known/") }

    /// Which requests go to the protected API.
    static func isResourcePath(_ path: String) -> Bool {
        let words = path.split(separator: "/", maxSplits: 2)
        return words.count > 1 && words[0] == "api" && ["me", "items", "cached", "limited"].contains(words[1])
    }

    /// The server's time, skew included.
    var now: Milliseconds { clock() + Milliseconds(settings.clockSkewSeconds) * 1000 }

    /// Answers `/oauth/authorize`, `/oauth/revoke` and the metadata.
    func answer(_ request: APIRequest) -> Reply {
        switch (request.method, request.path) {
        case ("GET", "/oauth/authorize"), ("POST", "/oauth/authorize"): return authorize(request)
        case ("POST", "/oauth/revoke"): return revoke(request)
        case ("GET", "/.well-known/oauth-authorization-server"): return metadata(request)
        case (_, "/oauth/authorize"), (_, "/oauth/revoke"): return .empty(405)
        default: return .json(404) { $0.object { $0.put("error", "berth-mock: no route \(request.method) \(request.path)") } }
        }
    }

    private func metadata(_ request: APIRequest) -> Reply {
        let issuer = Self.issuer(request)
        return .json { json in
            json.object { json in
                json.put("issuer", issuer)
                json.put("authorization_endpoint", issuer + "/oauth/authorize")
                json.put("token_endpoint", issuer + "/oauth/token")
                json.put("revocation_endpoint", issuer + "/oauth/revoke")
                json.array("response_types_supported", texts: ["code"])
                json.array("grant_types_supported", texts: GrantType.allCases.map(\.rawValue))
                json.array("token_endpoint_auth_methods_supported", texts: ["client_secret_basic", "client_secret_post", "none"])
                json.array("code_challenge_methods_supported", texts: ["S256"])
                json.put("authorization_response_iss_parameter_supported", true)
            }
        }
    }

    /// `http://host:port`, as the client knows it.
    static func issuer(_ request: APIRequest) -> String { "http://\(request.host)" }
}

/// What the token endpoint takes.
enum GrantType: String, Sendable, CaseIterable {
    case authorizationCode = "authorization_code"
    case refreshToken = "refresh_token"
    case clientCredentials = "client_credentials"
    case password
    case jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
}
