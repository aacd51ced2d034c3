// Bodies of requests. Each names the members it knows, so that an unknown one is refused with the nearest right name.

public import BerthModel

/// A request body that knows its members.
public protocol RequestBody: Decodable, Sendable {
    /// Members allowed, as dotted paths; `*` stands for any name.
    static var members: [String] { get }
}

/// `POST /v1/connections`
public struct NewConnection: RequestBody {
    /// Provider, the plugin's id.
    public var provider: String
    /// Default `default`.
    public var workspace: String?
    /// Default `main`.
    public var name: String?
    /// Overrides the provider's address.
    public var base_url: String?
    /// Kind and secret fields.
    public var credentials: Credentials?
    /// By the manifest.
    public var settings: [String: JSONValue]?
    /// How deliveries are verified.
    public var webhook: Webhook?
    /// Schedules by stream.
    public var streams: [String: Stream]?

    /// Members allowed.
    public static let members = [
        "provider", "workspace", "name", "base_url", "credentials", "credentials.*", "settings", "settings.*", "webhook", "webhook.scheme",
        "webhook.secret", "webhook.allow_ips", "webhook.header", "webhook.algorithm", "webhook.encoding", "webhook.prefix",
        "webhook.tolerance_seconds", "streams", "streams.*", "streams.*.schedule",
    ]

    /// `{"kind":"api_key","token":"..."}`
    public struct Credentials: Decodable, Sendable {
        /// The kind; default the manifest's first.
        public var kind: String?
        /// Secret fields.
        public var fields: [String: SecretText]
        /// Decodes the kind and everything else as secrets.
        public init(from decoder: any Decoder) throws {
            var all = try decoder.singleValueContainer().decode([String: SecretText].self)
            kind = all.removeValue(forKey: "kind")?.exposed
            fields = all
        }
    }

    /// Webhook rules.
    public struct Webhook: Decodable, Sendable {
        /// `hmac`, `standard-webhooks`, `token`, `basic`, `plugin`.
        public var scheme: String?
        /// Generated when left out. `standard-webhooks`: base64, `whsec_` before it or not; `basic`: `USERNAME:PASSWORD`; `token`: what
        /// may stand in a path as it is.
        public var secret: SecretText?
        /// Addresses or CIDR ranges.
        public var allow_ips: [String]?
        /// Header of the signature; empty: the manifest's.
        public var header: String?
        /// `sha256`, `sha1`, `sha512`.
        public var algorithm: String?
        /// `hex`, `base64`.
        public var encoding: String?
        /// Before the signature.
        public var prefix: String?
        /// Of the timestamp.
        public var tolerance_seconds: Int64?
    }

    /// One stream's schedule.
    public struct Stream: Decodable, Sendable {
        /// `every 5m`, `cron 0 3 * * *`; empty: only on demand.
        public var schedule: String
    }
}

/// `PATCH /v1/connections/{id}`: what is left out stays.
public struct ConnectionChange: RequestBody {
    /// New name.
    public var name: String?
    /// New address; empty text: the provider's own.
    public var base_url: String?
    /// New credential.
    public var credentials: NewConnection.Credentials?
    /// Settings to change; null removes.
    public var settings: [String: JSONValue]?
    /// New webhook rules; a new secret keeps the old one valid beside it.
    public var webhook: NewConnection.Webhook?
    /// Schedules to change.
    public var streams: [String: NewConnection.Stream]?

    /// Members allowed.
    public static let members = NewConnection.members.filter { $0 != "provider" && $0 != "workspace" }
}

/// `POST .../connect`
public struct ConnectRequest: RequestBody {
    /// Where the provider sends the browser back to; default the daemon's own `/oauth/callback` below its public URL.
    public var redirect_uri: String?
    /// Members allowed.
    public static let members = ["redirect_uri"]
}

/// `POST .../connect/complete`: what the browser came back with, for daemons that no browser can reach.
public struct ConsentAnswer: RequestBody {
    /// The whole URL from the browser's address line; or the parts below.
    public var url: SecretText?
    /// The code.
    public var code: SecretText?
    /// The state; may be left out while one consent is under way.
    public var state: String?
    /// Members allowed.
    public static let members = ["url", "code", "state"]
}

/// `POST .../streams/{stream}/sync`
public struct SyncRequest: RequestBody {
    /// `full`, `incremental`, `range`; default by the stream.
    public var mode: ReadMode?
    /// Lower bound; needed for `range`, nothing for `full`. An `incremental` run that begins later than the stream stands leaves it
    /// there: the next one without `since` reads what lies between.
    public var since: Timestamp?
    /// Upper bound, after `since`; default now, and never later.
    public var until: Timestamp?
    /// Members allowed.
    public static let members = ["mode", "since", "until"]
    /// All by default.
    public init() {}
}

/// `POST /v1/events/replay`, which needs a filter or `dry_run`; `POST /v1/dead-letters/redrive`
public struct ReplayFilter: RequestBody {
    /// These events only.
    public var ids: [EventID]?
    /// Id or name.
    public var connection: String?
    /// Provider.
    public var provider: ProviderName?
    /// Event kind.
    public var kind: String?
    /// States; default completed and discarded, with `ids` any that is settled or waits for its next attempt.
    public var states: [EventState]?
    /// Received at or after.
    public var since: Timestamp?
    /// Received before.
    public var until: Timestamp?
    /// At most this many; default 10,000.
    public var limit: Int?
    /// Only say which.
    public var dry_run: Bool?
    /// Members allowed.
    public static let members = ["ids", "connection", "provider", "kind", "states", "since", "until", "limit", "dry_run"]
    /// Everything.
    public init() {}

    /// Whether it names any of what is to be replayed; a limit names nothing.
    public var choosesSome: Bool {
        ids != nil || connection != nil || provider != nil || kind != nil || states != nil || since != nil || until != nil
    }
}

/// `POST /v1/plugins`
public struct InstallPlugin: RequestBody {
    /// Bundle folder on the daemon's machine.
    public var path: String
    /// Members allowed.
    public static let members = ["path"]
    /// A request.
    public init(path: String) { self.path = path }
}

/// `PUT /v1/log/level`
public struct LogLevel: RequestBody, Encodable {
    /// `trace` to `critical`.
    public var level: String
    /// Members allowed.
    public static let members = ["level"]
    /// A level.
    public init(level: String) { self.level = level }
}

/// `POST /v1/backup`
public struct Backup: RequestBody, Encodable {
    /// New file on the daemon's machine.
    public var path: String
    /// Members allowed.
    public static let members = ["path"]
    /// A request.
    public init(path: String) { self.path = path }
}

/// `POST /v1/vault/rotate`
public struct RotateVault: RequestBody {
    /// Make a new key first; otherwise the keys are read again from where they are.
    public var new_key: Bool?
    /// Members allowed.
    public static let members = ["new_key"]
}
