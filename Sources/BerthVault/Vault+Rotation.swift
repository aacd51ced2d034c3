// Changing the key while the daemon runs: values sealed by older keys are sealed again with the current one, a
// bounded number at a time, with other changes let in between.

public import BerthModel
import BerthSeams

extension Vault {
    /// How a re-sealing ended.
    public struct Rewrapped: Sendable, Hashable {
        /// Values sealed again.
        public var count: Int
        /// Values that are sealed with the current key already.
        public var alreadyCurrent: Int
    }

    /// Takes other keys from now on, after checking that every stored value's key is among them. New values are sealed with
    /// the new current key; the others by ``rewrap(batchCount:)``.
    public func adopt(_ other: VaultKeyring) async throws(BerthError) {
        await beginChange()
        defer { endChange() }
        let unknown = Set(try await store.allSealedSecrets().map(\.secret.keyID)).subtracting(other.ids)
        guard unknown.isEmpty else {
            throw BerthError(
                .vaultKey, "stored secrets need key \(unknown.sorted().joined(separator: ", ")), which is not among the new ones",
                hint: "keep the key they were sealed with beside the new one as KEYFILE.old; nothing was changed")
        }
        keyring = other
    }

    /// Seals every value again whose key is not the current one. Safe to stop and repeat at any point: each value is
    /// always readable, with its old key or the current one. At most `batchCount` values are handled before other
    /// changes get their turn. Cancelling the task ends it after the value at hand.
    public func rewrap(batchCount: Int = 64) async throws(BerthError) -> Rewrapped {
        var outcome = Rewrapped(count: 0, alreadyCurrent: 0)
        var damage: BerthError?
        let all = try await store.allSealedSecrets()
        var rest = all.filter { $0.secret.keyID != keyring.current.id }[...]
        outcome.alreadyCurrent = all.count - rest.count
        while !rest.isEmpty, !Task.isCancelled {
            outcome.count += try await rewrapBatch(rest.prefix(batchCount).map { ($0.connection, $0.slot) }, &damage)
            rest = rest.dropFirst(batchCount)
        }
        // One that was damaged before keeps none of the others from the new key.
        if let damage { throw damage }
        return outcome
    }

    private func rewrapBatch(_ places: [(connection: ConnectionID, slot: String)], _ damage: inout BerthError?) async throws(BerthError)
        -> Int
    {
        await beginChange()
        defer { endChange() }
        var count = 0
        for place in places where !Task.isCancelled {
            // Read again: it may have been set or removed since it was listed.
            guard let sealed = try await store.sealedSecret(connection: place.connection, slot: place.slot),
                sealed.keyID != keyring.current.id
            else { continue }
            guard let key = keyring.key(sealed.keyID) else {
                throw BerthError(
                    .vaultKey, "\(place.slot) of \(place.connection) was sealed with key \(sealed.keyID), which is not at hand",
                    hint: "put that key beside the key file as KEYFILE.old and restart")
            }
            guard let secret = SealedBox.open(sealed, connection: place.connection, slot: place.slot, with: key) else {
                damage = damage ?? Self.broken(slot: place.slot, connection: place.connection, keyID: sealed.keyID)
                continue
            }
            var again = try SealedBox.seal(secret, connection: place.connection, slot: place.slot, with: keyring.current)
            // The value is as old as it was.
            again.setAt = sealed.setAt
            try await store.setSealedSecret(again, connection: place.connection, slot: place.slot)
            count += 1
        }
        return count
    }
}
