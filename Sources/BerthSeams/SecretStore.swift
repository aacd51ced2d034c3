// Where secrets come from, by connection and slot. Implemented by BerthVault over sealed values in the store.

public import BerthModel

/// Secrets of connections. Implementations cache opened values in memory and never log them.
public protocol SecretStore: Sendable {
    /// The secret in a slot; nil when none was ever set. Throws when it cannot be opened (wrong key, corrupt).
    func secret(_ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) -> Secret?
    /// Replaces the slot's value durably. Several current values (key rotation) are separate slots.
    func set(_ secret: Secret, _ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError)
    /// Forgets all slots of a connection durably.
    func removeAll(of connection: ConnectionID) async throws(BerthError)
}

extension BerthError.Code {
    /// A sealed value cannot be opened: it was changed, or sealed by another key.
    public static let vaultSealed: BerthError.Code = "vault_sealed"
}

/// Secrets that change in one transaction with what they belong to.
public protocol TransactionalSecrets: SecretStore {
    /// Seals the change and hands it to `commit`, which stores it with whatever else belongs to it. No other secret changes meanwhile;
    /// values kept in memory are dropped before and after. Throws what sealing or `commit` throws.
    func change<Value: Sendable>(
        _ change: SecretChange, of connection: ConnectionID,
        _ commit: @Sendable (SealedChange) async throws(BerthError) -> Value
    ) async throws(BerthError) -> Value
}

/// What becomes of a connection's secrets.
public struct SecretChange: Sendable {
    /// All that are there go, before `values` are set.
    public var removesAll: Bool
    /// These go, before `values` are set.
    public var removes: Set<SecretSlot>
    /// New values by slot.
    public var values: [SecretSlot: Secret]
    /// A change; of nothing unless said.
    public init(removesAll: Bool = false, removes: Set<SecretSlot> = [], values: [SecretSlot: Secret] = [:]) {
        self.removesAll = removesAll
        self.removes = removes
        self.values = values
    }
}

/// The same, sealed, by slot text.
public struct SealedChange: Sendable {
    /// All that are there go, before `values` are set.
    public var removesAll: Bool
    /// These slots go, before `values` are set.
    public var removes: Set<String>
    /// Sealed values by slot text.
    public var values: [String: SealedSecret]
    /// A change; of nothing unless said.
    public init(removesAll: Bool = false, removes: Set<String> = [], values: [String: SealedSecret] = [:]) {
        self.removesAll = removesAll
        self.removes = removes
        self.values = values
    }
}

/// Which secret of a connection.
public enum SecretSlot: Sendable, Hashable {
    /// A field of the credential: `token`, `username`, `password`, `api_key`.
    case credential(field: String)
    /// A key deliveries are verified with: 0 is the current one, 1 the one before during rotation.
    case webhook(index: Int)
    /// A secret setting.
    case setting(name: String)
    /// Tokens of an OAuth grant, all in one value so that they change together.
    case grant
    /// What the answer of a token request is sealed with while it is outside the database.
    case exchangeKey

    /// Stable text, part of what seals the value.
    public var text: String {
        switch self {
        case .credential(let field): "credential/\(field)"
        case .webhook(let index): "webhook/\(index)"
        case .setting(let name): "setting/\(name)"
        case .grant: "grant"
        case .exchangeKey: "exchange-key"
        }
    }
}

/// A value sealed by the vault. Safe to store anywhere.
public struct SealedSecret: Sendable, Hashable {
    /// Which key sealed it.
    public var keyID: String
    /// Nonce, ciphertext and tag.
    public var bytes: [UInt8]
    /// When the value within was given. Nil when it is stored: now; a value that is only sealed again keeps its time.
    public var setAt: Timestamp?
    /// A sealed value.
    public init(keyID: String, bytes: [UInt8], setAt: Timestamp? = nil) {
        self.keyID = keyID
        self.bytes = bytes
        self.setAt = setAt
    }
}

/// Persistence of sealed values; part of ``Store``.
public protocol SealedSecretStore: Sendable {
    /// The sealed value under a connection and slot text.
    func sealedSecret(connection: ConnectionID, slot: String) async throws(BerthError) -> SealedSecret?
    /// Durable when it returns. Throws `conflict` for a connection that is disconnected or removed: those keep nothing secret.
    func setSealedSecret(_ secret: SealedSecret, connection: ConnectionID, slot: String) async throws(BerthError)
    /// Durable when it returns.
    func removeSealedSecrets(connection: ConnectionID) async throws(BerthError)
    /// Every sealed value, for key rotation and start-up checks.
    func allSealedSecrets() async throws(BerthError) -> [(connection: ConnectionID, slot: String, secret: SealedSecret)]
}
