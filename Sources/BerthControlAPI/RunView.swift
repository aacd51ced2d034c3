// A sync run in answers.

public import BerthModel

/// A sync run.
public struct RunView: Codable, Sendable {
    /// `run_...`
    public var id: String
    /// Connection id.
    public var connection: String
    /// Provider.
    public var provider: String
    /// Stream.
    public var stream: String
    /// `full`, `incremental`, `range`.
    public var mode: String
    /// `schedule`, `manual`, `catch_up`.
    public var trigger: String
    /// `queued`, `running`, `success`, `partial`, `failed`, `cancelled`.
    public var status: String
    /// Why a queued run is not taken up though there is room: its connection is paused.
    public var waits_for: String?
    /// `inbound`
    public var direction: String
    /// Lower bound.
    public var since: Timestamp?
    /// Upper bound.
    public var until: Timestamp
    /// Asked for.
    public var created_at: Timestamp
    /// Begun.
    public var started_at: Timestamp?
    /// Ended.
    public var finished_at: Timestamp?
    /// From begin to end or now.
    public var duration_seconds: Double?
    /// What it did.
    public var counts: RunCounts
    /// Pages committed.
    public var pages: Int
    /// Times it was begun.
    public var attempts: Int
    /// Why it failed, or the first record refused.
    public var error: AttemptFailure?

    /// A view.
    public init(_ run: SyncRun, now: Timestamp) {
        id = run.id.description
        connection = run.connection.description
        provider = run.provider.text
        stream = run.stream.text
        mode = run.mode.rawValue
        trigger = run.trigger.rawValue
        status = run.status.rawValue
        direction = "inbound"
        since = run.since
        until = run.until
        created_at = run.createdAt
        started_at = run.startedAt
        finished_at = run.finishedAt
        duration_seconds = run.startedAt.map { Double((run.finishedAt ?? now).milliseconds - $0.milliseconds) / 1000 }
        counts = run.counts
        pages = run.pages
        attempts = run.attempts
        error = run.error
    }
}
