// Which keys there are: one that seals, and older ones that can still open. Where they are looked for.

public import BerthModel
import Glibc

/// The keys of a vault.
public struct VaultKeyring: Sendable {
    /// Seals every new value.
    public let current: VaultKey
    /// Still open what they sealed, until ``Vault/rewrap(batchCount:)`` is done.
    public let older: [VaultKey]

    /// A keyring; an older key equal to the current one is left out.
    public init(current: VaultKey, older: [VaultKey] = []) {
        self.current = current
        self.older = older.filter { $0.id != current.id }
    }

    /// Ids, the current key's first.
    public var ids: [String] { [current.id] + older.map(\.id) }

    func key(_ id: String) -> VaultKey? {
        current.id == id ? current : older.first { $0.id == id }
    }

    /// Reads the keys: the current one from `$CREDENTIALS_DIRECTORY/berth-vault-key` when the service manager gives
    /// it, otherwise from `keyFile`. Older ones: the same path with `.old` appended, if there, and `olderKeyFiles`.
    public static func load(
        keyFile: String?, olderKeyFiles: [String] = [], credentialsDirectory: String?
    ) throws(BerthError) -> VaultKeyring {
        var path = keyFile
        var isCredential = false
        if let credentialsDirectory, !credentialsDirectory.isEmpty {
            let candidate = credentialsDirectory + "/berth-vault-key"
            if access(candidate, F_OK) == 0 {
                path = candidate
                isCredential = true
            }
        }
        guard let path else {
            throw BerthError(
                .vaultKey, "no vault key: neither a credential 'berth-vault-key' nor a key file is configured",
                hint: "set [vault] key_file in berth.toml, or LoadCredential=berth-vault-key:PATH in the unit")
        }
        let current = try VaultKey.load(from: path, isCredential: isCredential)
        var older: [VaultKey] = []
        if access(path + ".old", F_OK) == 0 { older.append(try VaultKey.load(from: path + ".old", isCredential: isCredential)) }
        for file in olderKeyFiles { older.append(try VaultKey.load(from: file)) }
        return VaultKeyring(current: current, older: older)
    }
}
