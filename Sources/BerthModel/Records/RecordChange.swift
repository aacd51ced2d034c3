// What a plugin says about one record, before it is stored.

/// One upsert or delete, as emitted by a plugin and checked by the host for size, names and UTF-8.
public struct RecordChange: Sendable, Hashable {
    /// What happens to the record.
    public enum Kind: UInt8, Sendable, Hashable { case upsert = 1, delete = 2 }
    /// What happens.
    public var kind: Kind
    /// The stream it belongs to; the manifest says which entity that is.
    public var stream: StreamName
    /// The provider's id.
    public var externalID: String
    /// When the provider last changed it; a change older than the stored one is dropped.
    public var sourceTime: Timestamp?
    /// JSON object of entity fields; empty for a delete.
    public var payload: [UInt8]
    /// The provider's original, JSON; empty: the payload is the original.
    public var raw: [UInt8]

    /// A change.
    public init(
        kind: Kind, stream: StreamName, externalID: String, sourceTime: Timestamp? = nil, payload: [UInt8], raw: [UInt8] = []
    ) {
        self.kind = kind
        self.stream = stream
        self.externalID = externalID
        self.sourceTime = sourceTime
        self.payload = payload
        self.raw = raw
    }
}
