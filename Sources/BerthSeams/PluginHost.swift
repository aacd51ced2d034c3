// Plugins as the engine sees them: manifests, and operations on instances. Whether they run in workers or in
// the daemon is not visible here.

public import BerthModel

/// Runs plugin operations. Every method may be called from any task; cancelling the task cancels the operation.
public protocol PluginHost: Sendable {
    /// The manifest of an installed plugin; nil when there is none. Cheap: a lookup in a snapshot.
    func manifest(of provider: ProviderName) -> PluginManifest?
    /// All installed plugins and how they are.
    func plugins() async -> [PluginStatus]

    /// Hands over one batch. Never throws: what goes wrong with the whole batch is a failure per event.
    func handle(_ events: [Event], for instance: PluginInstance) async -> BatchOutcome
    /// Reads a stream; every checkpoint's records go to `sink`, one page at a time, in order; a page is
    /// acknowledged to the plugin only when the sink returns. nil: the read ended well.
    func read(_ request: StreamReadRequest, for instance: PluginInstance, into sink: any PageSink) async -> AttemptFailure?
    /// Performs an action.
    func perform(_ request: ActionRequest, for instance: PluginInstance) async -> Result<ActionOutcome, AttemptFailure>
    /// One cheap request that proves the credential; the value is the plugin's JSON reply, may be empty.
    func checkCredentials(for instance: PluginInstance) async -> Result<[UInt8], AttemptFailure>
    /// Asks `berth.verify/1`. nil: authentic.
    func verify(_ delivery: RawDelivery, for instance: PluginInstance) async -> AttemptFailure?

    /// Loads a bundle again under a new identity; in-flight work ends on the old one.
    func reload(_ provider: ProviderName) async throws(BerthError) -> PluginStatus
    /// Goes back to the generation before.
    func rollback(_ provider: ProviderName) async throws(BerthError) -> PluginStatus
    /// Adds a bundle folder.
    func install(bundle path: String) async throws(BerthError) -> PluginStatus
    /// Stops and forgets a plugin; its bundle stays on disk.
    func remove(_ provider: ProviderName) async throws(BerthError)
    /// Drops instances of a connection after it changed or went.
    func forget(_ connection: ConnectionID) async
}

/// A connection as a plugin instance: what may cross into plugin code.
public struct PluginInstance: Sendable, Hashable {
    /// Whose.
    public var connection: ConnectionID
    /// Which plugin.
    public var provider: ProviderName
    /// Settings without secrets, defaults filled in, as a JSON object.
    public var settings: [UInt8]
    /// How its requests go out.
    public var baseURL: String
    /// The credential kind chosen.
    public var credential: CredentialSpec?

    /// An instance.
    public init(connection: ConnectionID, provider: ProviderName, settings: [UInt8], baseURL: String, credential: CredentialSpec?) {
        self.connection = connection
        self.provider = provider
        self.settings = settings
        self.baseURL = baseURL
        self.credential = credential
    }
}

/// What became of a batch: one outcome per event, in order.
public struct BatchOutcome: Sendable {
    /// Per event.
    public var outcomes: [EventOutcome]
    /// Set when the host gave a verdict (crashed, hung, contract violation): index of the event being
    /// processed when it happened, if known. Events with outcomes before it stand.
    public var suspect: Int?

    /// An outcome.
    public init(outcomes: [EventOutcome], suspect: Int? = nil) {
        self.outcomes = outcomes
        self.suspect = suspect
    }
}

/// What became of one event.
public struct EventOutcome: Sendable {
    /// nil: processed.
    public var failure: AttemptFailure?
    /// Kept only when processed.
    public var records: [RecordChange]

    /// An outcome.
    public init(failure: AttemptFailure?, records: [RecordChange]) {
        self.failure = failure
        self.records = records
    }
}

/// A read to perform.
public struct StreamReadRequest: Sendable {
    /// Which run; for logs.
    public var run: RunID
    /// Which stream.
    public var stream: StreamName
    /// Full, incremental, range.
    public var mode: ReadMode
    /// Lower bound, overlap taken off.
    public var since: Timestamp?
    /// Upper bound.
    public var until: Timestamp
    /// Where to go on.
    public var checkpoint: Checkpoint?

    /// A request.
    public init(run: RunID, stream: StreamName, mode: ReadMode, since: Timestamp?, until: Timestamp, checkpoint: Checkpoint?) {
        self.run = run
        self.stream = stream
        self.mode = mode
        self.since = since
        self.until = until
        self.checkpoint = checkpoint
    }
}

/// Takes the pages of one read.
public protocol PageSink: Sendable {
    /// Makes the records and the checkpoint durable together. An error ends the read.
    func commit(_ records: [RecordChange], checkpoint: Checkpoint) async throws(BerthError)
}

/// An action to perform.
public struct ActionRequest: Sendable {
    /// Declared in the manifest.
    public var name: String
    /// JSON.
    public var input: [UInt8]
    /// The same when repeated.
    public var idempotencyKey: String
    /// A request.
    public init(name: String, input: [UInt8], idempotencyKey: String) {
        self.name = name
        self.input = input
        self.idempotencyKey = idempotencyKey
    }
}

/// What an action gave.
public struct ActionOutcome: Sendable {
    /// JSON, may be empty.
    public var output: [UInt8]
    /// To be stored.
    public var records: [RecordChange]
    /// An outcome.
    public init(output: [UInt8], records: [RecordChange]) {
        self.output = output
        self.records = records
    }
}

/// How a plugin is.
public struct PluginStatus: Sendable {
    /// What it says of itself.
    public var manifest: PluginManifest
    /// Where its bundle is.
    public var path: String
    /// SHA-256 of the loaded library.
    public var digest: String
    /// Name of the trusted key that signed the bundle; nil: nobody's.
    public var signer: String?
    /// 1 for the first load, counts reloads.
    public var generation: Int
    /// Where its code runs.
    public var isolation: Isolation
    /// Its state.
    public var state: State
    /// Why it is not ready.
    public var problem: BerthError?
    /// Workers restarted since the daemon began.
    public var restarts: Int
    /// Process ids of its workers, for the operator.
    public var workers: [Int32]

    /// A plugin's state.
    public enum State: String, Sendable, Codable, Hashable { case loading, ready, restarting, quarantined, refused }

    /// All parts.
    public init(
        manifest: PluginManifest, path: String, digest: String, signer: String?, generation: Int, isolation: Isolation, state: State,
        problem: BerthError?, restarts: Int, workers: [Int32]
    ) {
        self.manifest = manifest
        self.path = path
        self.digest = digest
        self.signer = signer
        self.generation = generation
        self.isolation = isolation
        self.state = state
        self.problem = problem
        self.restarts = restarts
        self.workers = workers
    }
}
