// Events in the store: accepted, leased, settled.

public import BerthModel

/// Events: accepted, leased, settled.
public protocol InboxStore: Sendable {
    /// Makes a delivery durable: event, dedup key and job in one commit, shared with others (group commit).
    /// Answers once, on any thread, also before this returns: with a receipt after the commit was synced, or with
    /// `overloaded` before anything breaks: queue full, space low. Never blocks.
    func accept(_ delivery: VerifiedDelivery, _ answer: @escaping @Sendable (Result<IntakeReceipt, BerthError>) -> Void)
    /// Leases due events of one connection within bounds, oldest first, to this epoch. Of events with the same
    /// ordering key only those are given whose predecessors are all settled or earlier in the same batch.
    func leaseEvents(of connection: ConnectionID, within bounds: LeaseBounds, now: Timestamp) async throws(BerthError) -> EventLease
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
    /// Makes settled events available again, attempts set back; answers which. Those of removed connections are left.
    func replay(_ filter: EventFilter, limit: Int, dryRun: Bool, now: Timestamp) async throws(BerthError) -> [EventID]
    /// Gives a waiting event up; false when it does not wait.
    func cancelEvent(_ id: EventID, now: Timestamp) async throws(BerthError) -> Bool
    /// Events per state, for metrics.
    func queueDepths() async throws(BerthError) -> [EventState: Int]
}

/// What one lease may hold.
public struct LeaseBounds: Sendable {
    /// Events.
    public var count: Int
    /// Bytes of headers and bodies together.
    public var bytes: Int
    /// Whether an event that has more bytes by itself is given, alone.
    public var takesLarger: Bool
    /// Bounds; without `bytes` only the count is one.
    public init(count: Int, bytes: Int = .max, takesLarger: Bool = false) {
        self.count = count
        self.bytes = bytes
        self.takesLarger = takesLarger
    }
}

/// What was leased.
public struct EventLease: Sendable {
    /// In order.
    public var events: [Event]
    /// More may be due than fitted.
    public var hasMore: Bool
    /// Nothing was leased because the first event has more bytes than the bounds.
    public var isFirstLarger: Bool
    /// A lease.
    public init(events: [Event], hasMore: Bool, isFirstLarger: Bool) {
        self.events = events
        self.hasMore = hasMore
        self.isFirstLarger = isFirstLarger
    }
}

extension InboxStore {
    /// `leaseEvents(of:within:now:)` where only the count is bounded.
    public func leaseEvents(of connection: ConnectionID, limit: Int, now: Timestamp) async throws(BerthError) -> [Event] {
        try await leaseEvents(of: connection, within: LeaseBounds(count: limit), now: now).events
    }

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
