// What is kept, by domain operation. Every method that changes something is durable when it returns: it was
// part of a transaction whose commit was synced. Store targets implement it; one conformance suite checks them.

public import BerthModel

/// All that the engine keeps.
public protocol Store: InboxStore, RecordStore, RunStore, ConnectionStore, SealedSecretStore, AuditStore, FeedStore, RateLimitStore,
    RequestLogStore
{
    /// This life of the daemon; leases of other epochs were freed when the store was opened.
    var epoch: EpochID { get }
    /// What an operator wants to know of the store.
    func health() async -> StoreHealth
    /// Writes a consistent copy to a new file while the daemon runs; refuses an existing path.
    func backup(to path: String) async throws(BerthError)
    /// Deletes what is past its retention, in bounded steps; answers how many rows went.
    func prune(_ retention: Retention, now: Timestamp) async throws(BerthError) -> Int
    /// Makes sure the tables of these entities exist, migrating forward only.
    func define(_ entities: [EntityDefinition]) async throws(BerthError)
    /// Waits for running transactions and closes.
    func close() async
}

/// How the store is.
public struct StoreHealth: Sendable {
    /// Accepts writes.
    public var isWritable: Bool
    /// Why not, and what to do.
    public var problem: BerthError?
    /// Value of `PRAGMA synchronous`, 2 is FULL; 0 where it does not apply.
    public var synchronous: Int
    /// Bytes of database and log.
    public var sizeBytes: Int64
    /// Bytes free where it lives.
    public var freeBytes: Int64
    /// Writes waiting.
    public var queuedWrites: Int
    /// A report.
    public init(isWritable: Bool, problem: BerthError?, synchronous: Int, sizeBytes: Int64, freeBytes: Int64, queuedWrites: Int) {
        self.isWritable = isWritable
        self.problem = problem
        self.synchronous = synchronous
        self.sizeBytes = sizeBytes
        self.freeBytes = freeBytes
        self.queuedWrites = queuedWrites
    }
}

/// How long things are kept.
public struct Retention: Sendable {
    /// Completed and cancelled events.
    public var eventDays = 30
    /// Dead letters.
    public var deadLetterDays = 90
    /// Dedup keys; at least 30.
    public var dedupDays = 30
    /// Notices.
    public var noticeHours = 48
    /// Audit entries.
    public var auditDays = 365
    /// The request log.
    public var requestDays = 7
    /// Rows of the request log, newest kept.
    public var requestRows = 100_000
    /// Run rows.
    public var runDays = 90
    /// Defaults.
    public init() {}
}
