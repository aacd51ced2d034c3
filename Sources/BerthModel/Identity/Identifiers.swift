// The kinds of things that have ids, and the plain names that are not ids.

/// Names an inbound webhook delivery.
public enum EventKind: IdentifierKind { public static let prefix = "evt" }
/// Names a connection.
public enum ConnectionKind: IdentifierKind { public static let prefix = "con" }
/// Names a sync run.
public enum RunKind: IdentifierKind { public static let prefix = "run" }
/// Names a canonical record.
public enum RecordKind: IdentifierKind { public static let prefix = "rec" }
/// Names one life of the daemon; leases carry it.
public enum EpochKind: IdentifierKind { public static let prefix = "epo" }

/// `evt_...`
public typealias EventID = Identifier<EventKind>
/// `con_...`
public typealias ConnectionID = Identifier<ConnectionKind>
/// `run_...`
public typealias RunID = Identifier<RunKind>
/// `rec_...`
public typealias RecordID = Identifier<RecordKind>
/// `epo_...`
public typealias EpochID = Identifier<EpochKind>

/// A name chosen by people, checked once where it enters: 1 to 64 of `a-z 0-9 - _`, beginning with a letter or digit.
public struct Name<Kind: Sendable>: Hashable, Sendable, Comparable, CustomStringConvertible, Codable {
    /// The text.
    public let text: String
    /// The text.
    public var description: String { text }

    /// Nil when the text breaks the rule.
    public init?(_ text: String) {
        guard Self.isValid(text) else { return nil }
        self.text = text
    }

    /// Text order.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.text < rhs.text }

    /// Decodes and checks.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard Self.isValid(text) else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "'\(text)' is not a name: 1 to 64 of a-z, 0-9, '-' and '_', beginning with a letter or digit"))
        }
        self.text = text
    }

    /// Encodes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    private static func isValid(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...64).contains(bytes.count) else { return false }
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): continue
            case UInt8(ascii: "-"), UInt8(ascii: "_"): if index == 0 { return false }
            default: return false
            }
        }
        return true
    }
}

/// The id of a plugin and so of the provider it adapts: `ringba`.
public typealias ProviderName = Name<ProviderNameKind>
/// The kind of ``ProviderName``.
public enum ProviderNameKind: Sendable {}
/// A workspace's name: `acme`.
public typealias WorkspaceName = Name<WorkspaceNameKind>
/// The kind of ``WorkspaceName``.
public enum WorkspaceNameKind: Sendable {}
/// A stream's name: `calls`.
public typealias StreamName = Name<StreamNameKind>
/// The kind of ``StreamName``.
public enum StreamNameKind: Sendable {}
/// An entity's name: `tracking_number`.
public typealias EntityName = Name<EntityNameKind>
/// The kind of ``EntityName``.
public enum EntityNameKind: Sendable {}
