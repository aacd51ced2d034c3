// What the control API does, one method per route. The engine implements it; the server translates HTTP to it.

public import BerthModel

/// Who asks, by the socket's peer credentials.
public struct Caller: Sendable, Hashable {
    /// The peer's user id.
    public var uid: UInt32
    /// Its primary group.
    public var gid: UInt32
    /// For display only: a pid may be another process by now.
    public var pid: Int32
    /// What it may do; nil: nothing.
    public var role: Route.Permission?
    /// A caller.
    public init(uid: UInt32, gid: UInt32, pid: Int32, role: Route.Permission?) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
        self.role = role
    }
    /// For the audit log.
    public var actor: String { "uid:\(uid)" }
}

/// Query fields of a list request, decoded.
public struct ListQuery: Sendable {
    /// In order; names may repeat.
    public var fields: [(name: String, value: String)]
    /// A query.
    public init(_ fields: [(name: String, value: String)]) { self.fields = fields }
    /// The first value of a name; empty counts as absent.
    public subscript(name: String) -> String? {
        fields.first { $0.name == name }.flatMap { $0.value.isEmpty ? nil : $0.value }
    }
}

/// One item of the feed.
public struct FeedItem: Sendable {
    /// Topic of an item that says that notices are left out: `{"asked":5,"missed":15,"position":20}`. `missed` is null where nobody knows:
    /// the id asked for is of another life of the database, such as before a backup was put back.
    public static let gapTopic = "feed.gap"

    /// The event id to resume after.
    public var id: Int64
    /// `record.created`...
    public var topic: String
    /// One line of JSON; empty: only a position.
    public var data: String
    /// An item.
    public init(id: Int64, topic: String, data: String) {
        self.id = id
        self.topic = topic
        self.data = data
    }
}

/// The operations behind the routes. All throw errors whose code decides the HTTP status.
public protocol ControlOperations: Sendable {
    /// `GET /v1/status`
    func status() async throws(BerthError) -> Status
    /// `GET /v1/health`
    func health() async -> Health
    /// `GET /metrics`
    func metrics() async -> String

    /// `GET /v1/plugins`
    func listPlugins() async throws(BerthError) -> List<PluginView>
    /// `GET /v1/plugins/{id}`
    func showPlugin(_ id: String) async throws(BerthError) -> PluginView
    /// `POST /v1/plugins`
    func installPlugin(_ request: InstallPlugin, _ caller: Caller) async throws(BerthError) -> PluginView
    /// `POST /v1/plugins/{id}/reload`
    func reloadPlugin(_ id: String, _ caller: Caller) async throws(BerthError) -> PluginView
    /// `POST /v1/plugins/{id}/rollback`
    func rollbackPlugin(_ id: String, _ caller: Caller) async throws(BerthError) -> PluginView
    /// `DELETE /v1/plugins/{id}`
    func removePlugin(_ id: String, _ query: ListQuery, _ caller: Caller) async throws(BerthError)

