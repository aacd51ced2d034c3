// berthctl plugin seal: the digest at its place, everything else as the author wrote it.

import Foundation
import Testing

@Suite struct SealTests {
    private func digest(_ path: String) throws -> String {
        String(try Tools.run("/usr/bin/env", ["sha256sum", path]).output.prefix(64))
    }

    // Without this an author would edit digests by hand after every build.
    @Test func theDigestIsWrittenAndRefreshed() throws {
        let bundle = try Tools.bundle()
        for _ in 0..<2 {
            #expect(try Tools.berthctl("plugin", "seal", bundle).status == 0)
            let text = try String(contentsOfFile: "\(bundle)/plugin.toml", encoding: .utf8)
            let wanted = try digest("\(bundle)/libfaulty.so")
            #expect(text == Tools.manifest.replacing("sha256 = \"\"", with: "sha256 = \"\(wanted)\""))
            #expect(try Tools.berthctl("plugin", "check", bundle, "--case", "manifest-matches").status == 0)
            // Changed after it was sealed: refused until sealed again.
            let handle = try #require(FileHandle(forWritingAtPath: "\(bundle)/libfaulty.so"))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data("x".utf8))
            try handle.close()
            #expect(try Tools.berthctl("plugin", "check", bundle).status == 29)
        }
    }

    // Without this a manifest in another of TOML's forms would be left unsealed, or be damaged.
    @Test(arguments: [
        "[library]\n\(Tools.platform) = { file = \"libfaulty.so\" }\n",
        "[library]\n\(Tools.platform) = { sha256 = '', file = \"libfaulty.so\" } # note\n",
        "[library]\n\"\(Tools.platform)\" = {file=\"libfaulty.so\",sha256=\"\"}\n",
        "[library.\(Tools.platform)]\nfile = \"libfaulty.so\"\n",
        "[library.\(Tools.platform)]\nfile = \"libfaulty.so\"\nsha256 = \"\"\n",
        "[library]\nlinux-other = { file = \"other.so\", sha256 = \"\" }\n\(Tools.platform) = { file = \"libfaulty.so\", sha256 = \"\" }\n",
    ])
    func everyFormOfTheTableIsSealed(_ table: String) throws {
        let bundle = try Tools.bundle(
            manifest:
                "manifest_version = 1\nid = \"faulty\"\nversion = \"1.0.0\"\nabi = 1\n\(table)\n[[streams]]\nname = \"calls\"\nentity = \"call\"\n"
        )
        let ended = try Tools.berthctl("plugin", "seal", bundle)
        #expect(ended.status == 0, "\(ended.errors)")
        let text = try String(contentsOfFile: "\(bundle)/plugin.toml", encoding: .utf8)
        #expect(text.contains("sha256 = \"\(try digest("\(bundle)/libfaulty.so"))\""), "\(text)")
        #expect(text.contains("[[streams]]\nname = \"calls\""))
    }

    // Without this a digest would be written for a library of another machine, or an unreadable manifest be replaced.
    @Test func whatCannotBeSealedIsLeftAlone() throws {
        let other = Tools.platform == "linux-x86_64" ? "linux-aarch64" : "linux-x86_64"
        let foreign = try Tools.bundle(manifest: Tools.manifest.replacing(Tools.platform, with: other))
        #expect(try Tools.berthctl("plugin", "seal", foreign).status == 66)
        let broken = try Tools.bundle(manifest: "manifest_version = 1\nid = \n")
        #expect(try Tools.berthctl("plugin", "seal", broken).status == 65)
        #expect(try String(contentsOfFile: "\(broken)/plugin.toml", encoding: .utf8) == "manifest_version = 1\nid = \n")
        #expect(try Tools.berthctl("plugin", "seal", "/nonexistent").status == 66)
    }
}
