// Notices for subscribers of the feed.

public import BerthModel

/// Notices that subscribers are told, kept for a while so that a subscriber can resume.
public protocol FeedStore: Sendable {
    /// Notices after a sequence number, oldest first.
    func notices(after sequence: Int64, limit: Int) async throws(BerthError) -> [Notice]
    /// The newest sequence number; 0 when there is none.
    func lastNotice() async throws(BerthError) -> Int64
}

/// Something that happened and is durable.
public struct Notice: Sendable, Hashable {
    /// Grows; the feed's event id.
    public var sequence: Int64
    /// One of ``Topic``; of an older database perhaps another.
    public var topic: String
    /// Whose.
    public var workspace: WorkspaceName
    /// Whose.
    public var connection: ConnectionID
    /// Its provider.
    public var provider: ProviderName
    /// When.
    public var at: Timestamp
    /// JSON object with ids and what changed, small.
    public var data: String

    /// What notices are of.
    public enum Topic: String, Sendable, CaseIterable {
        /// A record came.
        case recordCreated = "record.created"
        /// A record changed.
        case recordUpdated = "record.updated"
        /// A record is a tombstone.
        case recordDeleted = "record.deleted"
        /// Many records changed in one commit; told together.
        case recordsChanged = "records.changed"
        /// An event became a dead letter.
        case eventDiscarded = "event.discarded"
        /// A sync run ended.
        case runFinished = "run.finished"
        /// A connection fails from now on.
        case connectionError = "connection.error"
        /// It works again.
        case connectionRecovered = "connection.recovered"
    }

    /// A notice.
    public init(
        sequence: Int64, topic: String, workspace: WorkspaceName, connection: ConnectionID, provider: ProviderName, at: Timestamp,
        data: String
    ) {
        self.sequence = sequence
        self.topic = topic
        self.workspace = workspace
        self.connection = connection
        self.provider = provider
        self.at = at
        self.data = data
    }
}
