// Canonical records in the store.

public import BerthModel

/// Canonical records.
public protocol RecordStore: Sendable {
    /// Applies changes outside events and runs (actions), in one transaction.
    func apply(_ changes: [EntityChange], connection: ConnectionID, now: Timestamp) async throws(BerthError) -> SettleReceipt
    /// One record by id or nil.
    func record(_ entity: EntityName, _ id: RecordID) async throws(BerthError) -> Record?
    /// Records by filter and sort, in pages.
    func records(_ entity: EntityName, _ query: RecordQuery, page: PageRequest) async throws(BerthError) -> Page<Record>
    /// Records of an entity, tombstones left out.
    func recordCount(_ entity: EntityName) async throws(BerthError) -> Int
    /// Entities that have tables.
    func entities() async throws(BerthError) -> [EntityDefinition]
}

/// A stored record.
public struct Record: Sendable {
    /// Its id.
    public var id: RecordID
    /// Its entity.
    public var entity: EntityName
    /// Whose.
    public var workspace: WorkspaceName
    /// From where.
    public var provider: ProviderName
    /// From where.
    public var connection: ConnectionID
    /// The provider's id.
    public var externalID: String
    /// First stored.
    public var createdAt: Timestamp
    /// Last changed here.
    public var updatedAt: Timestamp
    /// When the provider last changed it.
    public var sourceTime: Timestamp?
    /// Tombstone.
    public var deletedAt: Timestamp?
    /// Fields that have a value.
    public var fields: [String: JSONValue]
    /// The provider's original, JSON text.
    public var raw: String
    /// All parts.
    public init(
        id: RecordID, entity: EntityName, workspace: WorkspaceName, provider: ProviderName, connection: ConnectionID,
        externalID: String, createdAt: Timestamp, updatedAt: Timestamp, sourceTime: Timestamp?, deletedAt: Timestamp?,
        fields: [String: JSONValue], raw: String
    ) {
        self.id = id
        self.entity = entity
        self.workspace = workspace
        self.provider = provider
        self.connection = connection
        self.externalID = externalID
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.sourceTime = sourceTime
        self.deletedAt = deletedAt
        self.fields = fields
        self.raw = raw
    }
}

/// Which records, in which order.
public struct RecordQuery: Sendable {
    /// All must hold.
    public var conditions: [Condition]
    /// Field or common column; default `created_at`, then id.
    public var sort: String?
    /// Order.
    public var isDescending: Bool
    /// Tombstones too.
    public var includesDeleted: Bool

    /// One comparison.
    public struct Condition: Sendable {
        /// A comparison.
        public enum Operator: String, Sendable, CaseIterable { case eq, ne, lt, lte, gt, gte, like, isNull = "null", isIn = "in" }
        /// Field or common column (`external_id`, `connection`, `provider`, `workspace`, times).
        public var field: String
        /// How.
        public var comparison: Operator
        /// Text form; for `in` comma-separated.
        public var value: String
        /// A condition.
        public init(field: String, comparison: Operator = .eq, value: String) {
            self.field = field
            self.comparison = comparison
            self.value = value
        }
    }

    /// All, newest first.
    public init(conditions: [Condition] = [], sort: String? = nil, isDescending: Bool = true, includesDeleted: Bool = false) {
        self.conditions = conditions
        self.sort = sort
        self.isDescending = isDescending
        self.includesDeleted = includesDeleted
    }
}
