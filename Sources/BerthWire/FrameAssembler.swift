// From a stream of bytes to whole messages, with bounded memory. Does no I/O: the caller reads into the room it lends.

/// Gathers bytes and hands out messages. A wrong header ends it for good.
public struct FrameAssembler {
    private var buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0
    private var message: [UInt8] = []
    private var open: (kind: UInt8, operation: UInt64)?

    /// Room kept between bursts.
    private static let roomKept = 64 << 10
    /// Room lent at least.
    private static let roomLent = 16 << 10

    /// An assembler at the start of a stream. Call ``deallocate()`` when done with it.
    public init() { buffer = .allocate(byteCount: Self.roomKept, alignment: 16) }

    /// Frees the buffer.
    public func deallocate() { buffer.deallocate() }

    /// Lends room for new bytes; `read` answers how many it filled, or 0 or less, which is passed on.
    public mutating func receive(_ read: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        if start == end {
            start = 0
            end = 0
            if buffer.count > Self.roomKept * 4 { resize(to: Self.roomKept) }
        }
        let wanted = max(Self.roomLent, missingBytes)
        if buffer.count - end < wanted {
            if start > 0 {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
                end -= start
                start = 0
            }
            if buffer.count - end < wanted { resize(to: max(buffer.count * 2, end + wanted)) }
        }
        let count = read(UnsafeMutableRawBufferPointer(rebasing: buffer[end...]))
        precondition(count <= buffer.count - end, "read more than the room lent")
        if count > 0 { end += count }
        return count
    }

    /// Hands every whole message received so far to `body`; its bytes are lent for the call.
    public mutating func drain(_ body: (UInt8, UInt64, UnsafeRawBufferPointer) throws(WireError) -> Void) throws(WireError) {
        while let frame = try nextFrame() {
            if open == nil, !frame.continues {
                try body(frame.kind, frame.operation, frame.payload)
                continue
            }
            if let open, open != (frame.kind, frame.operation) {
                throw WireError(.outOfStep, "kind \(frame.kind) inside a message of kind \(open.kind)")
            }
            guard message.count + frame.payload.count <= WireLimits.messageBytesMax else {
                throw WireError(.tooLarge, "message over \(WireLimits.messageBytesMax) bytes")
            }
            open = (frame.kind, frame.operation)
            message.append(contentsOf: frame.payload)
            guard !frame.continues else { continue }
            let whole = message
            message = []
            open = nil
            let failure: WireError? = whole.withUnsafeBytes { bytes in
                do throws(WireError) {
                    try body(frame.kind, frame.operation, bytes)
                    return nil
                } catch { return error }
            }
            if let failure { throw failure }
        }
    }

    private struct Frame {
        let kind: UInt8
        let operation: UInt64
        let continues: Bool
        let payload: UnsafeRawBufferPointer
    }

    private mutating func nextFrame() throws(WireError) -> Frame? {
        guard end - start >= WireLimits.headerBytes else { return nil }
        let header = UnsafeRawBufferPointer(rebasing: buffer[start..<(start + WireLimits.headerBytes)])
        let length = Int(UInt32(littleEndian: header.loadUnaligned(as: UInt32.self)))
        guard length <= WireLimits.frameBytesMax else { throw WireError(.tooLarge, "frame of \(length) bytes") }
        guard header[5] <= 1, header[6] == 0, header[7] == 0 else { throw WireError(.badValue, "frame flags") }
        guard header[5] == 0 || length > 0 else { throw WireError(.badValue, "empty continuation") }
        guard end - start >= WireLimits.headerBytes + length else { return nil }
        let from = start + WireLimits.headerBytes
        start = from + length
        return Frame(
            kind: header[4], operation: UInt64(littleEndian: header.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
            continues: header[5] == 1, payload: UnsafeRawBufferPointer(rebasing: buffer[from..<start]))
    }

    /// Bytes missing to the end of the frame begun.
    private var missingBytes: Int {
        guard end - start >= WireLimits.headerBytes else { return 0 }
        let length = Int(UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
        return max(0, min(length, WireLimits.frameBytesMax) + WireLimits.headerBytes - (end - start))
    }

    private mutating func resize(to count: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, end), alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<end]))
        buffer.deallocate()
        buffer = larger
    }
}
