// Kept answers in a database file of its own: it outlives restarts, and its loss costs nothing but requests. That is why it may
// skip what berth.db may never skip: nothing is synced, and a file that is damaged, full or strange is thrown away.

public import BerthModel
public import BerthSeams
import Foundation
import GRDB
public import Logging

/// ``ResponseCache`` over SQLite. Every call is one short transaction on the file's own queue.
public actor SQLiteResponseCache: ResponseCache {
    /// What all answers together may take.
    private let bytesMax: Int
    private let path: String
    private let logger: Logger
    /// nil: closed, or no file can be had.
    private var queue: DatabaseQueue?
    private var trouble: BerthError?
    /// When a file that can't be had is tried again; nil: there is one, or the cache was closed.
    private var nextTry: ContinuousClock.Instant?
    private let retryWait: Duration

    /// Opens or makes the file. Never fails: without a file nothing is kept, ``problem()`` and the log say why, and it is tried again
    /// when somebody asks `retryWait` later.
    public init(path: String, bytesMax: Int, logger: Logger, retryWait: Duration = .seconds(60)) {
        self.retryWait = retryWait
        self.path = path
        self.bytesMax = bytesMax
        self.logger = logger
        do { queue = try CacheSchema.open(path) } catch {
            queue = nil
            nextTry = .now + retryWait
            trouble = StoreErrors.translate(error)
            logger.warning(
                "answers of providers are not kept: the cache file can't be opened", metadata: ["file": "\(path)", "error": "\(error)"])
        }
    }

    /// Closes the file; later calls find nothing.
    public func close() {
        closeFile()
        nextTry = nil
    }

    private func closeFile() {
        do { try queue?.close() } catch { logger.info("cache file not closed cleanly", metadata: ["error": "\(error)"]) }
        queue = nil
    }

    /// See ``ResponseCache``.
    public func problem() async -> BerthError? {
        openAgain()
        return trouble.map {
            BerthError(
                $0.code, $0.message.contains(path) ? $0.message : "\(path): \($0.message)",
                hint: "the daemon's user must be able to write there; it is tried again each minute")
        }
    }

    /// See ``ResponseCache``.
    public func answers(_ key: ResponseCacheKey) async -> [KeptAnswer] {
        await perform([]) { try CacheRows($0).answers(key) }
    }

    /// See ``ResponseCache``.
    public func keep(_ answer: KeptAnswer, _ key: ResponseCacheKey, bytesMax: Int) async -> Bool {
        let all = self.bytesMax
        return await perform(false) { try CacheRows($0).keep(answer, key, bytesMax: min(bytesMax, all), bytesMaxOfAll: all) }
    }

    /// See ``ResponseCache``.
    @discardableResult
    public func forget(_ selection: ResponseCacheSelection, of connection: ConnectionID) async -> Int {
        await perform(0) { try CacheRows($0).forget(selection, of: connection) }
    }

    /// See ``ResponseCache``.
    public func bytes() async -> Int {
        await perform(0) { try CacheRows($0).bytes() }
    }

    /// Forgets answers that nobody confirmed since: asking for them on condition is hardly worth keeping people's data for.
    @discardableResult
    public func prune(before time: Timestamp) async -> Int {
        await perform(0) { try CacheRows($0).prune(before: time) }
    }

    /// Removes the file; nobody may have it open.
    public static func remove(path: String, logger: Logger) {
        do { try CacheSchema.remove(path) } catch {
            logger.warning("answers kept before are still there", metadata: ["file": "\(path)", "error": "\(error)"])
        }
    }

    private func perform<Value: Sendable>(_ fallback: Value, _ body: @escaping @Sendable (Database) throws -> Value) async -> Value {
        openAgain()
        guard let queue else { return fallback }
        // In a task of its own: GRDB gives up the transactions of cancelled tasks, and a write that a plugin no longer waits for must
        // end answers all the same.
        do {
            let value = try await Task { try await queue.write(body) }.value
            if self.queue === queue { trouble = nil }
            return value
        } catch {
            // Others may have waited for the same file and made it anew meanwhile.
            if self.queue === queue { recover(from: error) }
            return fallback
        }
    }

    /// What was in the way of the file may be gone.
    private func openAgain() {
        guard let due = nextTry, .now >= due else { return }
        do {
            queue = try CacheSchema.open(path)
            nextTry = nil
            trouble = nil
            logger.info("answers of providers are kept again", metadata: ["file": "\(path)"])
        } catch {
            nextTry = .now + retryWait
            trouble = StoreErrors.translate(error)
        }
    }

    /// A damaged file is made anew; so is one on a full disk, which gives its space back to the database beside it.
    private func recover(from error: any Error) {
        let reason = StoreErrors.translate(error)
        guard StoreErrors.isDamage(error) || StoreErrors.isFull(error) else {
            // Once: a bad disk would say it with every request.
            logger.log(
                level: trouble == nil ? .warning : .debug, "the cache of answers fails: the provider is asked instead",
                metadata: ["file": "\(path)", "error": "\(reason.message)"])
            trouble = reason
            return
        }
        logger.warning("the cache of answers is made anew", metadata: ["file": "\(path)", "error": "\(reason.message)"])
        closeFile()
        do { queue = try CacheSchema.openNew(path) } catch {
            nextTry = .now + retryWait
            trouble = StoreErrors.translate(error)
            logger.warning("answers of providers are no longer kept", metadata: ["file": "\(path)", "error": "\(error)"])
        }
    }
}

extension StoreErrors {
    /// The file is no database, or one that can't be believed.
    static func isDamage(_ error: any Error) -> Bool {
        switch code(error) {
        // SQLITE_ERROR too: a file of this version without the tables of this version.
        case 1, 11, 26: true
        default: false
        }
    }

    /// No space is left.
    static func isFull(_ error: any Error) -> Bool { code(error) == 13 }
}
