// A block of IP addresses in CIDR form, and one address, as numbers that can be compared.

import Glibc

/// One IP address. An IPv4 address and its v4-mapped IPv6 form are different values on purpose.
package struct PeerAddress: Hashable, Sendable {
    /// IPv4 in the low 32 bits, or all 128 bits of IPv6.
    package var value: UInt128
    /// Which family.
    package var isIPv6: Bool

    /// The address in a socket address; nil for other families.
    package init?(socketAddress raw: UnsafeRawPointer, length: Int) {
        guard length >= MemoryLayout<sa_family_t>.size else { return nil }
        switch Int32(raw.loadUnaligned(as: sa_family_t.self)) {
        case AF_INET where length >= MemoryLayout<sockaddr_in>.size:
            self.init(v4: raw.loadUnaligned(as: sockaddr_in.self).sin_addr)
        case AF_INET6 where length >= MemoryLayout<sockaddr_in6>.size:
            self.init(v6: raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr)
        default: return nil
        }
    }

    /// The port in a socket address; 0 for other families.
    static func port(socketAddress raw: UnsafeRawPointer, length: Int) -> UInt16 {
        // sin_port and sin6_port stand at the same place, in network order.
        guard length >= MemoryLayout<sockaddr_in>.size else { return 0 }
        switch Int32(raw.loadUnaligned(as: sa_family_t.self)) {
        case AF_INET, AF_INET6: return UInt16(bigEndian: raw.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        default: return 0
        }
    }

    /// Reads `192.0.2.1` or `2001:db8::1`, nothing more lenient.
    package init?(_ text: some StringProtocol) {
        var v4 = in_addr()
        var v6 = in6_addr()
        let text = String(text)
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(v4: v4)
        } else if inet_pton(AF_INET6, text, &v6) == 1 {
            self.init(v6: v6)
        } else {
            return nil
        }
    }

    private init(v4: in_addr) {
        value = UInt128(UInt32(bigEndian: v4.s_addr))
        isIPv6 = false
    }

    private init(v6: in6_addr) {
        value = withUnsafeBytes(of: v6) { bytes in bytes.reduce(0) { $0 << 8 | UInt128($1) } }
        isIPv6 = true
    }

    /// The IPv4 address inside `::ffff:0:0/96`; nil for others.
    package var mapped: PeerAddress? {
        guard isIPv6, value >> 32 == 0xFFFF else { return nil }
        var inner = self
        inner.isIPv6 = false
        inner.value = value & 0xFFFF_FFFF
        return inner
    }
}

/// Addresses that share their first bits.
public struct NetworkPrefix: Hashable, Sendable, LosslessStringConvertible {
    let first: PeerAddress
    let length: Int

    /// Reads `10.0.0.0/8`, `fd00::/8`, or one address; nil when malformed or when bits after the prefix are set.
    public init?(_ description: String) {
        let parts = description.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = PeerAddress(parts[0]) else { return nil }
        let width = address.isIPv6 ? 128 : 32
        guard parts.count == 1 || Int(parts[1]).map({ (0...width).contains($0) }) == true else { return nil }
        first = address
        length = parts.count == 1 ? width : Int(parts[1]) ?? width
        guard length == width || address.value & ((UInt128(1) << UInt128(width - length)) &- 1) == 0 else { return nil }
        self.description = description
    }

    /// As written.
    public let description: String

    package func contains(_ address: PeerAddress) -> Bool {
        guard address.isIPv6 == first.isIPv6 else { return false }
        let shift = UInt128((first.isIPv6 ? 128 : 32) - length)
        return shift == 128 || address.value >> shift == first.value >> shift
    }
}
