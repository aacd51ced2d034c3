// Two daemons on one database would free each other's leases: the second one is refused by an advisory lock.

import BerthModel
import Foundation

/// An exclusive lock on a side file, held while the process lives.
final class FileLock: Sendable {
    private let descriptor: Int32

    init(path: String) throws {
        let folder = (path as NSString).deletingLastPathComponent
        if !FileManager.default.fileExists(atPath: folder) {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
        }
        descriptor = Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw BerthError(
                .store, "the lock file \(path) can't be opened: \(String(cString: strerror(errno)))",
                hint: "the daemon's user must be able to write the database's folder")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""  // only makes the message better
            Foundation.close(descriptor)
            throw BerthError(
                "store_in_use", "another berthd\(holder.isEmpty ? "" : " (pid \(holder))") has this database open",
                hint: "stop it first, or give this one its own [store] url")
        }
        ftruncate(descriptor, 0)
        let text = "\(getpid())"
        _ = text.withCString { write(descriptor, $0, strlen($0)) }
    }

    func release() { Foundation.close(descriptor) }
}
