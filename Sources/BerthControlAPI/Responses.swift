// Bodies of answers.

public import BerthModel

/// `GET /v1/status`
public struct Status: Codable, Sendable {
    /// Of berthd.
    public var version: String
    /// `ok`, `degraded`, `failing`.
    public var health: String
    /// Address of the public listener.
    public var listen: String
    /// When it started.
    public var started_at: Timestamp
    /// Process id.
    public var pid: Int32
    /// Installed plugins by state.
    public var plugins: [String: Int]
    /// Connections by status.
    public var connections: [String: Int]
    /// Events by state; completed ones are not counted.
    public var events: [String: Int]
    /// Runs in hand or waiting.
    public var open_runs: Int
    /// Records by entity.
    public var records: [String: Int]
    /// Circuits that are not closed, by `provider/name`: `open`, `half_open`. `berthctl health` says why and what to do.
    public var circuits: [String: String]

    /// A status.
    public init(
        version: String, health: String, listen: String, started_at: Timestamp, pid: Int32, plugins: [String: Int],
        connections: [String: Int], events: [String: Int], open_runs: Int, records: [String: Int],
        circuits: [String: String]
    ) {
        self.version = version
        self.health = health
        self.listen = listen
        self.started_at = started_at
        self.pid = pid
        self.plugins = plugins
        self.connections = connections
        self.events = events
        self.open_runs = open_runs
        self.records = records
        self.circuits = circuits
    }
}

/// `GET /v1/health`
public struct Health: Codable, Sendable {
    /// `ok`, `degraded`, `failing`: the worst of the parts.
    public var status: String
    /// By name.
    public var parts: [Part]

    /// One part.
    public struct Part: Codable, Sendable {
        /// `store`, `plugin:ringba`, `connection:main`, `queue`.
        public var name: String
        /// `ok`, `degraded`, `failing`.
        public var status: String
        /// What is so.
        public var detail: String
        /// What to do.
        public var hint: String?
        /// A part.
        public init(name: String, status: String, detail: String, hint: String? = nil) {
            self.name = name
            self.status = status
            self.detail = detail
            self.hint = hint
        }
    }

    /// The worst part decides.
    public init(parts: [Part]) {
        self.parts = parts
        status = parts.contains { $0.status == "failing" } ? "failing" : parts.contains { $0.status == "degraded" } ? "degraded" : "ok"
    }
}

/// A list with its next page.
public struct List<Item: Codable & Sendable>: Codable, Sendable {
    /// In order.
    public var items: [Item]
    /// null: the last page.
    public var next: String?
    /// A page.
    public init(items: [Item], next: String? = nil) {
        self.items = items
        self.next = next
    }

    private enum CodingKeys: String, CodingKey { case items, next }
    /// Encodes `next` even when it is null.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(items, forKey: .items)
        try container.encode(next, forKey: .next)
    }
}

/// A plugin.
public struct PluginView: Codable, Sendable {
    /// Provider id.
    public var id: String
    /// For people.
    public var name: String
    /// Of the plugin.
    public var version: String
    /// Who publishes it.
    public var publisher: String
    /// `loading`, `ready`, `restarting`, `quarantined`, `refused`.
    public var state: String
    /// Why it is not ready.
    public var problem: Problem?
    /// `worker` or `in-process`.
    public var isolation: String
    /// Loads since start.
    public var generation: Int
    /// SHA-256 of the loaded library.
    public var digest: String
    /// Bundle folder.
    public var path: String
    /// Worker restarts since start.
    public var restarts: Int
    /// Worker process ids.
    public var workers: [Int32]
    /// Settings by name: type, required, help.
    public var settings: [String: JSONValue]
    /// Kinds with their fields.
    public var credentials: [JSONValue]
    /// Streams.
    public var streams: [JSONValue]
    /// Actions.
    public var actions: [JSONValue]
    /// Schemes and methods; null when it sends none.
    public var webhook: JSONValue

