// What a run asks of the one that keeps it: why it was stopped, and its place while it only waits.

import BerthModel

/// Keeps a run while it is driven.
protocol RunKeeper: Sendable {
    /// Why a run whose task was cancelled ends.
    func ending(of id: RunID) async -> RunEnding
    /// Waits without a place, and for a place after that; ends at once when the run's task is cancelled.
    func rest(_ run: SyncRun, for wait: Duration) async
    /// Whether the daemon stops, so that what can't be stored is left to the next start.
    var isStopping: Bool { get async }
}

/// Why a cancelled run ends.
enum RunEnding: Sendable {
    /// A person asked for it.
    case cancelled
    /// Its connection was removed or disconnected, or reads somebody else's data now; why, for the run's row.
    case connectionEnded(AttemptFailure)
    /// Its connection was paused: the run goes back to the queue, and waits there.
    case paused
    /// The daemon stops: the run goes back to the queue.
    case shutdown
}
