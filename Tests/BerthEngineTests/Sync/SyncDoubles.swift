// Runs as a store keeps them, in memory, and a bed of connections with schedules. Only what schedules and syncs call does anything.

import BerthEngine
import BerthModel
import BerthSeams
import Synchronization

/// One open run per connection and stream; what a test wants refused is refused.
final class MemoryRuns: RunStore, AuditStore, FeedStore {
    struct Kept {
        var runs: [SyncRun] = []
        var states: [StreamState] = []
        var paused: Set<ConnectionID> = []
        /// Claims still to be refused, as by a full disk.
        var claimsRefused = 0
    }
    let kept = Mutex(Kept())
    /// Whether a run ends in the moment it is queued, so that a test looks at nothing but schedules.
    let endsAtOnce: Bool
    let finished = AsyncStream<RunID>.makeStream()
    let released = AsyncStream<RunID>.makeStream()
    /// What happens while a run is put back.
    let meanwhile = Mutex<(@Sendable () async -> Void)?>(nil)

    init(endsAtOnce: Bool = false) { self.endsAtOnce = endsAtOnce }

    var runs: [SyncRun] { kept.withLock { $0.runs } }

    func note(_ state: StreamState) {
        kept.withLock { kept in
            kept.states.removeAll { $0.connection == state.connection && $0.stream == state.stream }
            kept.states.append(state)
        }
    }

    func enqueueRun(_ run: SyncRun) async throws(BerthError) {
        let isFree = kept.withLock { kept in
            guard !kept.runs.contains(where: { $0.connection == run.connection && $0.stream == run.stream && $0.status == .queued }) else {
                return false
            }
            var run = run
            run.status = endsAtOnce ? .success : .queued
            kept.runs.append(run)
            return true
        }
        guard isFree else { throw BerthError(.conflict, "there is one") }
        note(
            StreamState(
                connection: run.connection, stream: run.stream, highWater: nil, lastRunAt: run.createdAt,
                lastStatus: endsAtOnce ? .success : .queued))
    }

    func waitingRuns() async throws(BerthError) -> [WaitingRun] {
        kept.withLock { kept in
            kept.runs.filter { $0.status == .queued && !kept.paused.contains($0.connection) }
                .map { WaitingRun(id: $0.id, connection: $0.connection, provider: $0.provider) }
        }
    }

    func claimRuns(_ ids: [RunID], now: Timestamp) async throws(BerthError) -> [SyncRun] {
        let claimed: [SyncRun]? = kept.withLock { kept in
            guard kept.claimsRefused == 0 else {
                kept.claimsRefused -= 1
                return nil
            }
            let queued = kept.runs.indices.filter { kept.runs[$0].status == .queued && ids.contains(kept.runs[$0].id) }
            for index in queued { kept.runs[index].status = .running }
            return queued.map { kept.runs[$0] }
        }
        guard let claimed else { throw BerthError(.store, "the disk is full", isRetryable: true) }
        return claimed
    }

    func cancelQueuedRun(_ id: RunID, error: AttemptFailure, now: Timestamp) async throws(BerthError) -> FinishReceipt? {
        let isQueued = kept.withLock { kept in
            guard let index = kept.runs.firstIndex(where: { $0.id == id && $0.status == .queued }) else { return false }
            kept.runs[index].status = .cancelled
            return true
        }
        return isQueued ? FinishReceipt(notices: [], connection: nil) : nil
    }

    func releaseRun(_ id: RunID) async throws(BerthError) {
        await meanwhile.withLock { $0 }?()
        kept.withLock { kept in
            for index in kept.runs.indices where kept.runs[index].id == id { kept.runs[index].status = .queued }
        }
        released.continuation.yield(id)
    }

    func finishRun(
        _ id: RunID, status: RunStatus, error: AttemptFailure?, deletesUnseen: EntityName?, overlapSeconds: Int64, now: Timestamp
    ) async throws(BerthError) -> FinishReceipt {
        kept.withLock { kept in
            for index in kept.runs.indices where kept.runs[index].id == id { kept.runs[index].status = status }
        }
        finished.continuation.yield(id)
        return FinishReceipt(notices: [], connection: nil)
    }

    func endWaits(of connection: ConnectionID) async throws(BerthError) {}
    func streamStates(of connection: ConnectionID?) async throws(BerthError) -> [StreamState] { kept.withLock { $0.states } }
    func audit(_ entries: [AuditEntry]) async throws(BerthError) {}

    private var unused: BerthError { BerthError(.unsupported, "not part of schedules") }
    func commitPage(_ changes: [EntityChange], checkpoint: Checkpoint, run: RunID, now: Timestamp) async throws(BerthError) -> SettleReceipt
    {
        throw unused
    }
    func run(_ id: RunID) async throws(BerthError) -> SyncRun? { throw unused }
    func runs(connection: ConnectionID?, stream: StreamName?, status: RunStatus?, page: PageRequest) async throws(BerthError) -> Page<
        SyncRun
    > {
        throw unused
    }
    func auditEntries(_ filter: AuditFilter, page: PageRequest) async throws(BerthError) -> Page<AuditEntry> { throw unused }
    func notices(after sequence: Int64, limit: Int) async throws(BerthError) -> [Notice] { throw unused }
    func lastNotice() async throws(BerthError) -> Int64 { 0 }
}
