// The hosts that an operator's list means.

/// `host`, `*.domain` (its subdomains) or `*` (any), each with `:port` or without.
public struct HostPattern: Sendable, Hashable, LosslessStringConvertible {
    /// As written.
    public let description: String
    /// Lower case; begins with a dot for subdomains, empty for any.
    private let name: String
    private let port: UInt16?

    /// Nil for anything else: schemes, paths, addresses in brackets, a star elsewhere.
    public init?(_ description: String) {
        self.description = description
        var rest = Substring(description.lowercased())
        let colons = rest.utf8.count { $0 == UInt8(ascii: ":") }
        if colons == 1, let colon = rest.firstIndex(of: ":") {
            guard let given = UInt16(rest[rest.index(after: colon)...]), given > 0 else { return nil }
            port = given
            rest = rest[..<colon]
        } else {
            port = nil
        }
        if rest == "*" {
            name = ""
            return
        }
        // More than one colon: an IPv6 address, which has no port here.
        if colons > 1 {
            guard PeerAddress(rest) != nil else { return nil }
            name = String(rest)
            return
        }
        let isDomain = rest.hasPrefix("*.")
        let plain = isDomain ? rest.dropFirst(2) : rest
        guard !plain.isEmpty, !plain.hasPrefix("."), !plain.hasSuffix("."), plain.utf8.allSatisfy({ Self.isNameByte($0) }) else {
            return nil
        }
        name = String(isDomain ? rest.dropFirst() : rest)
    }

    /// Whether it allows `origin`. Without a port only the scheme's own is meant, as in a manifest.
    func matches(_ origin: Origin) -> Bool {
        isName(origin.host)
            && (port == origin.port || port == nil && (name.isEmpty || origin.port == (origin.scheme == "https" ? 443 : 80)))
    }

    /// Whether it denies `origin`. Without a port every port is meant.
    func covers(_ origin: Origin) -> Bool { isName(origin.host) && (port == nil || port == origin.port) }

    private func isName(_ host: String) -> Bool {
        if name.isEmpty { return true }
        return name.hasPrefix(".") ? host.utf8.count > name.utf8.count && host.hasSuffix(name) : host == name
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: false
        }
    }
}
