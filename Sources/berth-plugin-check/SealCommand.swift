// seal BUNDLE: the digests of the bundle's libraries into its plugin.toml, in place, all else of the text as it was.

import ArgumentParser
import BerthModel
import BerthPlugins
import Foundation

struct SealCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seal", abstract: "Write the SHA-256 of each library into the bundle's plugin.toml.",
        discussion: """
            The daemon refuses a library that differs from its manifest. A platform whose library is not in the folder, or was built for \
            another machine, keeps what it has. Exit status: 0 sealed, 65 plugin.toml is invalid, 66 no bundle or no library there, 73 it can't be written.
            """)

    @Argument(help: "Bundle folder.") var bundle: String

    func run() throws {
        let path = "\(URL(filePath: bundle).standardizedFileURL.path)/plugin.toml"
        do throws(BerthError) {
            let manifest = try ManifestReader().read(path: path)
            guard var text = FileManager.default.contents(atPath: path).map({ String(decoding: $0, as: UTF8.self) }) else {
                throw BerthError("manifest_missing", "\(path) can't be read")
            }
            var digests: [String: String] = [:]
            for (platform, library) in manifest.libraries.sorted(by: { $0.key < $1.key }) {
                guard let bytes = FileManager.default.contents(atPath: "\(bundle)/\(library.file)"), Self.platform(of: bytes) == platform
                else { continue }
                let digest = CheckedBundle.digest(of: bytes)
                digests[platform] = digest
                text = ManifestText.sealed(text, platform: platform, digest: digest)
            }
            guard !digests.isEmpty else {
                let files = Set(manifest.libraries.values.map(\.file)).sorted().joined(separator: ", ")
                throw BerthError(
                    "library_missing", "\(bundle) holds no library for its platform: \(files)",
                    hint: "build the plugin and copy its library there")
            }
            // What is written is what a daemon will read: proved before it replaces anything.
            let sealed = try ManifestReader().read(text: text, path: path)
            for (platform, digest) in digests where sealed.libraries[platform]?.sha256 != digest {
                throw BerthError(
                    "manifest_invalid", "\(path): no place for sha256 of \(platform) was found",
                    hint: "\(platform) = { file = \"...\", sha256 = \"\(digest)\" }")
            }
            do { try Data(text.utf8).write(to: URL(filePath: path), options: .atomic) } catch {
                throw BerthError("system", "\(path) can't be written: \(error.localizedDescription)")
            }
            for (platform, digest) in digests.sorted(by: { $0.key < $1.key }) {
                print("\(platform)  \(digest)  \(manifest.libraries[platform]?.file ?? "")")
            }
        } catch {
            let hint = error.hint.map { "\nhint: \($0)" } ?? ""
            FileHandle.standardError.write(Data("berth-plugin-check: \(error.message)\(hint)\n".utf8))
            let codes: [String: Int32] = ["manifest_missing": 66, "library_missing": 66, "system": 73]
            throw ExitCode(codes[error.code.rawValue] ?? 65)
        }
    }
}

extension SealCommand {
    /// What a library was built for, by its ELF header; nil for what is none. One file name may stand for several platforms.
    static func platform(of bytes: Data) -> String? {
        guard bytes.count > 20, bytes.prefix(4) == Data([0x7F, 0x45, 0x4C, 0x46]) else { return nil }
        let machine = UInt16(bytes[bytes.startIndex + 18]) | UInt16(bytes[bytes.startIndex + 19]) << 8
        return [62: "linux-x86_64", 183: "linux-aarch64"][machine]
    }
}

/// plugin.toml as text that people wrote: changed at one place only.
enum ManifestText {
    /// The text with the platform's `sha256` set, in `PLATFORM = { ... }` below `[library]` or in `[library.PLATFORM]`. Unchanged when
    /// neither is found.
    static func sealed(_ text: String, platform: String, digest: String) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var table = ""
        var header: Int?
        for (index, line) in lines.enumerated() {
            let bare = line.drop { $0 == " " || $0 == "\t" }
            if bare.hasPrefix("[") {
                table = String(bare.dropFirst().prefix { $0 != "]" }).filter { $0 != " " && $0 != "\"" }
                if table == "library.\(platform)" { header = index }
                continue
            }
            let key = String(bare.prefix { $0 != "=" }).filter { $0 != " " && $0 != "\t" && $0 != "\"" }
            if table == "library", key == platform, let brace = line.firstIndex(of: "{"), let end = line.lastIndex(of: "}") {
                lines[index] = inline(line, from: brace, to: end, digest)
                return lines.joined(separator: "\n")
            }
            if table == "library.\(platform)", key == "sha256" {
                lines[index] = "sha256 = \"\(digest)\""
                return lines.joined(separator: "\n")
            }
        }
        if let header { lines.insert("sha256 = \"\(digest)\"", at: header + 1) }
        return lines.joined(separator: "\n")
    }

    private static func inline(_ line: String, from brace: String.Index, to end: String.Index, _ digest: String) -> String {
        let inside = line[line.index(after: brace)..<end]
        if let match = inside.firstMatch(of: /sha256\s*=\s*("[^"]*"|'[^']*')/) {
            return line.replacingCharacters(in: match.range, with: "sha256 = \"\(digest)\"")
        }
        let members = inside.reversed().drop { $0 == " " }.reversed()
        return "\(line[...brace])\(String(members)), sha256 = \"\(digest)\" \(line[end...])"
    }
}
