// The store on SQLite: one file, one writer with group commit, many readers. Everything that is promised stands behind
// `synchronous=FULL`, which is asserted and not assumed: GRDB lowers it to NORMAL on its own.

public import BerthModel
public import BerthSeams
import Foundation
import GRDB
public import Logging
import Synchronization

/// The embedded store. All writes are durable when their method returns; reads see the last commit.
public final class SQLiteStore: Store {
    /// This life of the daemon.
    public let epoch: EpochID
    /// The database file.
    public let path: String

    let pool: DatabasePool
    let queue: WriteQueue
    let epochNumber: Int64
    let clock: any WallClock
    let entropy: any Entropy
    let space: SpaceGuard
    let lock: FileLock
    let logger: Logger
    /// Sequence numbers of events leased by this epoch, so that settling finds rows without an index look-up.
    let leased = Mutex<[EventID: Int64]>([:])
    /// Remembers damage over restarts.
    let mark: DamageMark
    /// Which file was opened; what stands at its path may become another.
    private let opened: FileIdentity?
    /// That the file is not at its path any more; then nothing is acknowledged, since nobody would find it again.
    let absence = Mutex<BerthError?>(nil)

    /// Limits of the store.
    public struct Limits: Sendable {
        /// Writes that may wait before deliveries are refused with `overloaded`.
        public var queueMax = 20_000
        /// Space held back so that deletion works on a full disk; twice of it is the low mark.
        public var ballastBytes: Int64 = 64 << 20
        /// Defaults.
        public init() {}
    }

    /// Opens or creates the database at `path`, migrates it forward (a backup is made first), frees what dead epochs
    /// held, and asserts that commits are synced. Throws with a hint when another daemon has it open, it is damaged,
    /// too new, or not durable.
    public static func open(
        path: String, clock: any WallClock, entropy: any Entropy, limits: Limits = .init(), logger: Logger
    ) async throws(BerthError) -> SQLiteStore {
        do { return try await SQLiteStore(path: path, clock: clock, entropy: entropy, limits: limits, logger: logger) } catch {
            throw StoreErrors.translate(error)
        }
    }

    /// The file itself: two names of one database must find the same lock and the same log.
    static func resolved(_ path: String) -> String { (path as NSString).resolvingSymlinksInPath }

    private init(path: String, clock: any WallClock, entropy: any Entropy, limits: Limits, logger: Logger) async throws {
        let path = Self.resolved(path)
        self.path = path
        mark = DamageMark(database: path)
        self.clock = clock
        self.entropy = entropy
        self.logger = logger
        lock = try FileLock(path: path + ".lock")
        try Self.prepareFile(path)
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 4
        configuration.foreignKeysEnabled = false
        pool = try DatabasePool(path: path, configuration: configuration)
        try await Self.makeDurable(pool)
        try mark.check(pool)
        let backup: @Sendable (Int) throws -> Void = { version in try Self.backUpBeforeMigration(path, version, clock.now()) }
        try await pool.writeWithoutTransaction { database in try Migrations.apply(database, backup: backup) }
        opened = FileIdentity(path)
        epoch = EpochID(clock, entropy)
        let now = clock.now()
        epochNumber = try await pool.write { [epoch] database in try Self.begin(epoch, at: now, database) }
        space = SpaceGuard(folder: (path as NSString).deletingLastPathComponent, ballastBytes: limits.ballastBytes, logger: logger)
        queue = WriteQueue(
            pool: pool, queueMax: limits.queueMax, onDamage: { [mark] in mark.leave($0) },
            absence: { [opened] in Self.absence(of: opened, at: path) }
        ) { [epochNumber] database in
            Writer(database: database, epoch: epochNumber, clock: clock, entropy: entropy)
        }
        try await define(EntityDefinition.builtIn)
    }

    /// Reads on a snapshot of its own.
    func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws(BerthError) -> T {
        do { return try await pool.read(body) } catch {
            let reason = StoreErrors.translate(error)
            if StoreErrors.isCorrupt(error) { mark.leave(reason) }
            if StoreErrors.isFatal(error) { queue.stop(for: reason) }
            throw reason
        }
    }

    /// Waits until writing has become impossible (a failed sync, a damaged file) and answers why; nil when cancelled. From then on
    /// nothing is acknowledged: pages may be gone though a later sync would succeed, so only a new start can tell what is there.
    public func untilBroken() async -> BerthError? {
        for await reason in queue.broken.stream { return reason }
        return nil
    }

    /// Looks at the free space: gives the ballast up on a full disk, takes it again when there is room. For a daemon to which
    /// nothing is sent.
    public func lookAtSpace() { _ = space.freeBytes() }

    /// Looks whether the file is still where it was; answers whether that has changed, with what is wrong now.
    public func lookAtFile() -> (hasChanged: Bool, problem: BerthError?) {
        let problem = Self.absence(of: opened, at: path)
        return absence.withLock { known in
            defer { known = problem }
            return ((known == nil) != (problem == nil), problem)
        }
    }

    /// What is wrong when another file, or none, stands where the opened one was.
    private static func absence(of opened: FileIdentity?, at path: String) -> BerthError? {
        let now = FileIdentity(path)
        guard now != opened else { return nil }
        return BerthError(
            "store_file_gone", "the database file \(path) was \(now == nil ? "removed" : "replaced") while berthd has it open",
            hint: "berthctl backup /path/new.db saves what it holds, as long as berthd runs; then stop berthd and restore that. "
                + "Deliveries are refused until then")
    }

    /// Waits for running writes and closes; later calls throw.
    public func close() async {
        await queue.close()
        do {
            // All into the one file: a copy of it alone is then whole, and no old log is there to spoil a file put in its place. Readers
            // first, since only the last connection may delete the log, and theirs can't write.
            if queue.brokenBy == nil { try await pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) } }
            pool.invalidateReadOnlyConnections()
            try pool.close()
        } catch { logger.error("database not closed cleanly", metadata: ["error": "\(error)"]) }
        lock.release()
    }
}
