// sign BUNDLE --key KEY: a signature of the bundle's plugin.toml beside it. That file holds the digests of the libraries, so that
// only sealed bundles are signed.

import ArgumentParser
import BerthModel
import BerthPlugins
import Foundation

struct SignCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Write plugin.toml.sig: an Ed25519 signature of the bundle's plugin.toml.",
        discussion: "Exit status: 0 signed, 65 bundle or key is invalid, 66 no bundle there, 73 it can't be written.")

    @Argument(help: "Bundle folder.") var bundle: String
    @Option(help: "PEM file with the private key, mode 0600.") var key: String
    @Flag(help: "Keep signatures that stand there already.") var add = false

    func run() throws {
        let folder = URL(filePath: bundle).standardizedFileURL.path
        do throws(BerthError) {
            let key = try SigningKey(path: key)
            let manifest = try ManifestReader().read(path: "\(folder)/plugin.toml")
            for (platform, library) in manifest.libraries.sorted(by: { $0.key < $1.key }) {
                guard !library.sha256.isEmpty else {
                    throw BerthError(
                        "library_unsealed", "\(folder)/plugin.toml has no sha256 of \(platform): the signature would not cover the library",
                        hint: "berthctl plugin seal \(bundle)")
                }
                guard let bytes = FileManager.default.contents(atPath: "\(folder)/\(library.file)") else { continue }  // another platform's, elsewhere
                guard SealCommand.platform(of: bytes) != platform || CheckedBundle.digest(of: bytes) == library.sha256 else {
                    throw BerthError(
                        "library_digest_mismatch", "\(folder)/\(library.file) is not what plugin.toml says",
                        hint: "berthctl plugin seal \(bundle)")
                }
            }
            guard let text = FileManager.default.contents(atPath: "\(folder)/plugin.toml") else {
                throw BerthError("manifest_missing", "\(folder)/plugin.toml can't be read")
            }
            let line = try key.signature(of: Array(text))
            let path = "\(folder)/\(BundleSignature.file)"
            let before = add ? FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? "" : ""
            let lines = before.split(separator: "\n").filter { $0 != line } + [Substring(line)]
            do { try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(filePath: path), options: .atomic) } catch {
                throw BerthError("system", "\(path) can't be written: \(error.localizedDescription)")
            }
            print(path)
        } catch {
            let hint = error.hint.map { "\nhint: \($0)" } ?? ""
            FileHandle.standardError.write(Data("berth-plugin-check: \(error.message)\(hint)\n".utf8))
            let codes: [String: Int32] = ["manifest_missing": 66, "system": 73]
            throw ExitCode(codes[error.code.rawValue] ?? 65)
        }
    }
}
