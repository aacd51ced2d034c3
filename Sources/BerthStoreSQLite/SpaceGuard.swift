// A full disk also forbids deletion: so space is held back in a ballast file, and deliveries are refused with 503 well
// before SQLite would fail.

import BerthModel
import Foundation
import Synchronization

/// Watches the free space of the database's file system.
final class SpaceGuard: Sendable {
    let folder: String
    private let lowMark: Int64
    private let lastLook = Mutex<(at: ContinuousClock.Instant, free: Int64)?>(nil)

    /// Makes the ballast file if it is missing and there is room for it.
    init(folder: String, ballastBytes: Int64) throws {
        self.folder = folder
        lowMark = 2 * ballastBytes
        let path = "\(folder)/ballast"
        guard ballastBytes > 0, freeBytes() > 4 * ballastBytes, !FileManager.default.fileExists(atPath: path) else { return }
        let file = Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { return }
        defer { Foundation.close(file) }
        _ = posix_fallocate(file, 0, off_t(ballastBytes))
    }

    /// Free bytes, at most half a second old.
    func freeBytes() -> Int64 {
        lastLook.withLock { last in
            let now = ContinuousClock.now
            if let last, now - last.at < .milliseconds(500) { return last.free }
            var stat = statvfs()
            let free = statvfs(folder, &stat) == 0 ? Int64(stat.f_bavail) * Int64(stat.f_frsize) : .max
            last = (now, free)
            return free
        }
    }

    /// The refusal when space is low.
    func refusal() -> BerthError? {
        let free = freeBytes()
        guard free < lowMark else { return nil }
        return BerthError(
            .overloaded, "only \(free >> 20) MiB are free in \(folder), the low mark is \(lowMark >> 20) MiB",
            hint: "free space there; deliveries are taken again within a second, providers repeat what was refused",
            isRetryable: true, retryAfter: .seconds(30))
    }
}
