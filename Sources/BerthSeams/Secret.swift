// A secret in memory: it cannot be printed, encoded, compared by accident or left behind after use.

import Glibc

/// Bytes that must not leak. Has no description, no encoding, no interpolation; zeroed on release.
///
/// `@unchecked Sendable`: the buffer is written once in `init`, before the reference can be shared, and again
/// only in `deinit`, when nobody shares it any more.
public final class Secret: @unchecked Sendable {
    private let buffer: UnsafeMutableRawBufferPointer

    /// Copies the bytes; the caller's copy stays the caller's to clear.
    public init(copying bytes: some Collection<UInt8>) {
        buffer = .allocate(byteCount: max(1, bytes.count), alignment: 1)
        buffer.copyBytes(from: bytes)
        count = bytes.count
    }

    /// Length in bytes.
    public let count: Int

    deinit {
        // A plain memset of a buffer about to be freed may be optimized away.
        explicit_bzero(buffer.baseAddress!, buffer.count)
        buffer.deallocate()
    }

    /// Lends the bytes for the length of the call; they must not be stored.
    public func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }

    /// Whether `other` holds the same bytes; takes the same time wherever they differ. Lengths are not secret.
    public func matches(_ other: some Collection<UInt8>) -> Bool {
        guard other.count == count else { return false }
        var difference: UInt8 = 0
        for (index, byte) in other.enumerated() { difference |= byte ^ buffer[index] }
        return difference == 0
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Never the bytes.
    public var description: String { "<secret>" }
    /// Never the bytes.
    public var debugDescription: String { "<secret>" }
    /// Nothing to look at.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
