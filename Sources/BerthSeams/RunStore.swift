// Sync runs and checkpoints in the store.

public import BerthModel

/// Sync runs.
public protocol RunStore: Sendable {
    /// Queues a run unless one of the same connection and stream is queued or running: then throws `conflict`
    /// naming it.
    func enqueueRun(_ run: SyncRun) async throws(BerthError)
    /// Takes the oldest queued or interrupted run of each idle (connection, stream), up to `limit`, for this epoch.
    func claimRuns(limit: Int, now: Timestamp) async throws(BerthError) -> [SyncRun]
    /// Records and checkpoint of one page in one transaction. Throws `conflict` when this epoch no longer holds it.
    func commitPage(_ changes: [EntityChange], checkpoint: Checkpoint, run: RunID, now: Timestamp) async throws(BerthError) -> SettleReceipt
    /// Ends a run; deletes what a full run did not see where asked, clears or raises the connection's failure count. A failure
    /// that asks to wait is remembered as the stream's `notBefore`, at most a day ahead.
    ///
    /// With `success` or `partial` the run's `until` becomes the stream's high-water mark, but only where everything before it was
    /// read: by a full run, and by an incremental one that had no lower bound or one at least `overlapSeconds` before the mark. A
    /// range moves nothing, nor does an `until` that lies after `now`; and the mark never goes back.
    func finishRun(
        _ id: RunID, status: RunStatus, error: AttemptFailure?, deletesUnseen: EntityName?, overlapSeconds: Int64, now: Timestamp
    ) async throws(BerthError) -> FinishReceipt
    /// Puts a running run back to queued (shutdown), its checkpoint kept.
    func releaseRun(_ id: RunID) async throws(BerthError)
    /// One run.
    func run(_ id: RunID) async throws(BerthError) -> SyncRun?
    /// Newest first.
    func runs(connection: ConnectionID?, stream: StreamName?, status: RunStatus?, page: PageRequest) async throws(BerthError) -> Page<
        SyncRun
    >
    /// Where each stream of a connection stands.
    func streamStates(of connection: ConnectionID?) async throws(BerthError) -> [StreamState]
}

/// What the end of a run changed.
public struct FinishReceipt: Sendable {
    /// For the feed.
    public var notices: [Notice]
    /// The connection as the run left it; nil when it was removed meanwhile.
    public var connection: ConnectionVersion?
    /// A receipt.
    public init(notices: [Notice], connection: ConnectionVersion?) {
        self.notices = notices
        self.connection = connection
    }
}

/// Where a stream stands.
public struct StreamState: Sendable {
    /// Whose.
    public var connection: ConnectionID
    /// Which.
    public var stream: StreamName
    /// Up to where everything was read.
    public var highWater: Timestamp?
    /// When its last run of any outcome was created.
    public var lastRunAt: Timestamp?
    /// The last run's status.
    public var lastStatus: RunStatus?
    /// Until when the provider asked to be left alone, if that ended the last run: schedules wait for it, people need not.
    public var notBefore: Timestamp?
    /// A state.
    public init(
        connection: ConnectionID, stream: StreamName, highWater: Timestamp?, lastRunAt: Timestamp?, lastStatus: RunStatus?,
        notBefore: Timestamp? = nil
    ) {
        self.connection = connection
        self.stream = stream
        self.highWater = highWater
        self.lastRunAt = lastRunAt
        self.lastStatus = lastStatus
        self.notBefore = notBefore
    }
}
