// Who may bring plugins. A bundle is signed by an Ed25519 signature over the bytes of its plugin.toml; that file holds the digest of
// the library, so that both are covered. What the signature file looks like says `BundleSignature`.

public import BerthModel

/// Whose signatures count, and whether a bundle needs one.
public struct SignaturePolicy: Sendable {
    /// Trusted keys.
    public let keys: [SignerKey]
    /// Whether a bundle without a signature by one of them is refused.
    public let isRequired: Bool

    /// Nobody is known, everything is taken.
    public static let open = SignaturePolicy()

    private init() {
        keys = []
        isRequired = false
    }

    /// A policy. Throws `configuration_invalid` when signatures are required and nobody's would count.
    public init(keys: [SignerKey], isRequired: Bool) throws(BerthError) {
        guard !isRequired || !keys.isEmpty else {
            throw BerthError(
                "configuration_invalid", "signatures are required and no key is trusted: every plugin would be refused",
                hint: "set [plugins] trusted_keys to the public keys of those who sign, or require_signature = false")
        }
        self.keys = keys
        self.isRequired = isRequired
    }

    /// The name of the trusted key that signed `manifest`, the bytes of the plugin.toml in `folder`; nil: nobody's, and none is
    /// required. Throws `signature_missing`, `signature_invalid`, `signature_unknown`, or `library_unsealed` for a
    /// signed manifest that says nothing of the library for this machine.
    func signer(of manifest: [UInt8], _ read: PluginManifest, in folder: String) throws(BerthError) -> String? {
        guard !keys.isEmpty else { return nil }
        let signer: String?
        do throws(BerthError) {
            let signatures = try BundleSignature.read(in: folder)
            signer = keys.first { key in signatures.contains { key.verifies($0, manifest) } }?.name
            guard signer != nil else {
                throw BerthError(
                    "signature_unknown",
                    "\(folder)/\(BundleSignature.file) is no signature of this plugin.toml by a trusted key (\(names))",
                    hint: "the bundle was changed after signing, or signed by somebody else: get it from its publisher again, "
                        + "or add the publisher's key to [plugins] trusted_keys")
            }
        } catch {
            guard isRequired else { return nil }
            throw error
        }
        guard !isRequired || read.libraries[PluginBundle.platform]?.sha256.isEmpty != true else {
            throw BerthError(
                "library_unsealed", "\(folder)/plugin.toml is signed and holds no sha256 of the library for \(PluginBundle.platform)",
                hint: "its publisher must seal the bundle before signing: berthctl plugin seal, berthctl plugin sign")
        }
        return signer
    }

    private var names: String { keys.map(\.name).joined(separator: ", ") }
}
