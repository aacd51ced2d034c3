// Settling: an event's records, its new state and its notices in one transaction.

public import BerthModel
public import BerthSeams
import Synchronization

extension SQLiteStore {
    public func settle(_ settlements: [EventSettlement], now: Timestamp) async throws(BerthError) -> SettleReceipt {
        try await queue.write { [self] writer in
            var receipt = SettleReceipt(notices: [], notHeld: [], counts: .init(), refused: [:])
            for settlement in settlements {
                guard let held = try Self.held(settlement.event, leased.withLock { $0[settlement.event] }, writer) else {
                    receipt.notHeld.append(settlement.event)
                    continue
                }
                try Self.settle(settlement, held, now, writer, &receipt)
            }
            let events = settlements.map(\.event)
            writer.onCommit { self.leased.withLock { leased in for event in events { leased[event] = nil } } }
            return receipt
        }
    }

    private struct Held {
        let sequence: Int64
        let connection: ConnectionID
        let owner: Int64
        let ordering: String?
        let isRemoved: Bool
    }

    /// The event's row if this epoch still holds it.
    private static func held(_ event: EventID, _ sequence: Int64?, _ writer: Writer) throws -> Held? {
        let find: PreparedStatement
        if let sequence {
            find = try writer.statement(
                """
                SELECT e.sequence, c.id, e.connection, e.ordering, c.removed FROM event e JOIN connection c ON c.number = e.connection
                WHERE e.sequence = ?1 AND e.state = 1 AND e.epoch = ?2
                """)
            find.bind(1, sequence)
        } else {
            find = try writer.statement(
                """
                SELECT e.sequence, c.id, e.connection, e.ordering, c.removed FROM event e JOIN connection c ON c.number = e.connection
                WHERE e.id = ?1 AND e.state = 1 AND e.epoch = ?2
                """)
            find.bind(1, event.description)
        }
        find.bind(2, writer.epoch)
        return try find.first { row in
            guard let connection = ConnectionID(row.text(1)) else { throw BerthError("store_corrupt", "unreadable connection id") }
            return Held(
                sequence: row.int64(0), connection: connection, owner: row.int64(2), ordering: row.optionalText(3),
                isRemoved: !row.isNull(4))
        }
    }

    private static func settle(
        _ settlement: EventSettlement, _ held: Held, _ now: Timestamp, _ writer: Writer, _ receipt: inout SettleReceipt
    ) throws {
        switch settlement.verdict {
        case .completed(let records):
            var applied: (RunCounts, [Notice])?
            let problem =
                records.isEmpty
                ? nil
                : try writer.isolatedRecords { applied = try writer.applyOneByOne(records, held.connection, now: now) }
            if let problem {
                receipt.refused[settlement.event] = problem.message
                let failure = AttemptFailure(.invalidEvent, problem.message)
                try discard(settlement.event, held, failure, now, writer, &receipt)
                return
            }
            if let applied {
                receipt.counts += applied.0
                receipt.notices += applied.1
            }
            try end(held, state: .completed, isUnsupported: false, failure: nil, now, writer)
        case .unsupported:
            try end(held, state: .completed, isUnsupported: true, failure: nil, now, writer)
        case .retry where held.isRemoved, .release where held.isRemoved:
            try end(held, state: .cancelled, isUnsupported: false, failure: Writer.removal, now, writer)
        case .retry(let at, let failure):
            let update = try writer.statement(
                "UPDATE event SET state = 2, due = ?2, failure = ?3, deaths = deaths + ?4, epoch = NULL WHERE sequence = ?1")
            update.bind(1, held.sequence)
            update.bind(2, at.milliseconds)
            update.bind(3, try FailureText.encode(failure))
            update.bind(4, failure.status.isHostVerdict ? 1 : 0)
            try update.run()
        case .release:
            try writer.run("UPDATE event SET state = 0, attempt = max(0, attempt - 1), epoch = NULL WHERE sequence = ?1", held.sequence)
        case .discard(let failure):
            try discard(settlement.event, held, failure, now, writer, &receipt)
        }
    }

    private static func discard(
        _ event: EventID, _ held: Held, _ failure: AttemptFailure, _ now: Timestamp, _ writer: Writer, _ receipt: inout SettleReceipt
    ) throws {
        try end(held, state: .discarded, isUnsupported: false, failure: failure, now, writer)
        let data = JSONValue.object([
            "event": .string(event.description), "status": .string(failure.status.rawValue), "reason": .string(failure.message),
        ])
        let owner = try writer.owner(held.connection)
        receipt.notices.append(try writer.notice(.eventDiscarded, held.connection, owner, at: now, data: data.text))
    }

    private static func end(
        _ held: Held, state: EventState, isUnsupported: Bool, failure: AttemptFailure?, _ now: Timestamp, _ writer: Writer
    ) throws {
        let update = try writer.statement(
            "UPDATE event SET state = ?2, settled = ?3, unsupported = ?4, failure = ?5, epoch = NULL WHERE sequence = ?1")
        update.bind(1, held.sequence)
        update.bind(2, EventRow.number(state))
        update.bind(3, now.milliseconds)
        update.bind(4, isUnsupported ? 1 : 0)
        update.bind(5, try failure.map(FailureText.encode))
        try update.run()
        if let ordering = held.ordering { try writer.wakeFollowers(held.owner, ordering, now) }
    }
}

extension Writer {
    /// Runs one event's records in a savepoint inside a job; answers why they were refused.
    func isolatedRecords(_ body: () throws -> Void) throws -> BerthError? {
        try statement("SAVEPOINT records").run()
        do {
            try body()
            try statement("RELEASE records").run()
            return nil
        } catch let error as BerthError where error.code == .invalid {
            try statement("ROLLBACK TO records").run()
            try statement("RELEASE records").run()
            return error
        }
    }

    /// The head of a line has ended: who waited with it for its next attempt is due now.
    func wakeFollowers(_ owner: Int64, _ ordering: String, _ now: Timestamp) throws {
        let next = try statement(
            """
            SELECT due, state FROM event INDEXED BY event_order
            WHERE connection = ?1 AND ordering = ?2 AND state < 4 AND ordering IS NOT NULL ORDER BY sequence LIMIT 1
            """)
        next.bind(1, owner)
        next.bind(2, ordering)
        // A retry waits for itself, not for a head.
        guard let (due, state) = try next.first({ ($0.int64(0), $0.int64(1)) }), state == 0, due > now.milliseconds else { return }
        let wake = try statement(
            """
            UPDATE event INDEXED BY event_order SET due = ?3
            WHERE connection = ?1 AND ordering = ?2 AND state < 4 AND ordering IS NOT NULL AND state = 0 AND due > ?3
            """)
        wake.bind(1, owner)
        wake.bind(2, ordering)
        wake.bind(3, now.milliseconds)
        try wake.run()
    }

    /// Runs a statement with one number.
    func run(_ sql: StaticString, _ number: Int64) throws {
        let statement = try statement(sql)
        statement.bind(1, number)
        try statement.run()
    }
}