    /// `GET /v1/connections`
    func listConnections() async throws(BerthError) -> List<ConnectionView>
    /// `POST /v1/connections`
    func createConnection(_ request: NewConnection, _ caller: Caller) async throws(BerthError) -> ConnectionView
    /// `GET /v1/connections/{id}`
    func showConnection(_ id: String) async throws(BerthError) -> ConnectionView
    /// `PATCH /v1/connections/{id}`
    func changeConnection(_ id: String, _ request: ConnectionChange, _ caller: Caller) async throws(BerthError) -> ConnectionView
    /// `DELETE /v1/connections/{id}`; nil: nothing is left anywhere.
    func removeConnection(_ id: String, _ caller: Caller) async throws(BerthError) -> ConnectionRemoved?
    /// `POST .../check`
    func checkConnection(_ id: String, _ caller: Caller) async throws(BerthError) -> CheckResult
    /// `POST .../connect`
    func connectConnection(_ id: String, _ request: ConnectRequest, _ caller: Caller) async throws(BerthError) -> Consent
    /// `POST .../connect/complete`
    func completeConnection(_ id: String, _ answer: ConsentAnswer, _ caller: Caller) async throws(BerthError) -> ConnectionView
    /// `POST .../disconnect`
    func disconnectConnection(_ id: String, _ caller: Caller) async throws(BerthError) -> ConnectionView
    /// `DELETE .../cache`
    func clearCache(_ id: String, _ query: ListQuery, _ caller: Caller) async throws(BerthError) -> CacheCleared
    /// `POST .../pause`, `.../resume`
    func setPaused(_ isPaused: Bool, _ id: String, _ caller: Caller) async throws(BerthError) -> ConnectionView
    /// `POST .../reset-circuit`
    func resetCircuit(_ id: String, _ caller: Caller) async throws(BerthError) -> ConnectionView
    /// `POST .../streams/{stream}/sync`
    func syncStream(_ id: String, _ stream: String, _ request: SyncRequest, _ caller: Caller) async throws(BerthError) -> RunView
    /// `POST .../actions/{action}`; the input is the body as it came.
    func performAction(_ id: String, _ action: String, _ input: [UInt8], _ caller: Caller) async throws(BerthError) -> ActionResult

    /// `GET /v1/runs`
    func listRuns(_ query: ListQuery) async throws(BerthError) -> List<RunView>
    /// `GET /v1/runs/{id}`
    func showRun(_ id: String) async throws(BerthError) -> RunView
    /// `POST /v1/runs/{id}/cancel`
    func cancelRun(_ id: String, _ caller: Caller) async throws(BerthError) -> RunView

    /// `GET /v1/events`, `GET /v1/dead-letters`
    func listEvents(_ query: ListQuery, deadLetters: Bool, _ caller: Caller) async throws(BerthError) -> List<EventView>
    /// `GET /v1/events/{id}`
    func showEvent(_ id: String, _ caller: Caller) async throws(BerthError) -> EventView
    /// `POST /v1/events/{id}/cancel`
    func cancelEvent(_ id: String, _ caller: Caller) async throws(BerthError) -> EventView
    /// `POST /v1/events/{id}/replay`, `POST /v1/events/replay`, `POST /v1/dead-letters/redrive`
    func replay(_ filter: ReplayFilter, deadLettersOnly: Bool, _ caller: Caller) async throws(BerthError) -> Replay

    /// `GET /v1/records/{entity}`; records are flat JSON objects.
    func listRecords(_ entity: String, _ query: ListQuery, _ caller: Caller) async throws(BerthError) -> List<JSONValue>
    /// `GET /v1/records/{entity}/{id}`
    func showRecord(_ entity: String, _ id: String, _ caller: Caller) async throws(BerthError) -> JSONValue

    /// `GET /v1/feed`: batches in order, after `lastID` (nil: from now on), until the consumer goes. The first batch is one item
    /// without data that tells where it begins; where it can't begin after `lastID`, a `feed.gap` follows.
    func feed(after lastID: Int64?, _ query: ListQuery, _ caller: Caller) async throws(BerthError) -> AsyncThrowingStream<
        [FeedItem], any Error
    >
    /// `GET /v1/requests`
    func listRequests(_ query: ListQuery) async throws(BerthError) -> List<RequestView>
    /// `GET /v1/audit`
    func listAudit(_ query: ListQuery) async throws(BerthError) -> List<AuditView>
    /// `PUT /v1/log/level`
    func setLogLevel(_ request: LogLevel, _ caller: Caller) async throws(BerthError) -> LogLevel
    /// `POST /v1/vault/rotate`
    func rotateVault(_ request: RotateVault, _ caller: Caller) async throws(BerthError) -> VaultRotation
    /// `POST /v1/backup`
    func backup(_ request: Backup, _ caller: Caller) async throws(BerthError) -> Backup
}
