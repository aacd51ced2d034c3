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

    /// Names of what every record has, as a column or in the API: no field's.
    public static let reservedNames: Set<String> = [
        "id", "connection", "external_id", "created", "updated", "source_time", "deleted", "seen_run", "raw", "workspace", "provider",
        "created_at", "updated_at", "deleted_at",
    ]

    /// Whether a field may be called so: a-z, then a-z, 0-9 and _, 63 at most, and none of ``reservedNames``.
    public static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, (97...122).contains(first), text.utf8.count <= 63 else { return false }
        return text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 95 } && !reservedNames.contains(text)
    }

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
