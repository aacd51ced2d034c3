// What a workspace's requests may reach, and by which way. The address that is checked is the one the socket connects
// to: what a URL or a name server says is no proof (libcurl's security notes; DNS can answer differently each time).

/// The operator's rules for the requests of one workspace, or of all.
public struct EgressPolicy: Sendable {
    /// Non-public networks that every connection may reach; `private_networks`.
    public var privateNetworks: [NetworkPrefix]
    /// Whether a base_url that the operator set in place of the manifest's may lead to a non-public address. Only
    /// that URL's own host and port are meant.
    public var allowsPrivateBaseURL: Bool
    /// Only these of the hosts that manifest or base_url allow; nil: all of them.
    public var allowedHosts: [HostPattern]?
    /// None of these, whoever allows them.
    public var deniedHosts: [HostPattern] = []
    /// The one way out; nil: straight.
    public var proxy: ProxyServer?
    /// PEM file of certificate authorities in place of the system's.
    public var caFile: String?
    /// Where an operator changes it, for messages: `[workspaces.acme.egress]`.
    public var place = "[egress]"
    /// Requests of different routes never share a kept connection, whatever libcurl thinks of two proxies' credentials.
    public var route = 0

    /// A policy.
    public init(privateNetworks: [NetworkPrefix] = [], allowsPrivateBaseURL: Bool = true) {
        self.privateNetworks = privateNetworks
        self.allowsPrivateBaseURL = allowsPrivateBaseURL
    }

    /// Why no request may go to `origin`; nil: it may as far as its name tells. Behind a proxy the name is all there is: the
    /// proxy resolves it, so that addresses written out, and the proxy's own loopback, are judged here.
    func refusal(of origin: Origin, approval: Approval) -> String? {
        if let pattern = deniedHosts.first(where: { $0.covers(origin) }) {
            return "\(origin.host) is denied by '\(pattern)' in denied_hosts of \(place)"
        }
        if let allowedHosts, !allowedHosts.contains(where: { $0.matches(origin) }) {
            return "\(origin.host):\(origin.port) is not in allowed_hosts of \(place)"
        }
        guard proxy != nil else { return nil }
        let isLoopbackName = origin.host == "localhost" || origin.host.hasSuffix(".localhost")
        guard let address = PeerAddress(isLoopbackName ? "127.0.0.1" : origin.host), let kind = refusal(of: address, approval: approval)
        else {
            return nil
        }
        return "\(origin.host) is \(kind), which is not allowed: list its network in private_networks of \(place)"
    }

    /// Why a socket may not be opened to `address`; nil: it may. Behind a proxy no socket but the proxy's is opened.
    func refusal(ofPeer address: PeerAddress, port: UInt16, approval: Approval) -> String? {
        guard let proxy else { return refusal(of: address, approval: approval) }
        guard port == proxy.port else { return "no port of the proxy's" }
        if let literal = proxy.address { return literal == address ? nil : "no address of the proxy's" }
        // The operator named it; but no name leads to link-local addresses, where clouds keep their metadata.
        return refusal(of: address, approval: .name)
    }

    /// Why `address` may not be connected to; nil: it may.
    package func refusal(of address: PeerAddress, approval: Approval) -> String? {
        guard let kind = AddressKind(address) else { return nil }
        if privateNetworks.contains(where: { $0.contains(address) || address.mapped.map($0.contains) == true }) { return nil }
        switch approval {
        case .none: break
        // Link-local addresses are where clouds keep their metadata: only a network of the policy's leads there.
        case .literal(let approved): if approved == address, kind == .loopback || kind == .privateUse { return nil }
        case .name: if kind == .loopback || kind == .privateUse { return nil }
        }
        return kind.rawValue
    }

    /// What the operator approved by naming a base_url of his own.
    package enum Approval: Hashable, Sendable {
        /// Nothing.
        case none
        /// Exactly this address.
        case literal(PeerAddress)
        /// Loopback and private addresses that the named host resolves to; never link-local, where clouds keep
        /// their metadata service.
        case name
    }
}

/// Why an address is not public.
package enum AddressKind: String, Sendable {
    case loopback = "a loopback address"
    case privateUse = "a private address"
    case linkLocal = "a link-local address"
    case multicast = "a multicast address"
    case transition = "an address that embeds another one"
    case reserved = "a reserved address"

    /// nil for a public address. IANA special-purpose registries for IPv4 and IPv6; of IPv6 only 2000::/3 is public.
    package init?(_ address: PeerAddress) {
        if let match = Self.table.first(where: { $0.prefix.contains(address) }) {
            self = match.kind
        } else if address.isIPv6, address.value >> 125 != 1 {
            self = .reserved
        } else {
            return nil
        }
    }

    private static let table: [(prefix: NetworkPrefix, kind: AddressKind)] = [
        ("0.0.0.0/8", .reserved), ("10.0.0.0/8", .privateUse), ("100.64.0.0/10", .privateUse), ("127.0.0.0/8", .loopback),
        ("169.254.0.0/16", .linkLocal), ("172.16.0.0/12", .privateUse), ("192.0.0.0/24", .reserved), ("192.0.2.0/24", .reserved),
        ("192.31.196.0/24", .reserved), ("192.52.193.0/24", .reserved), ("192.88.99.0/24", .transition), ("192.168.0.0/16", .privateUse),
        ("192.175.48.0/24", .reserved), ("198.18.0.0/15", .reserved), ("198.51.100.0/24", .reserved), ("203.0.113.0/24", .reserved),
        ("224.0.0.0/4", .multicast), ("240.0.0.0/4", .reserved),
        ("::/128", .reserved), ("::1/128", .loopback), ("::ffff:0:0/96", .transition), ("::/96", .transition),
        ("64:ff9b::/96", .transition), ("64:ff9b:1::/48", .transition), ("100::/64", .reserved), ("2001::/23", .transition),
        ("2001:db8::/32", .reserved), ("2002::/16", .transition), ("2620:4f:8000::/48", .reserved), ("3fff::/20", .reserved),
        ("fc00::/7", .privateUse), ("fe80::/10", .linkLocal), ("fec0::/10", .linkLocal), ("ff00::/8", .multicast),
    ].compactMap { text, kind in NetworkPrefix(text).map { ($0, kind) } }
}
