// An entry of the audit log in answers.

public import BerthModel

/// An audit entry.
public struct AuditView: Codable, Sendable {
    /// When.
    public var at: Timestamp
    /// What.
    public var kind: String
    /// Who.
    public var actor: String
    /// On which connection.
    public var connection: String?
    /// More.
    public var detail: String
    /// From where.
    public var address: String?
    /// A view.
    public init(at: Timestamp, kind: String, actor: String, connection: String?, detail: String, address: String?) {
        self.at = at
        self.kind = kind
        self.actor = actor
        self.connection = connection
        self.detail = detail
        self.address = address
    }
}
