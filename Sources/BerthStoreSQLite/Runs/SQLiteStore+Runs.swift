// Sync runs: queued, claimed, committed page by page, finished.

public import BerthModel
public import BerthSeams
import GRDB

extension SQLiteStore {
    public func enqueueRun(_ run: SyncRun) async throws(BerthError) {
        try await queue.write { writer in
            let owner = try writer.owner(run.connection)
            let open = try writer.statement(
                "SELECT id, status FROM run WHERE connection = ?1 AND stream = ?2 AND status IN ('queued', 'running')")
            open.bind(1, owner.number)
            open.bind(2, run.stream.text)
            if let (id, status) = try open.first({ ($0.text(0), $0.text(1)) }) {
                throw BerthError(
                    .conflict, "stream '\(run.stream)' of \(run.connection) already has a \(status) run: \(id)",
                    hint: "wait for it (berthctl sync show \(id)) or cancel it (berthctl sync cancel \(id))", isRetryable: true)
            }
            let insert = try writer.statement(
                """
                INSERT INTO run (id, connection, stream, mode, cause, status, since, until, created, counts)
                VALUES (?1, ?2, ?3, ?4, ?5, 'queued', ?6, ?7, ?8, ?9)
                """)
            insert.bind(1, run.id.description)
            insert.bind(2, owner.number)
            insert.bind(3, run.stream.text)
            insert.bind(4, run.mode.rawValue)
            insert.bind(5, run.trigger.rawValue)
            insert.bind(6, run.since?.milliseconds)
            insert.bind(7, run.until.milliseconds)
            insert.bind(8, run.createdAt.milliseconds)
            insert.bind(9, try RunRow.encode(run.counts))
            try insert.run()
            let state = try writer.statement(
                """
                INSERT INTO stream_state (connection, stream, last_run, last_status) VALUES (?1, ?2, ?3, 'queued')
                ON CONFLICT DO UPDATE SET last_run = excluded.last_run, last_status = 'queued'
                """)
            state.bind(1, owner.number)
            state.bind(2, run.stream.text)
            state.bind(3, run.createdAt.milliseconds)
            try state.run()
        }
    }

    public func waitingRuns() async throws(BerthError) -> [WaitingRun] {
        try await read { database in
            // The first condition is the index's own: the others' runs of years are not looked at.
            let query = ReadQuery(
                """
                SELECT r.id, c.id, c.provider FROM run r INDEXED BY run_open JOIN connection c ON c.number = r.connection
                WHERE r.status IN ('queued', 'running') AND r.status = 'queued' AND c.status <> 'paused' ORDER BY r.number
                """)
            return try query.all(database) { row in
                guard let id = RunID(row.text(0)), let connection = ConnectionID(row.text(1)), let provider = ProviderName(row.text(2))
                else { throw BerthError("store_corrupt", "run row '\(row.text(0))' is unreadable") }
                return WaitingRun(id: id, connection: connection, provider: provider)
            }
        }
    }

    public func claimRuns(_ ids: [RunID], now: Timestamp) async throws(BerthError) -> [SyncRun] {
        try await queue.write { writer in
            let take = try writer.statement(
                """
                UPDATE run SET status = 'running', epoch = ?2, attempts = attempts + 1, started = coalesce(started, ?3)
                WHERE id = ?1 AND status = 'queued' AND connection IN (SELECT number FROM connection WHERE status <> 'paused')
                """)
            let load = try writer.statement(dynamic: RunRow.select + " WHERE r.id = ?1")
            return try ids.compactMap { id in
                take.bind(1, id.description)
                take.bind(2, writer.epoch)
                take.bind(3, now.milliseconds)
                guard try take.run() == 1 else { return nil }
                load.bind(1, id.description)
                return try load.first(RunRow.read)
            }
        }
    }

