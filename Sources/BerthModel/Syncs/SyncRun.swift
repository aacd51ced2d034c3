// One execution of a stream's sync.

/// A run's row.
public struct SyncRun: Sendable, Hashable {
    /// Its id.
    public var id: RunID
    /// Whose.
    public var connection: ConnectionID
    /// Its provider.
    public var provider: ProviderName
    /// Which stream.
    public var stream: StreamName
    /// Full, incremental or a range.
    public var mode: ReadMode
    /// Why it exists.
    public var trigger: SyncTrigger
    /// Where it stands.
    public var status: RunStatus
    /// Lower bound asked of the plugin, overlap taken off.
    public var since: Timestamp?
    /// Upper bound.
    public var until: Timestamp
    /// When it was asked for.
    public var createdAt: Timestamp
    /// When it first began.
    public var startedAt: Timestamp?
    /// When it ended.
    public var finishedAt: Timestamp?
    /// What it did so far.
    public var counts: RunCounts
    /// Pages committed.
    public var pages: Int
    /// Times it was begun, interruptions included.
    public var attempts: Int
    /// Why it failed.
    public var error: AttemptFailure?
    /// Last durable checkpoint of this run.
    public var checkpoint: Checkpoint?

    /// All parts.
    public init(
        id: RunID, connection: ConnectionID, provider: ProviderName, stream: StreamName, mode: ReadMode, trigger: SyncTrigger,
        status: RunStatus, since: Timestamp?, until: Timestamp, createdAt: Timestamp, startedAt: Timestamp? = nil,
        finishedAt: Timestamp? = nil, counts: RunCounts = .init(), pages: Int = 0, attempts: Int = 0, error: AttemptFailure? = nil,
        checkpoint: Checkpoint? = nil
    ) {
        self.id = id
        self.connection = connection
        self.provider = provider
        self.stream = stream
        self.mode = mode
        self.trigger = trigger
        self.status = status
        self.since = since
        self.until = until
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.counts = counts
        self.pages = pages
        self.attempts = attempts
        self.error = error
        self.checkpoint = checkpoint
    }
}

/// What a read covers.
public enum ReadMode: String, Sendable, NamedChoice, Hashable { case full, incremental, range }

/// Why a run exists.
public enum SyncTrigger: String, Sendable, Codable, Hashable, CaseIterable { case schedule, manual, catchUp = "catch_up" }

/// Where a run stands.
public enum RunStatus: String, Sendable, Codable, Hashable, CaseIterable {
    /// Waits for its turn.
    case queued
    /// Runs now.
    case running
    /// All done.
    case success
    /// Done, some records failed.
    case partial
    /// Ended with an error.
    case failed
    /// Stopped by a person.
    case cancelled
}

/// What a run did.
public struct RunCounts: Sendable, Hashable, Codable {
    /// Records the plugin emitted.
    public var processed = 0
    /// New ones.
    public var created = 0
    /// Changed ones.
    public var updated = 0
    /// Equal to what was stored, or older.
    public var unchanged = 0
    /// Deleted ones.
    public var deleted = 0
    /// Refused ones.
    public var failed = 0
    /// Nothing yet.
    public init() {}

    /// Adds another count.
    public static func += (lhs: inout RunCounts, rhs: RunCounts) {
        lhs.processed += rhs.processed
        lhs.created += rhs.created
        lhs.updated += rhs.updated
        lhs.unchanged += rhs.unchanged
        lhs.deleted += rhs.deleted
        lhs.failed += rhs.failed
    }
}

/// The position a read durably reached. Opaque to all but its plugin.
public struct Checkpoint: Sendable, Hashable {
    /// The plugin's format number.
    public var schema: UInt32
    /// At most 64 KiB.
    public var state: [UInt8]
    /// A checkpoint.
    public init(schema: UInt32, state: [UInt8]) {
        self.schema = schema
        self.state = state
    }
}
