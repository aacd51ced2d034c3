// What becomes of deliveries that were answered 503: a line in the log while it lasts, and afterwards one audit entry per connection
// that says how many there were. Not one each: what refuses them may be a full disk, and entries would fill it.

import BerthModel
import BerthSeams
import Logging
import Synchronization

/// Counts refusals for lack of room or time.
final class OverloadLog: Sendable {
    /// A stretch of 503s of one connection.
    private struct Stretch {
        var count = 0
        var begun: Timestamp
        var last: Timestamp
        var reason: String
    }

    /// Written when it has been quiet for so long,
    private static let calmSeconds: Int64 = 5
    /// or when it has gone on for so long.
    private static let stretchSecondsMax: Int64 = 60

    private let stretches = Mutex<[ConnectionID: Stretch]>([:])
    private let warned = Mutex(Int64.min)
    private let store: any AuditStore
    private let logger: Logger

    init(store: any AuditStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// Counts one, and logs why at most once a second.
    func record(_ error: BerthError, _ connection: Connection, now: Timestamp) {
        stretches.withLock { stretches in
            var stretch = stretches[connection.id] ?? Stretch(begun: now, last: now, reason: "")
            stretch.count += 1
            stretch.last = now
            stretch.reason = error.message
            stretches[connection.id] = stretch
        }
        let second = now.milliseconds / 1000
        let isFirst = warned.withLock { warned in
            defer { warned = second }
            return warned != second
        }
        guard isFirst else { return }
        logger.warning(
            "webhooks refused with 503",
            metadata: ["connection": "\(connection.id)", "provider": "\(connection.provider)", "error": "\(error)"])
    }

    /// Writes what is over, or all at the end. What can't be written now is kept for the next time.
    func flush(now: Timestamp, all: Bool) async {
        let over = stretches.withLock { stretches in
            let over = stretches.filter { _, stretch in
                all || now >= stretch.last.adding(seconds: Self.calmSeconds) || now >= stretch.begun.adding(seconds: Self.stretchSecondsMax)
                    // The clock was set back: nothing of before would ever be over.
                    || now < stretch.begun
            }
            for id in over.keys { stretches[id] = nil }
            return over
        }
        guard !over.isEmpty else { return }
        let entries = over.map { id, stretch in
            let many = stretch.count == 1 ? "a delivery" : "\(stretch.count) deliveries"
            return AuditEntry(
                at: stretch.last, kind: "webhook.refused", actor: "provider", connection: id,
                detail: "overloaded: \(many) answered 503 since \(stretch.begun), last: \(stretch.reason)", address: nil)
        }
        do {
            try await store.audit(entries)
        } catch {
            logger.error("webhooks refused with 503 are not in the audit log yet", metadata: ["error": "\(error)"])
            stretches.withLock { stretches in
                for (id, stretch) in over {
                    guard var newer = stretches[id] else {
                        stretches[id] = stretch
                        continue
                    }
                    newer.count += stretch.count
                    newer.begun = stretch.begun
                    stretches[id] = newer
                }
            }
        }
    }
}
