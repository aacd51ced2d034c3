// Every request to a provider passes here: credentials are added, limits kept, secrets masked.

public import BerthModel

/// Sends requests on behalf of a connection.
public protocol Outbound: Sendable {
    /// Sends, repeating what is safe to repeat, and answers once. Cancelling the task ends the exchange.
    /// An answer of any HTTP status is a success here; a failure means that no answer was had.
    func send(_ request: ProviderRequest, for target: OutboundTarget) async -> Result<ProviderResponse, AttemptFailure>
    /// Forgets what is cached of a connection (credentials, kept answers) after it changed.
    func forget(_ connection: ConnectionID) async
    /// Forgets kept answers of a connection, of all paths or of those beginning with `prefix`; how many there were.
    func forgetAnswers(of connection: ConnectionID, prefix: String?) async -> Int
}

extension Outbound {
    /// For implementations that keep none.
    public func forgetAnswers(of connection: ConnectionID, prefix: String?) async -> Int { 0 }
}

/// What of a connection and its plugin a request needs.
public struct OutboundTarget: Sendable {
    /// Whose request.
    public var connection: ConnectionID
    /// For logs and metrics.
    public var provider: ProviderName
    /// The address relative URLs go below, without trailing slash; its host is always allowed.
    public var baseURL: String
    /// Hosts, limits, timeouts.
    public var http: PluginManifest.HTTP
    /// How to authenticate; nil: no credential.
    public var credential: CredentialSpec?

    /// A target.
    public init(
        connection: ConnectionID, provider: ProviderName, baseURL: String, http: PluginManifest.HTTP, credential: CredentialSpec?
    ) {
        self.connection = connection
        self.provider = provider
        self.baseURL = baseURL
        self.http = http
        self.credential = credential
    }
}

/// One request as the plugin asked for it.
public struct ProviderRequest: Sendable {
    /// `GET`...
    public var method: String
    /// `/path?query` below the base URL, or absolute on an allowed host.
    public var url: String
    /// In order.
    public var headers: [(name: String, value: String)]
    /// May be empty.
    public var body: [UInt8]
    /// For the whole exchange, retries included; nil: the manifest's.
    public var timeout: Duration?
    /// Names a limit class of the manifest.
    public var requestClass: String?
    /// Safe to repeat though the method is not.
    public var isIdempotent: Bool
    /// Adds the connection's credential.
    public var isAuthenticated: Bool

    /// A request.
    public init(
        method: String, url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [], timeout: Duration? = nil,
        requestClass: String? = nil, isIdempotent: Bool = false, isAuthenticated: Bool = true
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.requestClass = requestClass
        self.isIdempotent = isIdempotent
        self.isAuthenticated = isAuthenticated
    }
}

/// The provider's answer.
public struct ProviderResponse: Sendable {
    /// 100...599
    public var status: Int
    /// Names in lower case, in order. Values that echo a credential are masked.
    public var headers: [(name: String, value: String)]
    /// Decompressed. Where it repeats the credential (``SecretSearch``) there are asterisks, and a header `berth-masked` says so.
    public var body: [UInt8]

    /// An answer.
    public init(status: Int, headers: [(name: String, value: String)], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