    public func commitPage(_ changes: [EntityChange], checkpoint: Checkpoint, run: RunID, now: Timestamp) async throws(BerthError)
        -> SettleReceipt
    {
        try await queue.write { writer in
            let held = try Self.held(run, writer)
            try Self.checkConnection(of: held.run, writer)
            let seen = held.run.mode == .full ? held.number : nil
            let (counts, notices, problem) = try writer.applyPage(
                changes, held.run.connection, run: run, runNumber: seen, stream: held.run.stream, now: now)
            var total = held.run.counts
            total += counts
            let update = try writer.statement(
                """
                UPDATE run SET pages = pages + 1, counts = ?2, checkpoint_schema = ?3, checkpoint = ?4, error = coalesce(?5, error)
                WHERE number = ?1
                """)
            update.bind(1, held.number)
            update.bind(2, try RunRow.encode(total))
            update.bind(3, Int64(checkpoint.schema))
            update.bindBlob(4, checkpoint.state)
            update.bind(5, try problem.map { try FailureText.encode(AttemptFailure(.invalidEvent, "first refused record: \($0)")) })
            try update.run()
            return SettleReceipt(notices: notices, notHeld: [], counts: counts, refused: [:])
        }
    }

    /// What was asked for a connection before it ended is not kept, however late it is heard that the run is to stop.
    private static func checkConnection(of run: SyncRun, _ writer: Writer) throws {
        let find = try writer.statement("SELECT removed IS NOT NULL FROM connection WHERE id = ?1 AND status = 'disconnected'")
        find.bind(1, run.connection.description)
        guard let isRemoved = try find.first({ $0.int64(0) != 0 }) else { return }
        throw BerthError(
            .connectionEnded, AttemptFailure.connectionEnded(isRemoved: isRemoved).message, hint: "berthctl sync show \(run.id)")
    }

    public func releaseRun(_ id: RunID) async throws(BerthError) {
        try await queue.write { writer in
            let update = try writer.statement(
                "UPDATE run SET status = 'queued', epoch = NULL WHERE id = ?1 AND status = 'running' AND epoch = ?2")
            update.bind(1, id.description)
            update.bind(2, writer.epoch)
            try update.run()
        }
    }

    private struct HeldRun {
        let number: Int64
        let run: SyncRun
    }

    private static func held(_ id: RunID, _ writer: Writer) throws -> HeldRun {
        let find = try writer.statement(dynamic: RunRow.select + " WHERE r.id = ?1 AND r.status = 'running' AND r.epoch = ?2")
        find.bind(1, id.description)
        find.bind(2, writer.epoch)
        guard let held = try find.first({ HeldRun(number: $0.int64(18), run: try RunRow.read($0)) }) else {
            throw BerthError(.conflict, "run \(id) is no longer held by this daemon", hint: "berthctl sync show \(id)")
        }
        return held
    }

    public func finishRun(
        _ id: RunID, status: RunStatus, error: AttemptFailure?, deletesUnseen: EntityName?, overlapSeconds: Int64, now: Timestamp
    ) async throws(BerthError) -> FinishReceipt {
        try await queue.write { writer in
            try Self.end(
                try Self.held(id, writer), status, error, deletesUnseen: deletesUnseen, overlapSeconds: overlapSeconds, now, writer)
        }
    }

    public func cancelQueuedRun(_ id: RunID, error: AttemptFailure, now: Timestamp) async throws(BerthError) -> FinishReceipt? {
        try await queue.write { writer in
            let find = try writer.statement(dynamic: RunRow.select + " WHERE r.id = ?1 AND r.status = 'queued'")
            find.bind(1, id.description)
            guard let queued = try find.first({ HeldRun(number: $0.int64(18), run: try RunRow.read($0)) }) else { return nil }
            return try Self.end(queued, .cancelled, error, deletesUnseen: nil, overlapSeconds: 0, now, writer)
        }
    }

