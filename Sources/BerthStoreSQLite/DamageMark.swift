// What must not be forgotten over a restart: that the file was found damaged, or that a restore was cut short. A daemon that started
// again without a look would acknowledge deliveries into a file that can't be read.

import BerthModel
import Foundation
import GRDB

/// The small file beside the database that says so.
struct DamageMark: Sendable {
    private let path: String
    private let restoring: String

    init(database: String) {
        path = database + ".damaged"
        restoring = database + ".restoring-mark"
    }

    /// Notes damage; that it can't be noted changes nothing for the moment.
    func leave(_ reason: BerthError) {
        _ = FileManager.default.createFile(atPath: path, contents: Data(reason.message.utf8), attributes: [.posixPermissions: 0o600])
    }

    /// Throws when a restore began and did not end.
    func refuseUnfinishedRestore() throws {
        guard !FileManager.default.fileExists(atPath: restoring) else {
            throw BerthError(
                "store_restore_unfinished", "a restore of this database was cut short",
                hint: "run it again: berthd --config FILE --restore BACKUP; what was there before is beside it, named .before-restore")
        }
    }

    /// Looks at the whole file when it was left marked: an index that a later write mended is no reason to stay down.
    func check(_ pool: DatabasePool) throws {
        try refuseUnfinishedRestore()
        guard FileManager.default.fileExists(atPath: path) else { return }
        let found = try pool.writeWithoutTransaction { try String.fetchOne($0, sql: "PRAGMA integrity_check(3)") ?? "" }
        guard found == "ok" else {
            throw BerthError(
                "store_corrupt", "the database was found damaged and still is: \(found.prefix(300))", hint: StoreErrors.restoreHint)
        }
        unlink(path)
    }

    /// A restore begins.
    func beginRestore() throws {
        guard FileManager.default.createFile(atPath: restoring, contents: Data(), attributes: [.posixPermissions: 0o600]) else {
            throw BerthError(.store, "\(restoring) can't be written", hint: "the daemon's user must be able to write there")
        }
    }

    /// What is there now is what was restored.
    func endRestore() {
        unlink(path)
        unlink(restoring)
    }
}
