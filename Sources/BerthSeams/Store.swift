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

/// Events: accepted, leased, settled.
public protocol InboxStore: Sendable {
    /// Makes a delivery durable: event, dedup key and job in one commit, shared with others (group commit).
    /// Answers once, on any thread, also before this returns: with a receipt after the commit was synced, or with
    /// `overloaded` before anything breaks: queue full, space low. Never blocks.
    func accept(_ delivery: VerifiedDelivery, _ answer: @escaping @Sendable (Result<IntakeReceipt, BerthError>) -> Void)
    /// Leases up to `limit` due events of one connection, oldest first, to this epoch. Of events with the same
    /// ordering key only those are given whose predecessors are all settled or earlier in the same batch.
    func leaseEvents(of connection: ConnectionID, limit: Int, now: Timestamp) async throws(BerthError) -> [Event]
    /// Connections that have due events, and how many up to a bound; for the dispatcher's rounds.
    func connectionsWithDueEvents(now: Timestamp) async throws(BerthError) -> [ConnectionID]
    /// When the next event becomes due after `now`; nil when none waits for a later time.
    func nextEventDue(after now: Timestamp) async throws(BerthError) -> Timestamp?
    /// Ends attempts: records, event states and notices in one transaction. Events not leased by this epoch
    /// are skipped and reported as not settled.
    func settle(_ settlements: [EventSettlement], now: Timestamp) async throws(BerthError) -> SettleReceipt
    /// One event.
    func event(_ id: EventID) async throws(BerthError) -> Event?
    /// Newest first; bodies and headers left out.
    func events(_ filter: EventFilter, page: PageRequest) async throws(BerthError) -> Page<Event>
    /// Makes settled events available again, attempts set back; answers which.
    func replay(_ filter: EventFilter, limit: Int, dryRun: Bool, now: Timestamp) async throws(BerthError) -> [EventID]
    /// Gives a waiting event up.
    func cancelEvent(_ id: EventID, now: Timestamp) async throws(BerthError) -> Bool
    /// Events per state, for metrics.
    func queueDepths() async throws(BerthError) -> [EventState: Int]
}

extension InboxStore {
    /// `accept(_:_:)` for callers that can wait.
    public func accept(_ delivery: VerifiedDelivery) async throws(BerthError) -> IntakeReceipt {
        try await withUnsafeContinuation { (continuation: UnsafeContinuation<Result<IntakeReceipt, BerthError>, Never>) in
            accept(delivery) { continuation.resume(returning: $0) }
        }.get()
    }
}

/// Proof that a delivery is durable. Only a store makes one: a 2xx to a provider needs it.
public struct IntakeReceipt: Sendable, Hashable {
    /// The event: the new one, or the one that had the dedup key first.
    public let event: EventID
    /// Whether the dedup key was known.
    public let isDuplicate: Bool
    /// To be called by stores after their commit was synced, by nobody else.
    @_spi(StoreImplementation)
    public init(event: EventID, isDuplicate: Bool) {
        self.event = event
        self.isDuplicate = isDuplicate
    }
}

/// The end of one attempt.
public struct EventSettlement: Sendable {
    /// The event, leased by this epoch.
    public var event: EventID
    /// What becomes of it.
    public var verdict: Verdict

    /// What becomes of an event.
    public enum Verdict: Sendable {
        /// Done; these effects with it. Records carry the entity their stream maps to.
        case completed(records: [EntityChange])
        /// Done without effect: nobody handles its kind.
        case unsupported
        /// To be tried again.
        case retry(at: Timestamp, AttemptFailure)
        /// Given back untouched; the attempt does not count.
        case release
        /// Dead letter.
        case discard(AttemptFailure)
    }

    /// A settlement.
    public init(event: EventID, verdict: Verdict) {
        self.event = event
        self.verdict = verdict
    }
}

/// A record change with its place: which entity, whose.
public struct EntityChange: Sendable {
    /// The entity, already defined in the store.
    public var entity: EntityName
    /// The change.
    public var change: RecordChange
    /// A change.
    public init(entity: EntityName, change: RecordChange) {
        self.entity = entity
        self.change = change
    }
}

