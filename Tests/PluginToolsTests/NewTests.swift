// berthctl plugin new: what it makes builds as it is, and is sound.

import Foundation
import Testing

@Suite(.serialized) struct NewTests {
    // Without this the first thing an author sees could be a compiler's error.
    @Test(arguments: ["callbox2", "my-phone_box", "3cx"]) func aNewPluginInCBuildsAndIsSound(_ id: String) throws {
        let folder = try Tools.folder() + "/new"
        let made = try Tools.berthctl("plugin", "new", id, folder, "--c")
        #expect(made.status == 0, "\(made.errors)")
        // With nothing but a compiler: the project has its own headers.
        let built = try Tools.run("/usr/bin/env", ["make", "-s", "-C", folder, "CC=cc -Werror"])
        #expect(built.status == 0 && built.errors.isEmpty, "\(built.errors)")
        let checked = try Tools.berthctl("plugin", "check", "\(folder)/\(id)")
        #expect(checked.status == 0, "\(checked.output)")
        #expect(!checked.output.contains("no fixture was taken"))
        let text =
            try String(contentsOfFile: "\(folder)/\(id).c", encoding: .utf8)
            + String(contentsOfFile: "\(folder)/plugin.toml", encoding: .utf8)
        #expect(!text.contains("phonebox"))
    }

    // Without this the same could happen to authors in Swift.
    @Test func aNewPluginInSwiftBuildsAndIsSound() throws {
        let folder = try Tools.folder() + "/new"
        let made = try Tools.berthctl("plugin", "new", "call-tally", folder, "--swift")
        #expect(made.status == 0, "\(made.errors)")
        let built = try Tools.run("/usr/bin/env", ["swift", "build", "--product", "call-tally", "-j", "2"], in: folder)
        #expect(built.status == 0, "\(built.output.suffix(4000)) \(built.errors.suffix(2000))")
        let bundle = "\(folder)/call-tally"
        try FileManager.default.createDirectory(atPath: bundle, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: "\(folder)/.build/debug/libcall-tally.so", toPath: "\(bundle)/libcall-tally.so")
        try FileManager.default.copyItem(atPath: "\(folder)/plugin.toml", toPath: "\(bundle)/plugin.toml")
        #expect(try Tools.berthctl("plugin", "seal", bundle).status == 0)
        let checked = try Tools.berthctl("plugin", "check", bundle)
        #expect(checked.status == 0, "\(checked.output)")
        #expect(FileManager.default.fileExists(atPath: "\(folder)/Sources/CallTallyAdapter/CallTallyAdapter.swift"))
    }

    // Without this a wrong id would show only when the daemon refuses the bundle, and a folder with work in it could be overwritten.
    @Test func wrongIdsAndFullFoldersAreRefused() throws {
        for id in ["Upper", "", "has space", "-dash", "dot.dot", String(repeating: "a", count: 65)] {
            #expect(
                try Tools.run("\(Tools.products)/berthctl", ["plugin", "new", "--c", "--", id, try Tools.folder() + "/x"]).status == 64,
                "\(id)")
        }
        let full = try Tools.folder()
        try Data("mine".utf8).write(to: URL(filePath: "\(full)/Makefile"))
        #expect(try Tools.berthctl("plugin", "new", "callbox", full, "--c").status == 73)
        #expect(try String(contentsOfFile: "\(full)/Makefile", encoding: .utf8) == "mine")
        #expect(try Tools.berthctl("plugin", "new", "callbox", full + "/x", "--c", "--sdk", "/nonexistent").status == 66)
    }
}