    private static func end(
        _ held: HeldRun, _ status: RunStatus, _ error: AttemptFailure?, deletesUnseen: EntityName?, overlapSeconds: Int64, _ now: Timestamp,
        _ writer: Writer
    ) throws -> FinishReceipt {
        let owner = try writer.owner(held.run.connection)
        var notices: [Notice] = []
        var counts = held.run.counts
        if let entity = deletesUnseen {
            counts.deleted += try buryUnseen(entity, owner.number, held, now, writer)
        }
        let update = try writer.statement(
            "UPDATE run SET status = ?2, finished = ?3, error = coalesce(?4, error), counts = ?5, epoch = NULL WHERE number = ?1")
        update.bind(1, held.number)
        update.bind(2, status.rawValue)
        update.bind(3, now.milliseconds)
        update.bind(4, try error.map(FailureText.encode))
        update.bind(5, try RunRow.encode(counts))
        try update.run()
        let asked = status == .failed ? error?.retryAfterMilliseconds : nil
        let notBefore = asked.map { now.adding(milliseconds: Int64(min($0, 86_400_000))) }
        let state = StreamEnd(run: held.run, status: status, notBefore: notBefore, overlapSeconds: overlapSeconds, endedAt: now)
        try noteStream(state, owner.number, writer)
        let connection = try noteConnection(held.run.connection, owner, status, error, now, writer, &notices)
        let data = JSONValue.object([
            "run": .string(held.run.id.description), "stream": .string(held.run.stream.text), "status": .string(status.rawValue),
            "processed": .integer(Int64(counts.processed)), "created": .integer(Int64(counts.created)),
            "updated": .integer(Int64(counts.updated)), "failed": .integer(Int64(counts.failed)),
        ])
        notices.append(try writer.notice(.runFinished, held.run.connection, owner, at: now, data: data.text))
        return FinishReceipt(notices: notices, connection: connection)
    }

    private static func buryUnseen(_ entity: EntityName, _ owner: Int64, _ held: HeldRun, _ now: Timestamp, _ writer: Writer) throws -> Int
    {
        _ = try writer.table(entity)
        let update = try writer.statement(
            dynamic: """
                UPDATE \(EntityTables.table(entity)) SET deleted = ?2, updated = ?2
                WHERE connection = ?1 AND deleted IS NULL AND (seen_run IS NULL OR seen_run <> ?3) AND created < ?4
                """)
        update.bind(1, owner)
        update.bind(2, now.milliseconds)
        update.bind(3, held.number)
        update.bind(4, held.run.createdAt.milliseconds)
        return try update.run()
    }

    /// What the end of a run says of its stream.
    private struct StreamEnd {
        let run: SyncRun
        let status: RunStatus
        let notBefore: Timestamp?
        let overlapSeconds: Int64
        let endedAt: Timestamp

        /// Whether the run read up to `until`, which a clock that was ahead may have put into the future.
        var reachedEnd: Bool { (status == .success || status == .partial) && run.mode != .range && run.until <= endedAt }
        /// Nothing before `until` is left out if the stream's mark is not before this; nil: whatever the mark is.
        var markNeeded: Timestamp? { run.mode == .full && run.since == nil ? nil : run.since?.adding(seconds: overlapSeconds) }
    }

    /// The mark is looked at in the transaction that moves it: a run that began behind it would leave a gap nobody reads.
    private static func noteStream(_ end: StreamEnd, _ owner: Int64, _ writer: Writer) throws {
        let update = try writer.statement(
            """
            INSERT INTO stream_state (connection, stream, high_water, last_status, not_before)
              VALUES (?1, ?2, CASE WHEN ?6 IS NULL THEN ?3 END, ?4, ?5)
            ON CONFLICT DO UPDATE SET last_status = excluded.last_status,
              not_before = CASE excluded.last_status WHEN 'cancelled' THEN not_before ELSE excluded.not_before END,
              high_water = CASE WHEN ?6 IS NULL OR high_water >= ?6
                THEN max(coalesce(high_water, ?3), coalesce(?3, high_water)) ELSE high_water END
            """)
        update.bind(1, owner)
        update.bind(2, end.run.stream.text)
        update.bind(3, end.reachedEnd ? end.run.until.milliseconds : nil)
        update.bind(4, end.status.rawValue)
        update.bind(5, end.notBefore?.milliseconds)
        update.bind(6, end.markNeeded?.milliseconds)
        try update.run()
    }

