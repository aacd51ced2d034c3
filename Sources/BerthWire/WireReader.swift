// Takes values out of the bytes of a message. Trusts nothing: every length is checked against what is there.

/// A cursor over one message's payload, valid only while the bytes are.
public struct WireReader {
    @usableFromInline var rest: UnsafeRawBufferPointer
    /// Names the message in errors.
    @usableFromInline let what: StaticString

    /// Reads `bytes` as the message named `what`.
    public init(_ bytes: UnsafeRawBufferPointer, _ what: StaticString) {
        rest = bytes
        self.what = what
    }

    /// Bytes not yet read.
    @inlinable public var remaining: Int { rest.count }

    /// A fixed-width integer.
    @inlinable public mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws(WireError) -> Value {
        let size = MemoryLayout<Value>.size
        guard rest.count >= size else { throw WireError(.truncated, "\(what)") }
        let value = rest.loadUnaligned(as: Value.self)
        rest = UnsafeRawBufferPointer(rebasing: rest[size...])
        return Value(littleEndian: value)
    }

    /// 0 or 1; anything else is an error.
    public mutating func bool() throws(WireError) -> Bool {
        switch try integer(UInt8.self) {
        case 0: return false
        case 1: return true
        case let other: throw WireError(.badValue, "\(what): \(other) is neither 0 nor 1")
        }
    }

    /// A count of things of which each takes at least `bytesEach`, so that a lie costs no memory.
    public mutating func count(max: Int, bytesEach: Int) throws(WireError) -> Int {
        let count = Int(try integer(UInt32.self))
        guard count <= max else { throw WireError(.tooLarge, "\(what): \(count) items") }
        guard count * bytesEach <= rest.count else { throw WireError(.truncated, "\(what): \(count) items announced") }
        return count
    }

    /// A length and that many bytes, lent.
    @inlinable public mutating func span(max: Int = WireLimits.messageBytesMax) throws(WireError) -> UnsafeRawBufferPointer {
        let length = Int(try integer(UInt32.self))
        guard length <= max else { throw WireError(.tooLarge, "\(what): \(length) bytes where \(max) are allowed") }
        guard length <= rest.count else { throw WireError(.truncated, "\(what): \(length) bytes announced, \(rest.count) there") }
        let span = UnsafeRawBufferPointer(rebasing: rest[..<length])
        rest = UnsafeRawBufferPointer(rebasing: rest[length...])
        return span
    }

    /// A length and that many bytes, copied.
    @inlinable public mutating func bytes(max: Int = WireLimits.messageBytesMax) throws(WireError) -> [UInt8] {
        [UInt8](try span(max: max))
    }

    /// A length and that much UTF-8.
    @inlinable public mutating func text(max: Int = WireLimits.messageBytesMax) throws(WireError) -> String {
        let span = try span(max: max)
        guard let text = String(validating: span, as: UTF8.self) else { throw WireError(.notUTF8, "\(what)") }
        return text
    }

    /// Must come last.
    public func end() throws(WireError) {
        guard rest.isEmpty else { throw WireError(.trailing, "\(what): \(rest.count) bytes after its end") }
    }
}
