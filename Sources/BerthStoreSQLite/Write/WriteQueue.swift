// One writer, group commit: what waits when the last commit is synced goes into the next transaction together, so one
// fsync serves many. A write is answered only after that commit returned.

import BerthModel
import Foundation
import GRDB
import GRDBSQLite
import Synchronization

/// The queue before the one writer connection.
///
/// `@unchecked Sendable`: `waiting`, `isClosed` and `failure` are touched only under `condition`; `statements` only by the
/// writer's thread.
final class WriteQueue: @unchecked Sendable {
    /// One write: runs on the writer inside the transaction, is told the outcome after the commit.
    struct Job {
        /// Undone alone when it throws; false for writes that throw only when the whole transaction is lost.
        let isIsolated: Bool
        /// Takes a delivery in: what its sender is told rests on this commit.
        let isDelivery: Bool
        let run: (Writer) throws -> Void
        let finish: (BerthError?) -> Void
    }

    private let pool: DatabasePool
    private let condition = NSCondition()
    private var waiting: [Job] = []
    private var isClosed = false
    private var failure: BerthError?
    private let queueMax: Int
    private let batchMax = 1024
    /// Commits so far; lets a test see that writes are grouped.
    let commits = Atomic<Int>(0)
    private let depth = Atomic<Int>(0)
    /// Tells once of what made writing impossible.
    let broken = AsyncStream<BerthError>.makeStream(bufferingPolicy: .bufferingOldest(1))
    private let ended = DispatchSemaphore(value: 0)
    private let makeWriter: (Database) throws -> Writer
    private let onDamage: (BerthError) -> Void
    private let absence: () -> BerthError?

    init(
        pool: DatabasePool, queueMax: Int, onDamage: @escaping (BerthError) -> Void, absence: @escaping () -> BerthError?,
        makeWriter: @escaping (Database) throws -> Writer
    ) {
        self.pool = pool
        self.onDamage = onDamage
        self.absence = absence
        self.queueMax = queueMax
        self.makeWriter = makeWriter
        let thread = Thread { [weak self] in self?.runWriter() }
        thread.name = "berth-writer"
        thread.start()
    }

    /// Writes waiting or in the running transaction.
    var count: Int { depth.load(ordering: .relaxed) }
    /// Set when a commit could not be synced: from then on nothing is written.
    var brokenBy: BerthError? { condition.withLock { failure } }

    /// Runs `body` in the next transaction; durable when it returns.
    func write<T: Sendable>(isIsolated: Bool = true, _ body: @escaping (Writer) throws -> T) async throws(BerthError) -> T {
        try await withUnsafeContinuation { (continuation: UnsafeContinuation<Result<T, BerthError>, Never>) in
            write(isIsolated: isIsolated, { continuation.resume(returning: $0) }, body)
        }.get()
    }

    /// Runs `body` in the next transaction and answers after its commit, on the writer's thread: the answer must be
    /// quick. A refusal is answered at once.
    func write<T>(
        isIsolated: Bool, isDelivery: Bool = false, _ answer: @escaping (Result<T, BerthError>) -> Void,
        _ body: @escaping (Writer) throws -> T
    ) {
        var value: T?
        enqueue(
            Job(isIsolated: isIsolated, isDelivery: isDelivery, run: { value = try body($0) }) { error in
                switch (error, value) {
                case (let error?, _): answer(.failure(error))
                case (nil, let value?): answer(.success(value))
                case (nil, nil): answer(.failure(BerthError(.internal, "a write ended without a value")))
                }
            })
    }

    private func enqueue(_ job: Job) {
        let refusal: BerthError? = condition.withLock {
            if let failure { return failure }
            if isClosed { return BerthError(.stopping, "the daemon is stopping", isRetryable: true) }
            if waiting.count >= queueMax {
                return BerthError(
                    .overloaded, "\(waiting.count) writes wait for the disk", hint: "the sender tries again; see berth_store_queued_writes",
                    isRetryable: true, retryAfter: .seconds(1))
            }
            waiting.append(job)
            depth.add(1, ordering: .relaxed)
            condition.signal()
            return nil
        }
        if let refusal { job.finish(refusal) }
    }

    /// A read found the file damaged or the disk failing: from now on nothing is written.
    func stop(for reason: BerthError) {
        condition.withLock { failure = failure ?? reason }
        broken.continuation.yield(reason)
    }

    /// Writes what waits, then stops; later writes are refused.
    func close() async {
        condition.withLock {
            isClosed = true
            condition.signal()
        }
        await withUnsafeContinuation { continuation in
            DispatchQueue.global().async {
                self.ended.wait()
                self.ended.signal()
                continuation.resume()
            }
        }
    }

    private func runWriter() {
        var writer: Writer?
        while let jobs = take() {
            perform(jobs, &writer)
            depth.subtract(jobs.count, ordering: .relaxed)
        }
        writer?.finalize()
        ended.signal()
    }

    private func take() -> [Job]? {
        condition.withLock {
            while waiting.isEmpty {
                if isClosed { return nil }
                condition.wait()
            }
            guard waiting.count > batchMax else {
                defer { waiting.removeAll(keepingCapacity: true) }
                return waiting
            }
            defer { waiting.removeFirst(batchMax) }
            return Array(waiting.prefix(batchMax))
        }
    }

    /// One transaction. Each isolated job stands in a savepoint of its own.
    private func perform(_ all: [Job], _ writer: inout Writer?) {
        var jobs = all
        // Into a file that nobody will find again nothing is accepted; what goes on in it may end.
        if jobs.contains(where: \.isDelivery), let problem = absence() {
            for job in jobs where job.isDelivery { job.finish(problem) }
            jobs.removeAll(where: \.isDelivery)
            if jobs.isEmpty { return }
        }
        var outcomes: [BerthError?] = Array(repeating: nil, count: jobs.count)
        do {
            try pool.writeWithoutTransaction { database in
                if writer == nil { writer = try makeWriter(database) }
                guard let writer else { return }
                try database.execute(sql: "BEGIN IMMEDIATE")
                do {
                    for (index, job) in jobs.enumerated() {
                        if job.isIsolated, jobs.count > 1 {
                            outcomes[index] = try writer.isolated { try job.run(writer) }
                        } else {
                            try job.run(writer)
                        }
                    }
                    KillPoint.reach("store.before-commit", if: jobs.contains { $0.isDelivery })
                    try database.execute(sql: "COMMIT")
                    KillPoint.reach("store.after-commit", if: jobs.contains { $0.isDelivery })
                    commits.add(1, ordering: .relaxed)
                    writer.committed()
                } catch {
                    writer.rolledBack()
                    if sqlite3_get_autocommit(database.sqliteConnection) == 0 { try database.execute(sql: "ROLLBACK") }
                    throw error
                }
            }
        } catch {
            let reason = StoreErrors.translate(error)
            if StoreErrors.isCorrupt(error) { onDamage(reason) }
            if StoreErrors.isFatal(error) {
                condition.withLock { failure = reason }
                broken.continuation.yield(reason)
            }
            if jobs.count > 1, !StoreErrors.isFatal(error), reason.code != .overloaded {
                // One job's defect must not fail its neighbours: each again, alone.
                for job in jobs { perform([job], &writer) }
                return
            }
            outcomes = Array(repeating: reason, count: jobs.count)
        }
        for (job, outcome) in zip(jobs, outcomes) { job.finish(outcome) }
    }
}