/// What a settle did.
public struct SettleReceipt: Sendable {
    /// Committed notices in order, for the feed.
    public var notices: [Notice]
    /// Events that this epoch no longer held.
    public var notHeld: [EventID]
    /// Record counts.
    public var counts: RunCounts
    /// Records refused by their entity's checks, with the reason; their events were discarded instead.
    public var refused: [EventID: String]
    /// A receipt.
    public init(notices: [Notice], notHeld: [EventID], counts: RunCounts, refused: [EventID: String]) {
        self.notices = notices
        self.notHeld = notHeld
        self.counts = counts
        self.refused = refused
    }
}

/// Which events.
public struct EventFilter: Sendable {
    /// These only.
    public var ids: [EventID]?
    /// Of this connection.
    public var connection: ConnectionID?
    /// Of this provider.
    public var provider: ProviderName?
    /// Of this kind.
    public var kind: String?
    /// In these states.
    public var states: [EventState]?
    /// Received at or after.
    public var since: Timestamp?
    /// Received before.
    public var until: Timestamp?
    /// All.
    public init(
        ids: [EventID]? = nil, connection: ConnectionID? = nil, provider: ProviderName? = nil, kind: String? = nil,
        states: [EventState]? = nil, since: Timestamp? = nil, until: Timestamp? = nil
    ) {
        self.ids = ids
        self.connection = connection
        self.provider = provider
        self.kind = kind
        self.states = states
        self.since = since
        self.until = until
    }
}

/// A page asked for.
public struct PageRequest: Sendable {
    /// 1 to 1,000.
    public var limit: Int
    /// `next` of the page before; nil: the first.
    public var cursor: String?
    /// A request.
    public init(limit: Int = 50, cursor: String? = nil) {
        self.limit = limit
        self.cursor = cursor
    }
}

/// A page.
public struct Page<Item: Sendable>: Sendable {
    /// In order.
    public var items: [Item]
    /// nil: the last page.
    public var next: String?
    /// A page.
    public init(items: [Item], next: String?) {
        self.items = items
        self.next = next
    }
}

/// Canonical records.
public protocol RecordStore: Sendable {
    /// Applies changes outside events and runs (actions), in one transaction.
    func apply(_ changes: [EntityChange], connection: ConnectionID, now: Timestamp) async throws(BerthError) -> SettleReceipt
    /// One record by id or nil.
    func record(_ entity: EntityName, _ id: RecordID) async throws(BerthError) -> Record?
    /// Records by filter and sort, in pages.
    func records(_ entity: EntityName, _ query: RecordQuery, page: PageRequest) async throws(BerthError) -> Page<Record>
    /// Records of an entity, tombstones left out.
    func recordCount(_ entity: EntityName) async throws(BerthError) -> Int
    /// Entities that have tables.
    func entities() async throws(BerthError) -> [EntityDefinition]
}

/// A stored record.
public struct Record: Sendable {
    /// Its id.
    public var id: RecordID
    /// Its entity.
    public var entity: EntityName
    /// Whose.
    public var workspace: WorkspaceName
    /// From where.
    public var provider: ProviderName
    /// From where.
    public var connection: ConnectionID
    /// The provider's id.
    public var externalID: String
    /// First stored.
    public var createdAt: Timestamp
    /// Last changed here.
    public var updatedAt: Timestamp
    /// When the provider last changed it.
    public var sourceTime: Timestamp?
    /// Tombstone.
    public var deletedAt: Timestamp?
    /// Fields that have a value.
    public var fields: [String: JSONValue]
    /// The provider's original, JSON text.
    public var raw: String
    /// All parts.
    public init(
        id: RecordID, entity: EntityName, workspace: WorkspaceName, provider: ProviderName, connection: ConnectionID,
        externalID: String, createdAt: Timestamp, updatedAt: Timestamp, sourceTime: Timestamp?, deletedAt: Timestamp?,
        fields: [String: JSONValue], raw: String
    ) {
        self.id = id
        self.entity = entity
        self.workspace = workspace
        self.provider = provider
        self.connection = connection
        self.externalID = externalID
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.sourceTime = sourceTime
        self.deletedAt = deletedAt
        self.fields = fields
        self.raw = raw
    }
}

