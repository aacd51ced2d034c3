// A block of addresses in CIDR form, for allow-lists.

/// All addresses that share a prefix.
public struct IPRange: Hashable, Sendable {
    /// The first address.
    public let first: IPAddress
    /// How many leading bits count: 0 to 32 or 0 to 128.
    public let prefixLength: Int

    private let mask: UInt128

    /// Reads `203.0.113.0/24`, `2001:db8::/32`, or a single address. Bits behind the prefix are ignored. Ranges of
    /// IPv4 addresses in IPv6 form (`::ffff:10.0.0.0/104`) are read as IPv4 ranges. Nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first.map(String.init), let first = IPAddress(address) else { return nil }
        var length = first.family.bits
        if parts.count == 2 {
            let digits = parts[1].utf8
            guard (1...3).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }), digits.count == 1 || digits.first != 48,
                var given = Int(parts[1])
            else { return nil }
            if IPAddress.isMapped(address) { given -= 96 }
            guard (0...length).contains(given) else { return nil }
            length = given
        }
        let all: UInt128 = first.family == .v4 ? 0xFFFF_FFFF : .max
        mask = length == 0 ? 0 : all << UInt128(first.family.bits - length) & all
        self.first = IPAddress(family: first.family, value: first.value & mask)
        prefixLength = length
    }

    /// Whether the address is in the block. An IPv4 address is in no IPv6 block.
    public func contains(_ address: IPAddress) -> Bool {
        address.family == first.family && address.value & mask == first.value
    }
}

extension IPRange: CustomStringConvertible {
    /// `address/prefix`
    public var description: String { "\(first)/\(prefixLength)" }
}
