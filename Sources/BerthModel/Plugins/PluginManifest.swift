// What a plugin says of itself in plugin.toml, as values. Read and checked by BerthPlugins; used by everybody.

/// A plugin's manifest, checked. See docs/manifest.md for the file's form.
public struct PluginManifest: Sendable, Hashable {
    /// Provider id; also the bundle folder's name.
    public var id: ProviderName
    /// Shown to people.
    public var name: String
    /// Semantic version of the plugin.
    public var version: String
    /// Who publishes it.
    public var publisher: String
    /// SPDX expression.
    public var license: String
    /// The ABI version it was built against.
    public var abi: UInt32
    /// File and lower-case hex SHA-256 per platform, such as `linux-x86_64`.
    public var libraries: [String: Library]
    /// How it is run.
    public var runtime: Runtime
    /// Where it may send requests.
    public var http: HTTP
    /// Credential kinds it understands, the first is the default.
    public var credentials: [CredentialSpec]
    /// Settings of a connection, by name.
    public var settings: [String: SettingSpec]
    /// How deliveries are received; nil when the provider sends none.
    public var webhook: WebhookSpec?
    /// What can be read or written.
    public var streams: [StreamSpec]
    /// Operations on demand.
    public var actions: [ActionSpec]
    /// Entities of its own, beside the built-in ones.
    public var entities: [EntityDefinition]
    /// Format of its checkpoints.
    public var stateSchema: UInt32

    /// The stream of that name.
    public func stream(_ name: StreamName) -> StreamSpec? { streams.first { $0.name == name } }

    /// One platform's library.
    public struct Library: Sendable, Hashable {
        /// File name inside the bundle.
        public var file: String
        /// Lower-case hex SHA-256 of the file; empty while the author is still building it.
        public var sha256: String
        /// A library.
        public init(file: String, sha256: String) {
            self.file = file
            self.sha256 = sha256
        }
    }

    /// How the host runs it.
    public struct Runtime: Sendable, Hashable {
        /// `worker` or `in-process`; nil leaves it to the daemon's configuration.
        public var isolation: Isolation?
        /// Operations at once per instance.
        public var maxConcurrency: Int = 1
        /// Address-space budget of its worker.
        public var memoryMiB: Int = 256
        /// Events per call.
        public var eventBatch: Int = 64
        /// Deadline of one event batch, in seconds.
        public var eventDeadlineSeconds: Int = 10
        /// Longest time between two checkpoints of a read, in seconds.
        public var pageDeadlineSeconds: Int = 60
        /// Deadline of an action or credential check, in seconds.
        public var actionDeadlineSeconds: Int = 30
        /// All defaults.
        public init() {}
    }

    /// Where requests may go.
    public struct HTTP: Sendable, Hashable {
        /// The provider's address, without trailing slash; `{setting}` is replaced from the connection's settings.
        public var baseURL: String?
        /// Host names requests may reach; `*.` prefix allows subdomains. The connection's base_url is always allowed.
        public var allowedHosts: [String] = []
        /// Limits that requests keep to, by connection or for all connections of the provider together.
        public var rateLimits: [RateLimit] = []
        /// Answers that say "too many requests" in the provider's own way; the first that fits counts.
        public var throttles: [ThrottleSpec] = []
        /// Requests at once per connection.
        public var maxConcurrent: Int = 4
        /// Default timeout of one exchange.
        public var timeoutSeconds: Int = 30
        /// Which answers are kept; nil: none.
        public var cache: Cache?
        /// Nothing allowed.
        public init() {}

        /// Whether a limit or the cache names this request class. A plugin may send any other name with a request.
        public func declares(_ requestClass: String) -> Bool {
            rateLimits.contains { $0.requestClass == requestClass } || cache?.secondsByClass[requestClass] != nil
        }
    }

    /// Answers of these request classes are kept and given again without a request.
    public struct Cache: Sendable, Hashable {
        /// How long an answer is fresh, by request class, unless the provider says a shorter time.
        public var secondsByClass: [String: Int]
        /// What one connection's answers may take, in MiB; the least recently used go first.
        public var maxMiB: Int
        /// Lifetimes and a bound.
        public init(secondsByClass: [String: Int], maxMiB: Int = 16) {
            self.secondsByClass = secondsByClass
            self.maxMiB = maxMiB
        }
    }

