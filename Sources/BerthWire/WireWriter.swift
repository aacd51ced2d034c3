// Puts values into the bytes of a message. No checks: what is written comes from checked values; the reader checks.

/// Little-endian bytes of one message, with room for the first frame's header in front.
public struct WireWriter {
    /// Header room and payload.
    @usableFromInline var bytes: [UInt8]

    /// An empty message expecting about `capacity` bytes.
    public init(capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity + WireLimits.headerBytes)
        bytes.append(contentsOf: repeatElement(0, count: WireLimits.headerBytes))
    }

    /// Bytes of payload so far.
    @inlinable public var count: Int { bytes.count - WireLimits.headerBytes }

    /// Forgets the payload, keeps the room.
    public mutating func removeAll() { bytes.removeSubrange(WireLimits.headerBytes...) }

    /// A fixed-width integer.
    @inlinable public mutating func put<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// 1 or 0.
    @inlinable public mutating func put(_ value: Bool) { bytes.append(value ? 1 : 0) }

    /// A u32 length and the bytes.
    @inlinable public mutating func put(_ value: [UInt8]) {
        put(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    /// A u32 length and the bytes.
    @inlinable public mutating func put(_ value: UnsafeRawBufferPointer) {
        put(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    /// A u32 length and the UTF-8.
    @inlinable public mutating func put(_ value: String) {
        var value = value
        value.withUTF8 { put(UnsafeRawBufferPointer($0)) }
    }

    /// Overwrites a u32 of the payload, for counts known only later.
    public mutating func patch(_ value: UInt32, at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { source in
            for index in 0..<4 { bytes[WireLimits.headerBytes + offset + index] = source[index] }
        }
    }

    /// The message as one frame, or as many as its length needs.
    public consuming func frames(kind: UInt8, operation: UInt64) -> [UInt8] {
        let total = count
        guard total > WireLimits.frameBytesMax else {
            Self.header(&bytes, at: 0, length: total, kind: kind, continues: false, operation: operation)
            return bytes
        }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + (total / WireLimits.frameBytesMax) * WireLimits.headerBytes)
        var offset = 0
        while offset < total {
            let length = min(WireLimits.frameBytesMax, total - offset)
            let at = out.count
            out.append(contentsOf: repeatElement(0, count: WireLimits.headerBytes))
            Self.header(&out, at: at, length: length, kind: kind, continues: offset + length < total, operation: operation)
            out.append(contentsOf: bytes[(WireLimits.headerBytes + offset)..<(WireLimits.headerBytes + offset + length)])
            offset += length
        }
        return out
    }

    private static func header(_ bytes: inout [UInt8], at: Int, length: Int, kind: UInt8, continues: Bool, operation: UInt64) {
        bytes.withUnsafeMutableBytes { buffer in
            buffer.storeBytes(of: UInt32(length).littleEndian, toByteOffset: at, as: UInt32.self)
            buffer[at + 4] = kind
            buffer[at + 5] = continues ? 1 : 0
            buffer[at + 6] = 0
            buffer[at + 7] = 0
            buffer.storeBytes(of: operation.littleEndian, toByteOffset: at + 8, as: UInt64.self)
        }
    }
}