    /// Three failures in a row put the connection in error; success clears it. A pause stays a pause, and what is disconnected or
    /// removed is left as it is.
    private static func noteConnection(
        _ id: ConnectionID, _ owner: Writer.Owner, _ status: RunStatus, _ error: AttemptFailure?, _ now: Timestamp, _ writer: Writer,
        _ notices: inout [Notice]
    ) throws -> ConnectionVersion? {
        guard var connection = try writer.connection(id) else { return nil }
        let before = connection
        switch status {
        case .failed where connection.status != .disconnected:
            connection.consecutiveFailures += 1
            connection.lastError = error?.message ?? connection.lastError
            if connection.consecutiveFailures >= 3, connection.status == .active {
                connection.status = .error
                let data = JSONValue.object([
                    "failures": .integer(Int64(connection.consecutiveFailures)), "reason": .string(error?.message ?? ""),
                ])
                notices.append(try writer.notice(.connectionError, id, owner, at: now, data: data.text))
            }
        case .success, .partial:
            connection.lastSyncAt = now
            guard connection.status != .disconnected else { break }
            connection.consecutiveFailures = 0
            connection.lastError = nil
            if connection.status == .error {
                connection.status = .active
                notices.append(try writer.notice(.connectionRecovered, id, owner, at: now, data: "{}"))
            }
        case .failed, .cancelled, .queued, .running: break
        }
        if connection != before { try writer.update(connection) }
        return writer.version(connection)
    }

    public func run(_ id: RunID) async throws(BerthError) -> SyncRun? {
        try await read { database in
            var query = ReadQuery(RunRow.select)
            query.append(" WHERE r.id = ?", id.description)
            return try query.all(database, RunRow.read).first
        }
    }

    public func runs(connection: ConnectionID?, stream: StreamName?, status: RunStatus?, page: PageRequest) async throws(BerthError)
        -> Page<SyncRun>
    {
        let limit = max(1, min(1000, page.limit))
        return try await read { database in
            var query = ReadQuery(RunRow.select + " WHERE 1")
            if let connection { query.append(" AND c.id = ?", connection.description) }
            if let stream { query.append(" AND r.stream = ?", stream.text) }
            if let status { query.append(" AND r.status = ?", status.rawValue) }
            if let cursor = page.cursor { query.append(" AND r.number < ?", try ListCursor(cursor, of: "runs").number) }
            query.append(" ORDER BY r.number DESC LIMIT ?", Int64(limit + 1))
            var rows = try query.all(database) { (try RunRow.read($0), $0.int64(18)) }
            let hasMore = rows.count > limit
            if hasMore { rows.removeLast() }
            return Page(items: rows.map(\.0), next: hasMore ? rows.last.map { ListCursor("runs", number: $0.1).text } : nil)
        }
    }

    public func endWaits(of connection: ConnectionID) async throws(BerthError) {
        try await queue.write { writer in
            let update = try writer.statement(
                "UPDATE stream_state SET not_before = NULL WHERE connection = (SELECT number FROM connection WHERE id = ?1)")
            update.bind(1, connection.description)
            try update.run()
        }
    }

    public func streamStates(of connection: ConnectionID?) async throws(BerthError) -> [StreamState] {
        try await read { database in
            var query = ReadQuery(
                """
                SELECT c.id, s.stream, s.high_water, s.last_run, s.last_status, s.not_before FROM stream_state s
                JOIN connection c ON c.number = s.connection WHERE c.removed IS NULL
                """)
            if let connection { query.append(" AND c.id = ?", connection.description) }
            return try query.all(database) { row in
                guard let id = ConnectionID(row.text(0)), let stream = StreamName(row.text(1)) else {
                    throw BerthError("store_corrupt", "a stream state is unreadable")
                }
                return StreamState(
                    connection: id, stream: stream, highWater: row.optionalInt64(2).map { Timestamp(milliseconds: $0) },
                    lastRunAt: row.optionalInt64(3).map { Timestamp(milliseconds: $0) },
                    lastStatus: row.optionalText(4).flatMap { RunStatus(rawValue: $0) },
                    notBefore: row.optionalInt64(5).map { Timestamp(milliseconds: $0) })
            }
        }
    }
}

extension Writer {
    /// Makes streams begin anew. A run that goes on keeps a lower bound from which nobody's position follows, whatever its mode, so
    /// that its end can't set one for the account that comes.
    func restartStreams(of owner: Int64) throws {
        let states = try statement("UPDATE stream_state SET high_water = NULL, not_before = NULL WHERE connection = ?1")
        states.bind(1, owner)
        try states.run()
        let runs = try statement(
            """
            UPDATE run SET checkpoint = NULL, checkpoint_schema = NULL,
              since = CASE WHEN mode = 'range' THEN since WHEN status = 'running' THEN 0 END
            WHERE connection = ?1 AND status IN ('queued', 'running')
            """)
        runs.bind(1, owner)
        try runs.run()
    }
}
