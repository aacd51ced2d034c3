// A full disk also forbids deletion: so deliveries are refused with 503 well before SQLite would fail, and space is held back in a
// ballast file, which is given up when somebody else has filled the disk: what was accepted is then still worked on.

import BerthModel
import Foundation
import Logging
import Synchronization

/// Watches the free space of the database's file system.
final class SpaceGuard: Sendable {
    let folder: String
    private let ballastBytes: Int64
    private var lowMark: Int64 { 2 * ballastBytes }
    private let logger: Logger
    private let lastLook = Mutex<(at: ContinuousClock.Instant, free: Int64)?>(nil)

    /// Makes the ballast file if it is missing and there is room for it.
    init(folder: String, ballastBytes: Int64, logger: Logger) {
        self.folder = folder
        self.ballastBytes = ballastBytes
        self.logger = logger
        _ = freeBytes()
    }

    private var path: String { "\(folder)/ballast" }

    /// Gives the ballast up when next to nothing is free, and takes it again when there is plenty. A write that finds the disk
    /// full before the next look is tried again by whoever made it.
    private func trim(_ free: Int64) {
        guard ballastBytes > 0 else { return }
        let isThere = FileManager.default.fileExists(atPath: path)
        if free < ballastBytes / 2, isThere {
            guard unlink(path) == 0 else { return }
            logger.error(
                "the disk is full: the ballast file is given up, so that accepted work goes on",
                metadata: [
                    "folder": "\(folder)", "bytes": "\(ballastBytes)",
                    "hint": "free space there; deliveries are refused with 503 until then",
                ])
        } else if free > 4 * ballastBytes, !isThere {
            let file = Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard file >= 0 else { return }
            defer { Foundation.close(file) }
            // Half a ballast is none: the next look tries again.
            if posix_fallocate(file, 0, off_t(ballastBytes)) != 0 { unlink(path) }
        }
    }

    /// Free bytes, at most half a second old.
    func freeBytes() -> Int64 {
        lastLook.withLock { last in
            let now = ContinuousClock.now
            if let last, now - last.at < .milliseconds(500) { return last.free }
            var stat = statvfs()
            let free = statvfs(folder, &stat) == 0 ? Int64(stat.f_bavail) * Int64(stat.f_frsize) : .max
            last = (now, free)
            trim(free)
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
