// What an operator sees of the rules that a connection's requests keep to.

/// A connection's egress policy, without secrets.
public struct EgressView: Sendable, Hashable {
    /// Where it is set: `[workspaces.acme.egress]`.
    public var place: String
    /// Only these; nil: what manifest and base_url allow.
    public var allowedHosts: [String]?
    /// None of these.
    public var deniedHosts: [String]
    /// Private networks that may be reached.
    public var privateNetworks: [String]
    /// Scheme, host and port; nil: none.
    public var proxy: String?
    /// Whether the proxy is given credentials.
    public var hasProxyCredentials: Bool
    /// PEM file in place of the system's authorities.
    public var caFile: String?

    /// All parts.
    public init(
        place: String, allowedHosts: [String]?, deniedHosts: [String], privateNetworks: [String], proxy: String?, hasProxyCredentials: Bool,
        caFile: String?
    ) {
        self.place = place
        self.allowedHosts = allowedHosts
        self.deniedHosts = deniedHosts
        self.privateNetworks = privateNetworks
        self.proxy = proxy
        self.hasProxyCredentials = hasProxyCredentials
        self.caFile = caFile
    }
}
