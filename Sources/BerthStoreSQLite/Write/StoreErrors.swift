// From SQLite's errors to what an operator reads.

import BerthModel
import GRDB
import GRDBSQLite

enum StoreErrors {
    /// SQLite's primary code, but for what its codes put in the wrong drawer.
    static func code(_ error: any Error) -> Int32? {
        guard let extended = extended(error) else { return nil }
        // The log's index in shared memory could not grow: a full disk, found one file later. It holds nothing that lasts.
        if extended == ResultCode.SQLITE_IOERR_SHMSIZE.rawValue { return SQLITE_FULL }
        return extended & 0xFF
    }

    /// Which of SQLite's input and output errors it was.
    private static func extended(_ error: any Error) -> Int32? {
        (error as? SQLiteFailure)?.code ?? (error as? DatabaseError)?.extendedResultCode.rawValue
    }

    static func translate(_ error: any Error) -> BerthError {
        if let error = error as? BerthError { return error }
        let message = (error as? SQLiteFailure)?.message ?? "\(error)"
        switch code(error) {
        case SQLITE_FULL:
            return BerthError(
                .overloaded, "the disk is full: \(message)", hint: "free space where the database lives; nothing accepted was lost",
                isRetryable: true, retryAfter: .seconds(30))
        case SQLITE_IOERR:
            return BerthError(
                .store, "the disk failed: \(message) (SQLite's extended code \(extended(error) ?? 0))",
                hint: "check the disk and its file system, then restart berthd: after a failed sync nothing more is accepted")
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return BerthError(
                "store_corrupt", "the database is damaged: \(message)",
                hint: restoreHint)
        case SQLITE_BUSY, SQLITE_LOCKED:
            return BerthError(
                .store, "another process holds the database: \(message)", hint: "find it with: fuser berth.db", isRetryable: true)
        default: return BerthError(.store, message)
        }
    }

    static let restoreHint =
        "stop berthd and restore the last backup (berthctl backup makes them): berthd --config FILE --restore BACKUP keeps the damaged file"

    /// Whether the file itself is wrong, and not the disk of the moment.
    static func isCorrupt(_ error: any Error) -> Bool { code(error) == SQLITE_CORRUPT || code(error) == SQLITE_NOTADB }

    /// After these nothing may be acknowledged any more: dirty pages may be gone though a later sync succeeds.
    static func isFatal(_ error: any Error) -> Bool {
        switch code(error) {
        case SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_NOTADB: true
        default: false
        }
    }
}
