// A connection in answers; never a secret but the ones made for a webhook, once.

public import BerthModel

/// A connection.
public struct ConnectionView: Codable, Sendable {
    /// `con_...`
    public var id: String
    /// Provider.
    public var provider: String
    /// Workspace.
    public var workspace: String
    /// Name.
    public var name: String
    /// `active`, `paused`, `error`, `disconnected`.
    public var status: String
    /// Override of the provider's address.
    public var base_url: String?
    /// Kind only; secrets are never shown.
    public var credentials: JSONValue
    /// Without secrets.
    public var settings: [String: JSONValue]
    /// Rules and URL; null when the provider sends none.
    public var webhook: WebhookView?
    /// Schedule, last run, next run by stream.
    public var streams: [String: JSONValue]
    /// Failed runs in a row.
    public var failures: Int
    /// Why the last run failed.
    public var last_error: String?
    /// When a run last succeeded.
    public var last_sync_at: Timestamp?
    /// When it was made.
    public var created_at: Timestamp
    /// When it was last changed.
    public var updated_at: Timestamp
    /// The circuit of its requests; only of a single connection whose plugin is loaded.
    public var circuit: CircuitPart?
    /// Limits of its requests, the provider's shared ones last; as `circuit`.
    public var limits: [LimitPart]?
    /// Seconds for which the provider asked to wait, by request class (empty: all).
    public var pauses: [String: Double]?
    /// Where its requests may go and by which way; only of a single connection.
    public var egress: EgressPart?
    /// When its oldest secret was set, tokens that are renewed left out; null: it has none.
    public var credentials_set_at: Timestamp?
    /// Whole days since then.
    public var credentials_age_days: Int?
    /// Whether it is time for new ones.
    public var rotation_due: Bool

    /// The egress policy of its workspace.
    public struct EgressPart: Codable, Sendable {
        /// Where it is set.
        public var set_in: String
        /// Only these; null: what manifest and base_url allow.
        public var allowed_hosts: [String]?
        /// None of these.
        public var denied_hosts: [String]
        /// Private networks that may be reached.
        public var private_networks: [String]
        /// Scheme, host and port; null: none.
        public var proxy: String?
        /// Whether the proxy is given credentials.
        public var proxy_has_credentials: Bool
        /// PEM file in place of the system's authorities.
        public var ca_file: String?
        /// A policy.
        public init(
            set_in: String, allowed_hosts: [String]?, denied_hosts: [String], private_networks: [String], proxy: String?,
            proxy_has_credentials: Bool,
            ca_file: String?
        ) {
            self.set_in = set_in
            self.allowed_hosts = allowed_hosts
            self.denied_hosts = denied_hosts
            self.private_networks = private_networks
            self.proxy = proxy
            self.proxy_has_credentials = proxy_has_credentials
            self.ca_file = ca_file
        }
    }

    /// Whether requests are sent.
    public struct CircuitPart: Codable, Sendable {
        /// `closed`, `open`, `half_open`.
        public var state: String
        /// Failures in a row.
        public var failures: Int
        /// Until a request is let through.
        public var retry_after_seconds: Double?
        /// What the last failure was.
        public var last_failure: String?
        /// A circuit.
        public init(state: String, failures: Int, retry_after_seconds: Double?, last_failure: String?) {
            self.state = state
            self.failures = failures
            self.retry_after_seconds = retry_after_seconds
            self.last_failure = last_failure
        }
    }

    /// How much of a limit is used.
    public struct LimitPart: Codable, Sendable {
        /// How many requests.
        public var requests: Int
        /// In any so many seconds.
        public var window_seconds: Int
        /// Only of this class.
        public var request_class: String?
        /// `connection`, or `provider`: shared by all its connections.
        public var scope: String
        /// Requests that count now.
        public var used: Int
        /// Until one more may go.
        public var retry_after_seconds: Double?
        /// A limit.
        public init(requests: Int, window_seconds: Int, request_class: String?, scope: String, used: Int, retry_after_seconds: Double?) {
            self.requests = requests
            self.window_seconds = window_seconds
            self.request_class = request_class
            self.scope = scope
            self.used = used
            self.retry_after_seconds = retry_after_seconds
        }
    }

    /// Webhook part.
    public struct WebhookView: Codable, Sendable {
        /// What the provider is told; holds the token only in the answer that made it.
        public var url: String
        /// The scheme.
        public var scheme: String
        /// Header of the signature, for `hmac`.
        public var header: String?
        /// Algorithm, for `hmac`.
        public var algorithm: String?
        /// Encoding, for `hmac`.
        public var encoding: String?
        /// Prefix, for `hmac`.
        public var prefix: String?
        /// Allowed addresses.
        public var allow_ips: [String]
        /// Generated token, shown this once.
        public var token: String?
        /// Generated secret, shown this once.
        public var secret: String?
        /// When the token or secret was set.
        public var secret_set_at: Timestamp?

        /// A view.
        public init(
            url: String, scheme: String, header: String? = nil, algorithm: String? = nil, encoding: String? = nil, prefix: String? = nil,
            allow_ips: [String], token: String? = nil, secret: String? = nil, secret_set_at: Timestamp? = nil
        ) {
            self.url = url
            self.scheme = scheme
            self.header = header
            self.algorithm = algorithm
            self.encoding = encoding
            self.prefix = prefix
            self.allow_ips = allow_ips
            self.token = token
            self.secret = secret
            self.secret_set_at = secret_set_at
        }
    }

    /// A view.
    public init(
        id: String, provider: String, workspace: String, name: String, status: String, base_url: String?, credentials: JSONValue,
        settings: [String: JSONValue], webhook: WebhookView?, streams: [String: JSONValue], failures: Int, last_error: String?,
        last_sync_at: Timestamp?, created_at: Timestamp, updated_at: Timestamp,
        credentials_set_at: Timestamp? = nil, credentials_age_days: Int? = nil, rotation_due: Bool = false
    ) {
        self.id = id
        self.provider = provider
        self.workspace = workspace
        self.name = name
        self.status = status
        self.base_url = base_url
        self.credentials = credentials
        self.settings = settings
        self.webhook = webhook
        self.streams = streams
        self.failures = failures
        self.last_error = last_error
        self.last_sync_at = last_sync_at
        self.created_at = created_at
        self.updated_at = updated_at
        self.credentials_set_at = credentials_set_at
        self.credentials_age_days = credentials_age_days
        self.rotation_due = rotation_due
    }
}
