// Sync runs and checkpoints in the store.

public import BerthModel

/// Sync runs.
public protocol RunStore: Sendable {
    /// Queues a run unless one of the same connection and stream is queued or running: then throws `conflict`
    /// naming it.
    func enqueueRun(_ run: SyncRun) async throws(BerthError)
    /// Queued and interrupted runs whose connection is not paused, oldest first.
    func waitingRuns() async throws(BerthError) -> [WaitingRun]
    /// Takes runs for this epoch. Left out are those that are not queued any more, and those whose connection is paused by now.
    func claimRuns(_ ids: [RunID], now: Timestamp) async throws(BerthError) -> [SyncRun]
    /// Records and checkpoint of one page in one transaction. Throws `conflict` when this epoch no longer holds it, and
    /// `connection_ended` when its connection is removed or disconnected.
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
    /// Ends a queued run as `cancelled`; nil, and nothing done, when it is not queued.
    func cancelQueuedRun(_ id: RunID, error: AttemptFailure, now: Timestamp) async throws(BerthError) -> FinishReceipt?
    /// Puts a running run back to queued (shutdown, pause), its checkpoint kept.
    func releaseRun(_ id: RunID) async throws(BerthError)
    /// One run.
    func run(_ id: RunID) async throws(BerthError) -> SyncRun?
    /// Newest first.
    func runs(connection: ConnectionID?, stream: StreamName?, status: RunStatus?, page: PageRequest) async throws(BerthError) -> Page<
        SyncRun
    >
    /// Ends what its provider asked a connection's streams to wait for; durable when it returns.
    func endWaits(of connection: ConnectionID) async throws(BerthError)
    /// Where each stream of a connection stands.
    func streamStates(of connection: ConnectionID?) async throws(BerthError) -> [StreamState]
}

/// A run that waits for its turn.
public struct WaitingRun: Sendable, Hashable {
    /// Which.
    public var id: RunID
    /// Whose.
    public var connection: ConnectionID
    /// Its provider.
    public var provider: ProviderName
    /// A waiting run.
    public init(id: RunID, connection: ConnectionID, provider: ProviderName) {
        self.id = id
        self.connection = connection
        self.provider = provider
    }
}

extension BerthError.Code {
    /// A run's connection is removed or disconnected.
    public static let connectionEnded: BerthError.Code = "connection_ended"
}

extension AttemptFailure {
    /// Why a run that has begun is cancelled though nobody asked for it.
    public static func connectionEnded(isRemoved: Bool) -> AttemptFailure {
        AttemptFailure(.cancelled, "the connection was \(isRemoved ? "removed" : "disconnected") while it ran")
    }
    /// Where a run stood at one server or account says nothing at another.
    public static let connectionMoved = AttemptFailure(
        .cancelled, "the connection was given another address or account while it ran, where its position says nothing: begin another")
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