    /// At most `requests` in any window.
    public struct RateLimit: Sendable, Hashable {
        /// How many.
        public var requests: Int
        /// Window length in seconds, 1 to 604800.
        public var windowSeconds: Int
        /// Request class it holds for; nil for all.
        public var requestClass: String?
        /// Who shares it.
        public var scope: Scope

        /// Who shares a limit.
        public enum Scope: String, Sendable, Hashable, CaseIterable {
            /// Each connection has one of its own.
            case connection
            /// All connections of the provider in this daemon together.
            case provider
        }

        /// A limit.
        public init(requests: Int, windowSeconds: Int, requestClass: String? = nil, scope: Scope = .connection) {
            self.requests = requests
            self.windowSeconds = windowSeconds
            self.requestClass = requestClass
            self.scope = scope
        }
    }

    /// All parts.
    public init(
        id: ProviderName, name: String, version: String, publisher: String, license: String, abi: UInt32,
        libraries: [String: Library], runtime: Runtime, http: HTTP, credentials: [CredentialSpec],
        settings: [String: SettingSpec], webhook: WebhookSpec?, streams: [StreamSpec], actions: [ActionSpec],
        entities: [EntityDefinition], stateSchema: UInt32
    ) {
        self.id = id
        self.name = name
        self.version = version
        self.publisher = publisher
        self.license = license
        self.abi = abi
        self.libraries = libraries
        self.runtime = runtime
        self.http = http
        self.credentials = credentials
        self.settings = settings
        self.webhook = webhook
        self.streams = streams
        self.actions = actions
        self.entities = entities
        self.stateSchema = stateSchema
    }
}

/// Where a plugin's code runs.
public enum Isolation: String, Sendable, Codable, Hashable, CaseIterable {
    /// In a `berth-worker` process of its own. The default.
    case worker
    /// In the daemon, for reviewed plugins.
    case inProcess = "in-process"
}

/// A credential kind and how the daemon puts it into requests.
public struct CredentialSpec: Sendable, Hashable {
    /// What a connection holds of its provider's trust.
    public enum Kind: String, Sendable, Codable, Hashable, CaseIterable {
        /// One or more secret texts, put where the placements say.
        case apiKey = "api_key"
        /// User name and password in every request.
        case basic
        /// OAuth 2.0: a person consents in a browser; renewed by refresh token.
        case authorizationCode = "oauth2_authorization_code"
        /// OAuth 2.0: a refresh token obtained elsewhere.
        case refreshToken = "oauth2_refresh_token"
        /// OAuth 2.0: the client's own id and secret.
        case clientCredentials = "oauth2_client_credentials"
        /// OAuth 2.0: an assertion signed with the client's private key (RFC 7523).
        case jwtBearer = "oauth2_jwt_bearer"
        /// OAuth 2.0: the resource owner's password, where a provider still wants it.
        case password = "oauth2_password"

        /// Whether requests carry a token that is renewed.
        public var isOAuth: Bool { self != .apiKey && self != .basic }
    }
    /// The kind; a connection names it in `credentials.kind`.
    public var kind: Kind
    /// Where each secret field goes. `basic` has none: `username` and `password` make the header.
    public var placements: [Placement]
    /// For the OAuth kinds.
    public var oauth: OAuthSpec?
    /// Age in days at which its secrets are due for new ones, in place of the daemon's; 0: never; nil: the daemon's.
    public var rotationDays: Int?
    /// Of a connection's: which of its addresses and credentials it speaks of (``Connection/accessRevision``). A secret is taken only
    /// for the one in service, or what begins with an old address would carry a new secret there.
    public var accessRevision: UInt64 = 0