    /// A view.
    public init(
        id: String, name: String, version: String, publisher: String, state: String, problem: Problem?, isolation: String, generation: Int,
        digest: String, path: String, restarts: Int, workers: [Int32], settings: [String: JSONValue], credentials: [JSONValue],
        streams: [JSONValue], actions: [JSONValue], webhook: JSONValue
    ) {
        self.id = id
        self.name = name
        self.version = version
        self.publisher = publisher
        self.state = state
        self.problem = problem
        self.isolation = isolation
        self.generation = generation
        self.digest = digest
        self.path = path
        self.restarts = restarts
        self.workers = workers
        self.settings = settings
        self.credentials = credentials
        self.streams = streams
        self.actions = actions
        self.webhook = webhook
    }
}

/// An error inside an answer, and the body of error answers (RFC 9457).
public struct Problem: Codable, Sendable {
    /// `about:blank`
    public var type: String?
    /// The HTTP phrase.
    public var title: String?
    /// The HTTP status.
    public var status: Int?
    /// What happened.
    public var detail: String
    /// Stable cause.
    public var code: String
    /// What to do.
    public var hint: String?

    /// Of an error; with a status it is a whole body.
    public init(_ error: BerthError, status: Int? = nil, title: String? = nil) {
        type = status == nil ? nil : "about:blank"
        self.title = title
        self.status = status
        detail = error.message
        code = error.code.rawValue
        hint = error.hint
    }
}

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

        /// A view.
        public init(
            url: String, scheme: String, header: String? = nil, algorithm: String? = nil, encoding: String? = nil, prefix: String? = nil,
            allow_ips: [String], token: String? = nil, secret: String? = nil
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
        }
    }

    /// A view.
    public init(
        id: String, provider: String, workspace: String, name: String, status: String, base_url: String?, credentials: JSONValue,
        settings: [String: JSONValue], webhook: WebhookView?, streams: [String: JSONValue], failures: Int, last_error: String?,
        last_sync_at: Timestamp?, created_at: Timestamp, updated_at: Timestamp
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
    }
}

/// `POST .../check`
public struct CheckResult: Codable, Sendable {
    /// Whether the provider accepts the credential.
    public var ok: Bool
    /// What the provider says of the account.
    public var account: JSONValue
    /// Why not.
    public var failure: AttemptFailure?
    /// A result.
    public init(ok: Bool, account: JSONValue, failure: AttemptFailure?) {
        self.ok = ok
        self.account = account
        self.failure = failure
    }
}

/// `POST .../actions/{action}`
public struct ActionResult: Codable, Sendable {
    /// The plugin's answer.
    public var output: JSONValue
    /// Records it brought.
    public var records: Int
    /// A result.
    public init(output: JSONValue, records: Int) {
        self.output = output
        self.records = records
    }
}

/// A sync run.
public struct RunView: Codable, Sendable {
    /// `run_...`
    public var id: String
    /// Connection id.
    public var connection: String
    /// Provider.
    public var provider: String
    /// Stream.
    public var stream: String
    /// `full`, `incremental`, `range`.
    public var mode: String
    /// `schedule`, `manual`, `catch_up`.
    public var trigger: String
    /// `queued`, `running`, `success`, `partial`, `failed`, `cancelled`.
    public var status: String
    /// `inbound`
    public var direction: String
    /// Lower bound.
    public var since: Timestamp?
    /// Upper bound.
    public var until: Timestamp
    /// Asked for.
    public var created_at: Timestamp
    /// Begun.
    public var started_at: Timestamp?
    /// Ended.
    public var finished_at: Timestamp?
    /// From begin to end or now.
    public var duration_seconds: Double?
    /// What it did.
    public var counts: RunCounts
    /// Pages committed.
    public var pages: Int
    /// Times it was begun.
    public var attempts: Int
    /// Why it failed, or the first record refused.
    public var error: AttemptFailure?

    /// A view.
    public init(_ run: SyncRun, now: Timestamp) {
        id = run.id.description
        connection = run.connection.description
        provider = run.provider.text
        stream = run.stream.text
        mode = run.mode.rawValue
        trigger = run.trigger.rawValue
        status = run.status.rawValue
        direction = "inbound"
        since = run.since
        until = run.until
        created_at = run.createdAt
        started_at = run.startedAt
        finished_at = run.finishedAt
        duration_seconds = run.startedAt.map { Double((run.finishedAt ?? now).milliseconds - $0.milliseconds) / 1000 }
        counts = run.counts
        pages = run.pages
        attempts = run.attempts
        error = run.error
    }
}