/// Which records, in which order.
public struct RecordQuery: Sendable {
    /// All must hold.
    public var conditions: [Condition]
    /// Field or common column; default `created_at`, then id.
    public var sort: String?
    /// Order.
    public var isDescending: Bool
    /// Tombstones too.
    public var includesDeleted: Bool

    /// One comparison.
    public struct Condition: Sendable {
        /// A comparison.
        public enum Operator: String, Sendable, CaseIterable { case eq, ne, lt, lte, gt, gte, like, isNull = "null", isIn = "in" }
        /// Field or common column (`external_id`, `connection`, `provider`, `workspace`, times).
        public var field: String
        /// How.
        public var comparison: Operator
        /// Text form; for `in` comma-separated.
        public var value: String
        /// A condition.
        public init(field: String, comparison: Operator = .eq, value: String) {
            self.field = field
            self.comparison = comparison
            self.value = value
        }
    }

    /// All, newest first.
    public init(conditions: [Condition] = [], sort: String? = nil, isDescending: Bool = true, includesDeleted: Bool = false) {
        self.conditions = conditions
        self.sort = sort
        self.isDescending = isDescending
        self.includesDeleted = includesDeleted
    }
}

/// Sync runs.
public protocol RunStore: Sendable {
    /// Queues a run unless one of the same connection and stream is queued or running: then throws `conflict`
    /// naming it.
    func enqueueRun(_ run: SyncRun) async throws(BerthError)
    /// Takes the oldest queued or interrupted run of each idle (connection, stream), up to `limit`, for this epoch.
    func claimRuns(limit: Int, now: Timestamp) async throws(BerthError) -> [SyncRun]
    /// Records and checkpoint of one page in one transaction. Throws `conflict` when this epoch no longer holds it.
    func commitPage(_ changes: [EntityChange], checkpoint: Checkpoint, run: RunID, now: Timestamp) async throws(BerthError) -> SettleReceipt
    /// Ends a run; with `success` or `partial` remembers `until` as the stream's high-water mark (incremental and
    /// full), deletes what a full run did not see where asked, clears or raises the connection's failure count.
    func finishRun(_ id: RunID, status: RunStatus, error: AttemptFailure?, deletesUnseen: EntityName?, now: Timestamp)
        async throws(BerthError) -> FinishReceipt
    /// Puts a running run back to queued (shutdown), its checkpoint kept.
    func releaseRun(_ id: RunID) async throws(BerthError)
    /// One run.
    func run(_ id: RunID) async throws(BerthError) -> SyncRun?
    /// Newest first.
    func runs(connection: ConnectionID?, stream: StreamName?, status: RunStatus?, page: PageRequest) async throws(BerthError) -> Page<SyncRun>
    /// Where each stream of a connection stands.
    func streamStates(of connection: ConnectionID?) async throws(BerthError) -> [StreamState]
}

/// What the end of a run changed.
public struct FinishReceipt: Sendable {
    /// For the feed.
    public var notices: [Notice]
    /// The connection's failures in a row now.
    public var consecutiveFailures: Int
    /// The connection's status now.
    public var connectionStatus: ConnectionStatus
    /// A receipt.
    public init(notices: [Notice], consecutiveFailures: Int, connectionStatus: ConnectionStatus) {
        self.notices = notices
        self.consecutiveFailures = consecutiveFailures
        self.connectionStatus = connectionStatus
    }
}

/// Where a stream stands.
public struct StreamState: Sendable {
    /// Whose.
    public var connection: ConnectionID
    /// Which.
    public var stream: StreamName
    /// Upper bound of the last run that succeeded.
    public var highWater: Timestamp?
    /// When its last run of any outcome was created.
    public var lastRunAt: Timestamp?
    /// The last run's status.
    public var lastStatus: RunStatus?
    /// A state.
    public init(connection: ConnectionID, stream: StreamName, highWater: Timestamp?, lastRunAt: Timestamp?, lastStatus: RunStatus?) {
        self.connection = connection
        self.stream = stream
        self.highWater = highWater
        self.lastRunAt = lastRunAt
        self.lastStatus = lastStatus
    }
}

