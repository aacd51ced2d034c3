// Entities are data: from one definition come the table, the checks, the API and its document.

/// A canonical record type.
public struct EntityDefinition: Sendable, Hashable {
    /// Its name: `call`.
    public var name: EntityName
    /// Its columns beside the common ones (id, workspace, provider, connection, external_id, times, raw).
    public var fields: [FieldDefinition]

    /// A definition.
    public init(name: EntityName, fields: [FieldDefinition]) {
        self.name = name
        self.fields = fields
    }
}

/// One field of an entity.
public struct FieldDefinition: Sendable, Hashable {
    /// A field's type and so its column's.
    public enum FieldType: String, Sendable, Codable, Hashable, CaseIterable {
        /// Any text.
        case string
        /// A whole number.
        case integer
        /// A decimal as text, exact: money.
        case decimal
        /// True or false.
        case boolean
        /// RFC 3339 UTC with milliseconds.
        case time
        /// E.164 where the source allows.
        case phone
        /// One of `values`.
        case enumeration
        /// Any JSON: tags.
        case json
    }
    /// Column and member name, `[a-z][a-z0-9_]*`.
    public var name: String
    /// Its type.
    public var type: FieldType
    /// Refuse a record without it.
    public var isRequired: Bool
    /// Worth an index.
    public var isIndexed: Bool
    /// The values of an enumeration.
    public var values: [String]
    /// Entity whose external_id this holds, same connection.
    public var references: EntityName?

    /// A field.
    public init(
        _ name: String, _ type: FieldType, isRequired: Bool = false, isIndexed: Bool = false, values: [String] = [],
        references: EntityName? = nil
    ) {
        self.name = name
        self.type = type
        self.isRequired = isRequired
        self.isIndexed = isIndexed
        self.values = values
        self.references = references
    }
}
