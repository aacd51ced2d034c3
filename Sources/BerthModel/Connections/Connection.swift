// A workspace's configured link to one provider. Its secrets live in the vault, never here.

/// A connection.
public struct Connection: Sendable, Hashable {
    /// Its id.
    public var id: ConnectionID
    /// The provider and plugin.
    public var provider: ProviderName
    /// The workspace it belongs to.
    public var workspace: WorkspaceName
    /// Unique per provider and workspace; also usable in webhook paths and commands.
    public var name: String
    /// Overrides the provider's address.
    public var baseURL: String?
    /// By the manifest's settings, secrets left out.
    public var settings: [String: JSONValue]
    /// Credential kind, nil when none was given.
    public var credentialKind: CredentialSpec.Kind?
    /// How its deliveries are verified; nil when it takes none.
    public var webhook: ConnectionWebhook?
    /// Schedules by stream, in the text form of ``Schedule``.
    public var schedules: [StreamName: String]
    /// Where it stands.
    public var status: ConnectionStatus
    /// Failed runs in a row; three make the status `error`.
    public var consecutiveFailures: Int
    /// Why the status is `error` or the last run failed.
    public var lastError: String?
    /// When it was made.
    public var createdAt: Timestamp
    /// When it was last changed.
    public var updatedAt: Timestamp
    /// When a run last succeeded.
    public var lastSyncAt: Timestamp?
    /// Which of its addresses and credentials these are, counted by the daemon's directory and never stored; 0: they are being changed,
    /// or it comes from nowhere that counts.
    public var accessRevision: UInt64 = 0

    /// All parts.
    public init(
        id: ConnectionID, provider: ProviderName, workspace: WorkspaceName, name: String, baseURL: String?,
        settings: [String: JSONValue], credentialKind: CredentialSpec.Kind?, webhook: ConnectionWebhook?,
        schedules: [StreamName: String], status: ConnectionStatus, consecutiveFailures: Int, lastError: String?,
        createdAt: Timestamp, updatedAt: Timestamp, lastSyncAt: Timestamp?
    ) {
        self.id = id
        self.provider = provider
        self.workspace = workspace
        self.name = name
        self.baseURL = baseURL
        self.settings = settings
        self.credentialKind = credentialKind
        self.webhook = webhook
        self.schedules = schedules
        self.status = status
        self.consecutiveFailures = consecutiveFailures
        self.lastError = lastError
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.lastSyncAt = lastSyncAt
    }
}

/// Where a connection stands.
public enum ConnectionStatus: String, Sendable, Codable, Hashable, CaseIterable {
    /// Works.
    case active
    /// Stopped by a person: webhooks are still kept, nothing is dispatched or synced.
    case paused
    /// Three runs in a row failed, or the credential was refused.
    case error
    /// Cut off from the provider.
    case disconnected
}

/// A connection's own webhook rules. The keys themselves are in the vault under the slot `webhook`.
public struct ConnectionWebhook: Sendable, Hashable, Codable {
    /// The scheme chosen.
    public var scheme: SignatureScheme.Kind
    /// CIDR ranges or addresses; empty: any.
    public var allowIPs: [String]
    /// Overrides of the manifest's `hmac` details.
    public var header: String?
    /// Overrides the algorithm.
    public var algorithm: SignatureScheme.HMAC.Algorithm?
    /// Overrides the encoding.
    public var encoding: SignatureScheme.HMAC.Encoding?
    /// Overrides the prefix.
    public var prefix: String?
    /// Overrides the tolerance.
    public var toleranceSeconds: Int64?

    /// Rules.
    public init(
        scheme: SignatureScheme.Kind, allowIPs: [String] = [], header: String? = nil, algorithm: SignatureScheme.HMAC.Algorithm? = nil,
        encoding: SignatureScheme.HMAC.Encoding? = nil, prefix: String? = nil, toleranceSeconds: Int64? = nil
    ) {
        self.scheme = scheme
        self.allowIPs = allowIPs
        self.header = header
        self.algorithm = algorithm
        self.encoding = encoding
        self.prefix = prefix
        self.toleranceSeconds = toleranceSeconds
    }
}
