// A secret inside a request: decodable, never printed, never encoded.

/// Text that must not be shown.
public struct SecretText: Decodable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The text, for the vault only.
    public let exposed: String
    /// A secret.
    public init(_ text: String) { exposed = text }
    /// Decodes a string.
    public init(from decoder: any Decoder) throws { exposed = try decoder.singleValueContainer().decode(String.self) }
    /// Never the text.
    public var description: String { "<secret>" }
    /// Never the text.
    public var debugDescription: String { "<secret>" }
    /// Nothing to look at.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
