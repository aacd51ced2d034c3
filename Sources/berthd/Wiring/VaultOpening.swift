// Where the vault's key comes from: the systemd credential, the configured file, or, on a first start, a new file.

import BerthModel
import BerthSeams
import BerthVault
import Foundation
import Logging

enum VaultOpening {
    static func open(_ configuration: Configuration, _ environment: [String: String], storePath: String, _ store: any Store, _ logger: Logger)
        async throws(BerthError) -> Vault
    {
        let configured = configuration.text("vault.key_file")
        let file = configured.isEmpty ? (storePath as NSString).deletingLastPathComponent + "/vault.key" : configured
        let credentials = environment["CREDENTIALS_DIRECTORY"]
        let hasCredential = credentials.map { FileManager.default.fileExists(atPath: $0 + "/berth-vault-key") } ?? false
        if !hasCredential, !FileManager.default.fileExists(atPath: file), configuration.boolean("vault.create_key") {
            guard try await store.allSealedSecrets().isEmpty else {
                throw BerthError(
                    "vault_key_missing", "the store holds sealed secrets, but their key \(file) is gone",
                    hint: "put the key file back, or remove the connections and add them again with a new key")
            }
            _ = try VaultKey.create(at: file)
            logger.notice("new vault key made: back it up apart from the database", metadata: ["file": "\(file)"])
        }
        let keyring = try VaultKeyring.load(keyFile: file, credentialsDirectory: credentials)
        return try await Vault.open(over: store, with: keyring)
    }
}
