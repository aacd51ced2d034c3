// Random draws that are the same for the same seed on every machine: the standard library promises no stable order.

/// SplitMix64.
struct SeededGenerator: Sendable {
    private var state: UInt64

    /// A generator of its own for each (seed, name, serial), so that call 7 is the same whatever the number of calls.
    init(seed: UInt64, _ name: String, _ serial: Int = 0) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ seed
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        // The serial is scrambled first: SplitMix64 steps by a constant, and neighbours that start a step apart would draw the same.
        state = UInt64(truncatingIfNeeded: serial) &* 0xd134_2543_de82_ef95
        state = next() ^ hash
    }

    /// The next 64 bits.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    /// From 0 to `bound` - 1.
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    /// From the range, both ends included.
    mutating func within(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }
    /// True with this probability, 0 to 1.
    mutating func chance(_ probability: Double) -> Bool { Double(next() >> 11) / 9_007_199_254_740_992 < probability }
    /// One of the elements.
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    /// `count` characters of `alphabet`.
    mutating func characters(_ count: Int, of alphabet: String) -> String {
        let letters = Array(alphabet.utf8)
        return String(decoding: (0..<count).map { _ in letters[below(letters.count)] }, as: UTF8.self)
    }

    /// A version 4 UUID in lower case.
    mutating func uuid() -> String {
        let hex = Array(characters(32, of: "0123456789abcdef").utf8)
        var text: [UInt8] = []
        for (index, digit) in hex.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append(UInt8(ascii: "-")) }
            text.append(index == 12 ? UInt8(ascii: "4") : index == 16 ? Array("89ab".utf8)[Int(digit) % 4] : digit)
        }
        return String(decoding: text, as: UTF8.self)
    }
}
