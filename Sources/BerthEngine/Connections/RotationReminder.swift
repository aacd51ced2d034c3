// Tells once a day which credentials are due for new ones, in the log and the audit log. The audit log is also what it
// remembers by, so that a daemon that restarts often does not tell more often.

import BerthModel
public import BerthSeams
public import Logging

/// Reminds of old credentials.
public struct RotationReminder: Sendable {
    private let ages: CredentialAges
    private let audit: any AuditStore
    private let clock: any WallClock
    private let logger: Logger
    private static let kind = "credentials.rotation_due"

    /// A reminder; `run` must follow.
    public init(ages: CredentialAges, audit: any AuditStore, clock: any WallClock, logger: Logger) {
        self.ages = ages
        self.audit = audit
        self.clock = clock
        self.logger = logger
    }

    /// Looks now and every hour until cancelled.
    public func run() async {
        while true {
            do throws(BerthError) { try await remind() } catch {
                if Task.isCancelled { return }
                logger.error("ages of credentials can't be read", metadata: ["error": "\(error)"])
            }
            do { try await Task.sleep(for: .seconds(3600)) } catch { return }
        }
    }

    /// Tells, unless it did within a day or nothing is due.
    func remind() async throws(BerthError) {
        let due = try await ages.due()
        guard !due.isEmpty else { return }
        let now = clock.now()
        let told = try await audit.auditEntries(
            AuditFilter(kind: Self.kind, since: now.adding(seconds: -86_400)), page: PageRequest(limit: 1))
        guard told.items.isEmpty else { return }
        let text = Self.text(due)
        try await audit.audit([AuditEntry(at: now, kind: Self.kind, actor: "berthd", connection: nil, detail: text, address: nil)])
        logger.notice(
            "credentials are due for new ones",
            metadata: [
                "count": "\(due.count)", "connections": "\(text)",
                "hint": "berthctl connection set-credentials NAME --credential FIELD=@FILE",
            ])
    }

    /// `ringba/main (120 days), ...`, the first twenty.
    static func text(_ due: [(connection: Connection, age: CredentialAges.Age)]) -> String {
        let named = due.prefix(20).map { "\($0.connection.provider)/\($0.connection.name) (\($0.age.days ?? 0) days)" }.joined(
            separator: ", ")
        return due.count > 20 ? "\(named) and \(due.count - 20) more" : named
    }
}
