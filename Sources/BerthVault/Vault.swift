// Secrets of connections, sealed at rest and opened in memory only. It keeps no file and no database of its own:
// sealed values live in whatever SealedSecretStore it is given.

public import BerthModel
public import BerthSeams

/// A ``SecretStore`` over sealed values.
///
/// Isolation: an actor; changes (set, remove, re-sealing) run one at a time, reads beside them.
/// Opened values are kept in memory, at most `cacheLimit`, and dropped when they change.
public actor Vault: TransactionalSecrets {
    let store: any SealedSecretStore
    var keyring: VaultKeyring
    private let cacheLimit: Int

    private struct Place: Hashable {
        var connection: ConnectionID
        var slot: String
    }
    private var cache: [Place: Secret] = [:]
    /// Counts changes per connection, so that a read that overlapped a change is not cached.
    private var changes: [ConnectionID: Int] = [:]
    private var isChanging = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    /// What was wrong with stored values at the start, a message for each.
    public nonisolated let damaged: [BerthError]

    private init(store: any SealedSecretStore, keyring: VaultKeyring, cacheLimit: Int, damaged: [BerthError]) {
        self.damaged = damaged
        self.store = store
        self.keyring = keyring
        self.cacheLimit = cacheLimit
    }

    /// A vault over `store`, after checking that every stored value's key is at hand: a wrong key is told at start, not at the
    /// first request at night. Values that do not open with their key were changed or moved; they are in `damaged`, and hold up
    /// nobody but their connection.
    public static func open(
        over store: any SealedSecretStore, with keyring: VaultKeyring, cacheLimit: Int = 10_000
    ) async throws(BerthError) -> Vault {
        let all = try await store.allSealedSecrets()
        let sealed = Dictionary(all.map { ($0.secret.keyID, 1) }, uniquingKeysWith: +)
        if let problem = missingKeys(for: sealed, in: keyring) { throw problem }
        let damaged = all.compactMap { value -> BerthError? in
            guard let key = keyring.key(value.secret.keyID),
                SealedBox.open(value.secret, connection: value.connection, slot: value.slot, with: key) == nil
            else { return nil }
            return broken(slot: value.slot, connection: value.connection, keyID: value.secret.keyID)
        }
        return Vault(store: store, keyring: keyring, cacheLimit: cacheLimit, damaged: damaged)
    }

    /// What is wrong when values were sealed with keys that are not at hand; `sealed`: how many, by their key's id.
    public static func missingKeys(for sealed: [String: Int], in keyring: VaultKeyring) -> BerthError? {
        let unknown = sealed.filter { !keyring.ids.contains($0.key) }
        guard !unknown.isEmpty else { return nil }
        return BerthError(
            .vaultKey,
            "\(unknown.values.reduce(0, +)) of \(sealed.values.reduce(0, +)) stored secrets were sealed with key "
                + "\(unknown.keys.sorted().joined(separator: ", ")), but the keys at hand are \(keyring.ids.joined(separator: ", "))",
            hint: "put the key they were sealed with into the key file, or beside it as KEYFILE.old")
    }

    /// Ids of the keys at hand, the sealing one first.
    public var keyIDs: [String] { keyring.ids }

    /// The value of a slot; nil when none was set. Throws `vault_sealed` when it cannot be opened.
    public func secret(_ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) -> Secret? {
        let place = Place(connection: connection, slot: slot.text)
        while true {
            if let cached = cache[place] { return cached }
            let before = changes[connection]
            guard let sealed = try await store.sealedSecret(connection: connection, slot: place.slot) else {
                if changes[connection] != before { continue }
                return nil
            }
            if changes[connection] != before { continue }
            guard let key = keyring.key(sealed.keyID) else {
                throw BerthError(
                    .vaultKey, "\(place.slot) of \(connection) was sealed with key \(sealed.keyID), which is not at hand",
                    hint: "put that key beside the key file as KEYFILE.old and restart")
            }
            guard let secret = SealedBox.open(sealed, connection: connection, slot: place.slot, with: key) else {
                throw Self.broken(slot: place.slot, connection: connection, keyID: sealed.keyID)
            }
            if cache.count >= cacheLimit { cache.removeAll(keepingCapacity: true) }
            cache[place] = secret
            return secret
        }
    }

    /// Seals and stores; durable when it returns.
    public func set(_ secret: Secret, _ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) {
        let sealed = try SealedBox.seal(secret, connection: connection, slot: slot.text, with: keyring.current)
        await beginChange()
        defer { endChange() }
        drop(connection)
        // Dropped again afterwards: a read that began before the store's commit must not stay.
        defer { drop(connection) }
        try await store.setSealedSecret(sealed, connection: connection, slot: slot.text)
    }

    /// Forgets all slots of a connection durably.
    public func removeAll(of connection: ConnectionID) async throws(BerthError) {
        await beginChange()
        defer { endChange() }
        drop(connection)
        defer { drop(connection) }
        try await store.removeSealedSecrets(connection: connection)
    }

    /// Seals, and lets `commit` store it together with what it belongs to.
    public func change<Value: Sendable>(
        _ change: SecretChange, of connection: ConnectionID,
        _ commit: @Sendable (SealedChange) async throws(BerthError) -> Value
    ) async throws(BerthError) -> Value {
        await beginChange()
        defer { endChange() }
        var sealed = SealedChange(removesAll: change.removesAll, removes: Set(change.removes.map(\.text)))
        for (slot, secret) in change.values {
            sealed.values[slot.text] = try SealedBox.seal(secret, connection: connection, slot: slot.text, with: keyring.current)
        }
        drop(connection)
        defer { drop(connection) }
        return try await commit(sealed)
    }

    private func drop(_ connection: ConnectionID) {
        changes[connection, default: 0] += 1
        for place in cache.keys where place.connection == connection { cache[place] = nil }
    }

    /// Waits its turn to change something: re-sealing must not overwrite a value set meanwhile.
    func beginChange() async {
        if isChanging { await withCheckedContinuation { waiters.append($0) } }
        isChanging = true
    }

    /// Hands the turn to the longest-waiting change.
    func endChange() {
        if waiters.isEmpty { isChanging = false } else { waiters.removeFirst().resume() }
    }

    static func broken(slot: String, connection: ConnectionID, keyID: String) -> BerthError {
        BerthError(
            .vaultSealed, "\(slot) of \(connection) does not open with key \(keyID): the stored value was changed or moved",
            hint:
                "restore the database from a backup, or give the connection its credential again: berthctl connection set-credentials NAME")
    }
}
