// A plugin in answers.

public import BerthModel

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
    /// Name of the trusted key that signed the bundle; null: nobody's.
    public var signed_by: String?
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
        digest: String, signed_by: String?, path: String, restarts: Int, workers: [Int32], settings: [String: JSONValue],
        credentials: [JSONValue],
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
        self.signed_by = signed_by
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
