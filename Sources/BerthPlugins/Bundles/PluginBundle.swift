// A bundle folder: its manifest and the library for this machine, sealed and compared with the manifest's digest. Runs no
// plugin code.

import BerthLoader
public import BerthModel
import Crypto

/// A readable bundle.
public struct PluginBundle: Sendable {
    /// Checked.
    public let manifest: PluginManifest
    /// The folder, without trailing slash.
    public let path: String
    /// Name of the trusted key that signed it; nil: nobody's.
    public let signer: String?

    /// `linux-x86_64`
    public static var platform: String {
        #if arch(x86_64)
            "linux-x86_64"
        #elseif arch(arm64)
            "linux-aarch64"
        #else
            "linux-unknown"
        #endif
    }

    /// Reads the manifest of a folder, checks that its id is the folder's name, and who signed it.
    public init(path: String, reader: ManifestReader = ManifestReader(), policy: SignaturePolicy = .open) throws(BerthError) {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        let text = try reader.bytes(path: path + "/plugin.toml")
        manifest = try reader.read(bytes: text, path: path + "/plugin.toml")
        self.path = path
        signer = try policy.signer(of: text, manifest, in: path)
        let folder = path.split(separator: "/").last.map(String.init) ?? path
        guard folder == manifest.id.text else {
            throw BerthError(
                "manifest_invalid", "\(path)/plugin.toml: id is \"\(manifest.id)\" in a folder named \"\(folder)\"",
                hint: "name the folder \(manifest.id), or correct the id")
        }
    }

    /// The library's path. Throws `library_wrong_platform` when the manifest names none for this machine.
    public func libraryPath() throws(BerthError) -> String {
        guard let library = manifest.libraries[Self.platform] else {
            throw BerthError(
                "library_wrong_platform",
                "\(path)/plugin.toml: [library] has \(manifest.libraries.keys.sorted().joined(separator: ", ")), this machine is \(Self.platform)",
                hint: "build plugin \(manifest.id) for \(Self.platform)")
        }
        return path + "/" + library.file
    }

    /// The library sealed, and its SHA-256 in lower-case hex. Throws what LoadRefusal says, or `library_digest_mismatch`.
    func seal() throws(BerthError) -> (image: SealedImage, digest: String) {
        let place = try libraryPath()
        let image: SealedImage
        do { image = try SealedImage(path: place) } catch { throw error.error }
        guard let digest = image.withBytes({ Self.hex(SHA256.hash(data: $0)) }) else {
            throw BerthError("library_truncated", "\(place): the file is empty", hint: "build the plugin again")
        }
        let wanted = manifest.libraries[Self.platform]?.sha256 ?? ""
        guard wanted.isEmpty || wanted == digest else {
            throw BerthError(
                "library_digest_mismatch", "\(place): SHA-256 is \(digest), the manifest says \(wanted)",
                hint: "install the bundle again; after a build of your own: berthctl plugin seal \(path)")
        }
        return (image, digest)
    }

    private static func hex(_ digest: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var out: [UInt8] = []
        for byte in digest {
            out.append(digits[Int(byte >> 4)])
            out.append(digits[Int(byte & 15)])
        }
        return String(decoding: out, as: UTF8.self)
    }
}