/// Connections.
public protocol ConnectionStore: Sendable {
    /// Adds one; throws `conflict` when provider, workspace and name are taken.
    func insertConnection(_ connection: Connection) async throws(BerthError)
    /// Replaces one by id; throws `notFound`.
    func updateConnection(_ connection: Connection) async throws(BerthError)
    /// Removes one with its secrets; its events, records and runs stay until retention. False: there was none.
    func deleteConnection(_ id: ConnectionID) async throws(BerthError) -> Bool
    /// All, by provider and name.
    func connections() async throws(BerthError) -> [Connection]
}

/// The audit log: append only.
public protocol AuditStore: Sendable {
    /// Appends; batched, durable within a second or at the next commit, and always before `close` returns.
    func audit(_ entries: [AuditEntry]) async throws(BerthError)
    /// Newest first.
    func auditEntries(_ filter: AuditFilter, page: PageRequest) async throws(BerthError) -> Page<AuditEntry>
}

/// Which audit entries.
public struct AuditFilter: Sendable {
    /// Of this kind, or, ending in a full stop, of all kinds that begin so: `connection.`
    public var kind: String?
    /// By this actor.
    public var actor: String?
    /// On this connection.
    public var connection: ConnectionID?
    /// At or after.
    public var since: Timestamp?
    /// Before.
    public var until: Timestamp?
    /// All.
    public init(
        kind: String? = nil, actor: String? = nil, connection: ConnectionID? = nil, since: Timestamp? = nil, until: Timestamp? = nil
    ) {
        self.kind = kind
        self.actor = actor
        self.connection = connection
        self.since = since
        self.until = until
    }
}

/// One thing somebody did or tried.
public struct AuditEntry: Sendable, Hashable {
    /// When.
    public var at: Timestamp
    /// `webhook.accepted`, `webhook.refused`, `connection.created`, `sync.started`...
    public var kind: String
    /// Who: `uid:1000`, `provider`, `scheduler`.
    public var actor: String
    /// On what.
    public var connection: ConnectionID?
    /// More, secrets masked.
    public var detail: String
    /// The peer's address, if any.
    public var address: String?
    /// An entry.
    public init(at: Timestamp, kind: String, actor: String, connection: ConnectionID?, detail: String, address: String?) {
        self.at = at
        self.kind = kind
        self.actor = actor
        self.connection = connection
        self.detail = detail
        self.address = address
    }
}

/// Notices that subscribers are told, kept for a while so that a subscriber can resume.
public protocol FeedStore: Sendable {
    /// Notices after a sequence number, oldest first.
    func notices(after sequence: Int64, limit: Int) async throws(BerthError) -> [Notice]
    /// The newest sequence number; 0 when there is none.
    func lastNotice() async throws(BerthError) -> Int64
}

/// Something that happened and is durable.
public struct Notice: Sendable, Hashable {
    /// Grows; the feed's event id.
    public var sequence: Int64
    /// `record.created`, `record.updated`, `record.deleted`, `event.discarded`, `run.finished`, `connection.error`.
    public var topic: String
    /// Whose.
    public var workspace: WorkspaceName
    /// Whose.
    public var connection: ConnectionID
    /// Its provider.
    public var provider: ProviderName
    /// When.
    public var at: Timestamp
    /// JSON object with ids and what changed, small.
    public var data: String
    /// A notice.
    public init(
        sequence: Int64, topic: String, workspace: WorkspaceName, connection: ConnectionID, provider: ProviderName, at: Timestamp,
        data: String
    ) {
        self.sequence = sequence
        self.topic = topic
        self.workspace = workspace
        self.connection = connection
        self.provider = provider
        self.at = at
        self.data = data
    }
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
