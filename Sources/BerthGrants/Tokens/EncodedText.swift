// A text with what it says when its escapes are read: servers repeat a secret as it stood in a form, in a URL or in JSON, and then each
// letter may be written in several ways.

/// Bytes, and where each of them came from.
struct EncodedText {
    private(set) var bytes: [UInt8]
    /// Of each byte: the part of the first text that it was written with.
    private(set) var origins: [Range<Int>]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        origins = bytes.indices.map { $0..<$0 + 1 }
    }

    /// The parts of the first text that say `word`.
    func places(of word: [UInt8]) -> [Range<Int>] {
        guard let first = word.first, word.count <= bytes.count else { return [] }
        var found: [Range<Int>] = []
        var index = 0
        while index + word.count <= bytes.count {
            if bytes[index] == first, bytes[index..<index + word.count].elementsEqual(word) {
                found.append(origins[index].lowerBound..<origins[index + word.count - 1].upperBound)
                index += word.count
            } else {
                index += 1
            }
        }
        return found
    }

    /// One layer of escapes read: `%2F`, `\/`, `\u002f`. Nil when there is none.
    func decoded() -> EncodedText? {
        var result = EncodedText([])
        var index = 0
        while index < bytes.count {
            let (read, length) = escape(at: index) ?? ([bytes[index]], 1)
            let origin = origins[index].lowerBound..<origins[index + length - 1].upperBound
            result.bytes += read
            result.origins += Array(repeating: origin, count: read.count)
            index += length
        }
        return result.bytes == bytes ? nil : result
    }

    private func escape(at index: Int) -> (bytes: [UInt8], length: Int)? {
        switch bytes[index] {
        case UInt8(ascii: "%"): return number(index + 1, 2).map { ([UInt8($0)], 3) }
        case UInt8(ascii: "\\"):
            guard index + 1 < bytes.count else { return nil }
            let next = bytes[index + 1]
            guard next == UInt8(ascii: "u") else {
                let meaning: [UInt8: UInt8] = [
                    UInt8(ascii: "n"): 10, UInt8(ascii: "t"): 9, UInt8(ascii: "r"): 13, UInt8(ascii: "b"): 8, UInt8(ascii: "f"): 12,
                ]
                return ([meaning[next] ?? next], 2)
            }
            guard let high = number(index + 2, 4) else { return nil }
            if let scalar = Unicode.Scalar(high) { return (Array(String(Character(scalar)).utf8), 6) }
            // Half of a pair.
            guard index + 7 < bytes.count, bytes[index + 6] == UInt8(ascii: "\\"), bytes[index + 7] == UInt8(ascii: "u"),
                let low = number(index + 8, 4), (0xD800..<0xDC00).contains(high), (0xDC00..<0xE000).contains(low),
                let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
            else { return nil }
            return (Array(String(Character(scalar)).utf8), 12)
        default: return nil
        }
    }

    private func number(_ start: Int, _ digits: Int) -> UInt32? {
        guard start + digits <= bytes.count else { return nil }
        var value: UInt32 = 0
        for byte in bytes[start..<start + digits] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 128 else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
