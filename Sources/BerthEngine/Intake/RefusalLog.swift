// Audit entries of refused deliveries, bounded: a flood costs a fixed number of entries per second, and says how many
// more there were.

import BerthModel
import BerthSeams
import Logging
import Synchronization

/// Writes refusals to the audit log.
final class RefusalLog: Sendable {
    private static let entriesPerSecondMax = 20
    private static let keysMax = 64

    private struct Key: Hashable {
        var connection: ConnectionID?
        var code: BerthError.Code
    }

    private struct State {
        var second: Int64 = .min
        var written = 0
        var suppressed: [Key: Int] = [:]
        var others = 0
    }

    private let state = Mutex(State())
    private let store: any AuditStore
    private let logger: Logger

    init(store: any AuditStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// Notes one refusal: as an entry of its own, or in the count of this second.
    func record(_ entry: AuditEntry, code: BerthError.Code) async {
        let second = entry.at.milliseconds / 1000
        let entries: [AuditEntry] = state.withLock { state in
            var entries = second == state.second ? [] : Self.takeSuppressed(&state)
            if second != state.second {
                state.second = second
                state.written = 0
            }
            if state.written < Self.entriesPerSecondMax {
                state.written += 1
                entries.append(entry)
            } else {
                let key = Key(connection: entry.connection, code: code)
                if state.suppressed[key] != nil || state.suppressed.count < Self.keysMax {
                    state.suppressed[key, default: 0] += 1
                } else {
                    state.others += 1
                }
            }
            return entries
        }
        await write(entries)
    }

    /// Writes counts of seconds before `now`, or all at the end; to be called now and then, since the end of a flood brings no next refusal.
    func flush(now: Timestamp, all: Bool) async {
        let second = now.milliseconds / 1000
        await write(state.withLock { second == $0.second && !all ? [] : Self.takeSuppressed(&$0) })
    }

    private static func takeSuppressed(_ state: inout State) -> [AuditEntry] {
        let at = Timestamp(milliseconds: state.second &* 1000 &+ 999)
        var entries = state.suppressed.map { key, count in
            AuditEntry(
                at: at, kind: "webhook.refused", actor: "provider", connection: key.connection,
                detail: "\(key.code.rawValue): \(count) more in the same second", address: nil)
        }
        if state.others > 0 {
            entries.append(
                AuditEntry(
                    at: at, kind: "webhook.refused", actor: "provider", connection: nil,
                    detail: "other causes: \(state.others) more in the same second", address: nil))
        }
        state.suppressed = [:]
        state.others = 0
        return entries
    }

    private func write(_ entries: [AuditEntry]) async {
        guard !entries.isEmpty else { return }
        do {
            try await store.audit(entries)
        } catch {
            logger.error("refused webhooks not in the audit log", metadata: ["entries": "\(entries.count)", "error": "\(error)"])
        }
    }
}
