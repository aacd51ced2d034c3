// What SQLite does not make durable itself: a copy, a name.

import BerthModel
import Foundation

enum DurableFile {
    /// Waits until a file's bytes, or a folder's names, are on the disk.
    static func synchronize(_ path: String) throws {
        let file = Foundation.open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw failed(path) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw failed("fsync \(path)") }
    }

    /// Removes what is there of a database's files.
    static func remove(_ paths: [String]) throws {
        for path in paths where unlink(path) != 0 && errno != ENOENT { throw failed(path) }
    }

    /// What the last system call said.
    static func failed(_ what: String) -> BerthError {
        BerthError(.store, "\(what): \(String(cString: strerror(errno)))", hint: "the daemon's user must be able to write there")
    }
}
