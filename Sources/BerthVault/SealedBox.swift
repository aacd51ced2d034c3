// How one value is sealed: AES-256-GCM, a random 96-bit nonce per sealing, and associated data that binds the
// value to its row, so that a sealed value copied to another connection or slot does not open there.

import BerthModel
import BerthSeams
import Crypto
import FoundationEssentials

enum SealedBox {
    /// `berth-secret-v1|con_...|credential/token|key id`
    static func associatedData(connection: ConnectionID, slot: String, keyID: String) -> [UInt8] {
        Array("berth-secret-v1|\(connection)|\(slot)|\(keyID)".utf8)
    }

    /// Nonce (12), ciphertext, tag (16). The plaintext is read where it lies.
    static func seal(_ secret: Secret, connection: ConnectionID, slot: String, with key: VaultKey) throws(BerthError) -> SealedSecret {
        let data = associatedData(connection: connection, slot: slot, keyID: key.id)
        do {
            let box = try secret.withBytes { try AES.GCM.seal($0, using: key.key, authenticating: data) }
            guard let combined = box.combined else { throw BerthError(.internal, "a sealed value has no combined form") }
            return SealedSecret(keyID: key.id, bytes: Array(combined))
        } catch let error as BerthError {
            throw error
        } catch {
            throw BerthError(.internal, "cannot seal \(slot) of \(connection): \(error)")
        }
    }

    /// nil when the value does not belong here or was changed.
    static func open(_ sealed: SealedSecret, connection: ConnectionID, slot: String, with key: VaultKey) -> Secret? {
        let data = associatedData(connection: connection, slot: slot, keyID: key.id)
        // Any failure means the same to the caller, and its text could only mislead: the value does not open.
        guard let box = try? AES.GCM.SealedBox(combined: sealed.bytes),
            var plain = try? AES.GCM.open(box, using: key.key, authenticating: data)
        else { return nil }
        let secret = Secret(copying: plain)
        plain.resetBytes(in: 0..<plain.count)
        return secret
    }
}
