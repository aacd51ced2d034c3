// Where the vault's key comes from: the systemd credential, the configured file, or, on a first start, a new file.

import BerthModel
import BerthSeams
import BerthVault
import Foundation
import Logging

enum VaultOpening {
    /// Where the key is, and whether this daemon may write it.
    private static func place(_ configuration: Configuration, _ environment: [String: String], _ storePath: String)
        -> (file: String, credentials: String?, isCredential: Bool)
    {
        let configured = configuration.text("vault.key_file")
        let file = configured.isEmpty ? (storePath as NSString).deletingLastPathComponent + "/vault.key" : configured
        let credentials = environment["CREDENTIALS_DIRECTORY"]
        let isCredential = credentials.map { FileManager.default.fileExists(atPath: $0 + "/berth-vault-key") } ?? false
        return (file, credentials, isCredential)
    }

    /// Reads the key as a start would, and makes none; answers what a first start will do. `sealed`: the database's secrets by key.
    static func check(
        _ configuration: Configuration, _ environment: [String: String], storePath: String, sealed: [String: Int]
    ) throws(BerthError) -> String? {
        let (file, credentials, isCredential) = place(configuration, environment, storePath)
        do throws(BerthError) {
            if !isCredential, !FileManager.default.fileExists(atPath: file), configuration.boolean("vault.create_key") {
                guard sealed.isEmpty else { throw gone(file, storePath) }
                let folder = (file as NSString).deletingLastPathComponent
                // The database's own folder is made with the database.
                guard folder == (storePath as NSString).deletingLastPathComponent || access(folder, W_OK | X_OK) == 0 else {
                    throw BerthError(
                        .vaultKey, "the key file \(file) can't be made: \(String(cString: strerror(errno)))",
                        hint: "its folder must be there and belong to the daemon's user")
                }
                return "vault.key_file: \(file) is not there; the first start makes it"
            }
            let keyring = try VaultKeyring.load(keyFile: file, credentialsDirectory: credentials)
            if let problem = Vault.missingKeys(for: sealed, in: keyring) { throw problem }
        } catch {
            throw configuration.blamed("vault.key_file", error)
        }
        return nil
    }

    private static func gone(_ file: String, _ storePath: String) -> BerthError {
        BerthError(
            "vault_key_missing", "the store holds sealed secrets, but their key \(file) is gone",
            hint: "put the key file back from where it is backed up. If it is lost, the secrets are as well: "
                + "sqlite3 \(storePath) 'DELETE FROM secret' forgets them; then start berthd, remove the connections and add them again")
    }

    /// What is wrong with the key where the next start will look for it, while this daemon still has it in memory.
    static func problem(_ vault: Vault, _ configuration: Configuration, _ environment: [String: String], storePath: String) async
        -> BerthError?
    {
        let (file, credentials, _) = place(configuration, environment, storePath)
        do throws(BerthError) {
            let found = try VaultKeyring.load(keyFile: file, credentialsDirectory: credentials)
            guard let current = await vault.keyIDs.first, !found.ids.contains(current) else { return nil }
            return BerthError(.vaultKey, "the key in \(file) is not the one in use", hint: "put the right one back before berthd restarts")
        } catch {
            return BerthError(
                error.code, "the next start can't have the vault's key: \(error.message)",
                hint: "put \(file) back before berthd restarts: without it stored credentials are lost")
        }
    }

    static func open(
        _ configuration: Configuration, _ environment: [String: String], storePath: String, _ store: any Store, _ logger: Logger
    )
        async throws(BerthError) -> Vault
    {
        let (file, credentials, isCredential) = place(configuration, environment, storePath)
        if !isCredential, !FileManager.default.fileExists(atPath: file), configuration.boolean("vault.create_key") {
            guard try await store.allSealedSecrets().isEmpty else {
                throw gone(file, storePath)
            }
            _ = try VaultKey.create(at: file)
            logger.notice("new vault key made: back it up apart from the database", metadata: ["file": "\(file)"])
        }
        let keyring = try VaultKeyring.load(keyFile: file, credentialsDirectory: credentials)
        let vault = try await Vault.open(over: store, with: keyring)
        for damage in vault.damaged {
            logger.error("a stored secret is damaged", metadata: ["error": "\(damage.message)", "hint": "\(damage.hint ?? "")"])
        }
        return vault
    }

    /// Changes the key while the daemon runs: a new one is made when it comes from a file of ours, else the service manager's
    /// credential is read again; then every value is sealed with it.
    static func rotate(
        _ vault: Vault, _ configuration: Configuration, _ environment: [String: String], storePath: String, makesKey: Bool, _ logger: Logger
    ) async throws(BerthError) -> (keys: [String], rewrapped: Int, current: Int) {
        let (file, credentials, isCredential) = place(configuration, environment, storePath)
        if makesKey {
            guard !isCredential else {
                throw BerthError(
                    .invalid, "the key is a credential of the service manager's: berthd can't make a new one",
                    hint: "give the new key as berth-vault-key and the old one as berth-vault-key.old, restart, then rotate without new_key"
                )
            }
            // What the last rotation left sealed with the key before must not lose it.
            _ = try await vault.rewrap()
            let key = try VaultKey.replace(at: file)
            logger.notice("new vault key made: back it up apart from the database", metadata: ["file": "\(file)", "key": "\(key.id)"])
        }
        try await vault.adopt(try VaultKeyring.load(keyFile: file, credentialsDirectory: credentials))
        let done = try await vault.rewrap()
        return (await vault.keyIDs, done.count, done.alreadyCurrent)
    }
}
