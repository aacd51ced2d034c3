// What the daemon says of itself as a whole.

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