/// A webhook delivery.
public struct EventView: Codable, Sendable {
    /// `evt_...`
    public var id: String
    /// Connection id.
    public var connection: String
    /// Provider.
    public var provider: String
    /// Event kind.
    public var kind: String
    /// Where it stands.
    public var state: String
    /// Nobody handles its kind.
    public var unsupported: Bool
    /// Attempts made.
    public var attempt: Int
    /// Dedup key.
    public var dedup_key: String
    /// FIFO key.
    public var ordering_key: String?
    /// When it came.
    public var received_at: Timestamp
    /// When it is tried next.
    public var due_at: Timestamp?
    /// When it ended.
    public var settled_at: Timestamp?
    /// Why the last attempt failed.
    public var failure: AttemptFailure?
    /// As received.
    public var method: String
    /// As received.
    public var query: String
    /// As received; only of a single event.
    public var headers: [[String]]?
    /// As received, when it is UTF-8; only of a single event.
    public var body: String?
    /// As received, when it is not.
    public var body_base64: String?

    /// A view.
    public init(_ event: Event, withContents: Bool) {
        id = event.id.description
        connection = event.connection.description
        provider = event.provider.text
        kind = event.kind
        state = event.state.rawValue
        unsupported = event.isUnsupported
        attempt = event.attempt
        dedup_key = event.dedupKey
        ordering_key = event.orderingKey
        received_at = event.receivedAt
        due_at = event.state == .completed || event.state == .discarded || event.state == .cancelled ? nil : event.dueAt
        settled_at = event.settledAt
        failure = event.lastFailure
        method = event.method
        query = event.query
        guard withContents else { return }
        headers = event.headers.map { [$0.name, $0.value] }
        body = String(validating: event.body, as: UTF8.self)
        if body == nil { body_base64 = Base64.encode(event.body, urlSafe: false) }
    }
}

/// Replays.
public struct Replay: Codable, Sendable {
    /// Whether nothing was changed.
    public var dry_run: Bool
    /// How many.
    public var count: Int
    /// Which; at most 1,000 are listed.
    public var events: [String]
    /// A result.
    public init(dry_run: Bool, count: Int, events: [String]) {
        self.dry_run = dry_run
        self.count = count
        self.events = events
    }
}

/// An audit entry.
public struct AuditView: Codable, Sendable {
    /// When.
    public var at: Timestamp
    /// What.
    public var kind: String
    /// Who.
    public var actor: String
    /// On which connection.
    public var connection: String?
    /// More.
    public var detail: String
    /// From where.
    public var address: String?
    /// A view.
    public init(at: Timestamp, kind: String, actor: String, connection: String?, detail: String, address: String?) {
        self.at = at
        self.kind = kind
        self.actor = actor
        self.connection = connection
        self.detail = detail
        self.address = address
    }
}

/// Where a person consents.
public struct Consent: Codable, Sendable {
    /// To be opened in a browser.
    public var url: String
    /// Where the provider sends the browser afterwards.
    public var redirect_uri: String
    /// The URL works until then, once.
    public var expires_at: Timestamp
    /// All parts.
    public init(url: String, redirect_uri: String, expires_at: Timestamp) {
        self.url = url
        self.redirect_uri = redirect_uri
        self.expires_at = expires_at
    }
}

/// What a change of the vault's key did.
public struct VaultRotation: Codable, Sendable {
    /// Id of the key that seals now.
    public var key: String
    /// Ids of keys that could still open: keep them as long as backups that need them.
    public var older_keys: [String]
    /// Values sealed again.
    public var rewrapped: Int
    /// Values that were sealed with it already.
    public var current: Int
    /// All parts.
    public init(key: String, older_keys: [String], rewrapped: Int, current: Int) {
        self.key = key
        self.older_keys = older_keys
        self.rewrapped = rewrapped
        self.current = current
    }
}
