// Strict, fast JSON (RFC 8259) over bytes: one pass builds an index, values are read from the original bytes when
// asked for. Numbers keep their text, so that money stays exact. Standard library only.
//
// These files are compiled twice under different module names, by the plugin SDK and by the daemon (Sources/BerthModel/JSON
// links here), because a plugin and the daemon must not share a Swift module.

/// A parsed document. Immutable; holds the bytes it was made from.
public final class JSONDocument: Sendable {
    /// The text as given.
    public let bytes: [UInt8]
    let tape: [JSONEntry]

    /// What a document must keep to.
    public struct Limits: Sendable {
        /// Nesting of arrays and objects.
        public var depth: Int
        /// Whether two members of one object may have the same name; the first one then counts.
        public var allowsDuplicateKeys: Bool
        /// Limits.
        public init(depth: Int = 128, allowsDuplicateKeys: Bool = true) {
            self.depth = depth
            self.allowsDuplicateKeys = allowsDuplicateKeys
        }
    }

    /// Parses a whole text: one value, blanks around it, nothing else. No byte order mark, valid UTF-8 throughout.
    public init(_ bytes: [UInt8], limits: Limits = .init()) throws(JSONError) {
        var parser = JSONParser(limits: limits, expecting: bytes.count)
        let failure: JSONError? = bytes.withUnsafeBufferPointer { buffer in
            do throws(JSONError) {
                try parser.parse(buffer)
                return nil
            } catch { return error }
        }
        if let failure { throw failure }
        self.bytes = bytes
        self.tape = parser.tape
    }

    /// The one value.
    public var root: JSONNode { JSONNode(document: self, index: 0) }
}

/// Why a text is not JSON.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Byte offset of the first wrong byte.
    public let offset: Int
    /// 1 is the first line.
    public let line: Int
    /// What is wrong.
    public let reason: String

    /// `line 3, byte 41: ...`
    public var description: String { "line \(line), byte \(offset): \(reason)" }
}

/// One value's place in the text. Objects are followed by pairs of key and value, arrays by their elements.
struct JSONEntry: Sendable {
    enum Kind: UInt8 { case null, bool, number, string, array, object }
    /// First byte; of a string, the one after the quote.
    let start: UInt32
    /// Byte after the last; of a string, the closing quote.
    var end: UInt32
    /// Index of the entry after this value with all it holds.
    var next: UInt32
    /// Elements or members.
    var count: UInt32
    let kind: Kind
    /// A string with backslashes.
    let isEscaped: Bool
}