    /// One field's place in a request.
    public struct Placement: Sendable, Hashable {
        /// A place.
        public enum Place: Sendable, Hashable {
            /// `Authorization: <scheme> <value>`
            case authorization(scheme: String)
            /// A header of that name.
            case header(String)
            /// A query parameter of that name.
            case query(String)
        }
        /// Field of the connection's credentials, such as `token`.
        public var field: String
        /// Where it goes.
        public var place: Place
        /// A placement.
        public init(field: String, place: Place) {
            self.field = field
            self.place = place
        }
    }

    /// A spec.
    public init(kind: Kind, placements: [Placement], oauth: OAuthSpec? = nil, rotationDays: Int? = nil) {
        self.kind = kind
        self.placements = placements
        self.oauth = oauth
        self.rotationDays = rotationDays
    }

    /// Whether a field's age says that it is time for another. Names are no secrets, and a refresh token lives on in the grant,
    /// where it is renewed.
    public func isRotated(_ field: String) -> Bool {
        !kind.isOAuth || !["client_id", "subject", "username", "refresh_token"].contains(field)
    }

    /// Names of the secret fields a connection must give.
    public var fields: [String] {
        let client = oauth?.clientAuthentication == OAuthSpec.ClientAuthentication.none ? ["client_id"] : ["client_id", "client_secret"]
        return switch kind {
        case .apiKey: placements.map(\.field)
        case .basic: ["username", "password"]
        case .authorizationCode, .clientCredentials: client
        case .refreshToken: client + ["refresh_token"]
        case .jwtBearer: ["client_id", "subject", "private_key"]
        case .password: client + ["username", "password"]
        }
    }
}

/// One setting of a connection.
public struct SettingSpec: Sendable, Hashable {
    /// A setting's type.
    public enum ValueType: String, Sendable, Codable, Hashable { case string, integer, number, boolean }
    /// Its type.
    public var type: ValueType
    /// Refuse a connection without it.
    public var isRequired: Bool
    /// Used when absent.
    public var defaultValue: JSONValue?
    /// What its values keep.
    public var bounds: ValueBounds
    /// Whether it says whose data is read: with another value, streams are read from their beginning again.
    public var identifies: Bool
    /// For people.
    public var help: String
    /// A setting.
    public init(
        type: ValueType, isRequired: Bool = false, defaultValue: JSONValue? = nil, bounds: ValueBounds = .init(), identifies: Bool = false,
        help: String = ""
    ) {
        self.type = type
        self.isRequired = isRequired
        self.defaultValue = defaultValue
        self.bounds = bounds
        self.identifies = identifies
        self.help = help
    }
}

/// One stream.
public struct StreamSpec: Sendable, Hashable {
    /// Its name, as emitted by the plugin.
    public var name: StreamName
    /// The entity its records become.
    public var entity: EntityName
    /// Whether it can be read; a stream may exist only for events.
    public var isReadable: Bool
    /// Whether it can be written.
    public var isWritable: Bool
    /// Whether the plugin can read only what changed.
    public var isIncremental: Bool
    /// Taken off the lower bound of an incremental read.
    public var overlapSeconds: Int64
    /// Schedule text used when the connection gives none; nil: only on demand.
    public var defaultSchedule: String?
    /// Whether records unseen in a full read are deleted.
    public var deletesUnseen: Bool

    /// A stream.
    public init(
        name: StreamName, entity: EntityName, isReadable: Bool = true, isWritable: Bool = false, isIncremental: Bool = false,
        overlapSeconds: Int64 = 0, defaultSchedule: String? = nil, deletesUnseen: Bool = false
    ) {
        self.name = name
        self.entity = entity
        self.isReadable = isReadable
        self.isWritable = isWritable
        self.isIncremental = isIncremental
        self.overlapSeconds = overlapSeconds
        self.defaultSchedule = defaultSchedule
        self.deletesUnseen = deletesUnseen
    }
}

/// One action.
public struct ActionSpec: Sendable, Hashable {
    /// Its name: `provision_number`.
    public var name: String
    /// For people.
    public var help: String
    /// JSON Schema of the input, as JSON text; nil: any object.
    public var inputSchema: String?
    /// An action.
    public init(name: String, help: String, inputSchema: String?) {
        self.name = name
        self.help = help
        self.inputSchema = inputSchema
    }
}
