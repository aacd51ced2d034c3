// Tidiness that a machine can check: banned calls with their replacement, long lines, long files, dead links, blobs.

import Foundation
import Testing

@Suite struct TidyTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Call, why not, and the folders where it is allowed.
    static let banned: [(text: String, instead: String, allowed: [String])] = [
        ("fatal" + "Error(", "throw, or preconditionFailure with the broken promise", ["Benchmarks/"]),
        ("Thread.sl" + "eep", "await a condition", []),
        ("try" + "!", "handle the error", ["Tests/"]),
        ("as" + "!", "as? with an error", []),
        ("String(for" + "mat:", "interpolation or a small writer: it costs tens of microseconds", []),
        (
            "print" + "(", "the logger",
            [
                "Sources/berthctl/", "Sources/berth-plugin-check/", "Sources/berth-mock/", "Benchmarks/", "Sources/berthd/", "Tests/",
                "plugin-sdk/",
                "Plugins/",
            ]
        ),
        ("dlcl" + "ose(", "nothing: a Swift library is never unloaded", []),
        ("TO" + "DO", "do it, or write an issue", []),
        ("FIX" + "ME", "do it, or write an issue", []),
    ]

    static func tracked() throws -> [String] {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["git", "-C", root.path, "ls-files", "-z"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self).split(separator: "\0").map(String.init)
            .filter { FileManager.default.fileExists(atPath: root.appending(path: $0).path) }
    }

    static func text(_ path: String) throws -> String { try String(contentsOf: root.appending(path: path), encoding: .utf8) }

    // Without this test banned calls come back one at a time.
    @Test func noBannedCalls() throws {
        var found: [String] = []
        for path in try Self.tracked() where path.hasSuffix(".swift") {
            for (number, line) in try Self.text(path).split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                let code = line.split(separator: "//", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
                for ban in Self.banned where !ban.allowed.contains(where: { path.hasPrefix($0) }) && code.contains(ban.text) {
                    guard !(ban.text == "print" + "(" && (code.contains(".print(") || code.contains("fingerprint("))) else { continue }
                    found.append("\(path):\(number + 1): \(ban.text) - instead: \(ban.instead)")
                }
            }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    // Without this test lines grow past what a review shows side by side.
    @Test func linesFit() throws {
        var long: [String] = []
        for path in try Self.tracked() where [".swift", ".c", ".h", ".py", ".sh"].contains(where: path.hasSuffix) {
            for (number, line) in try Self.text(path).split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            where line.count > (path.hasSuffix(".swift") ? 160 : 180) {
                long.append("\(path):\(number + 1): \(line.count) columns")
            }
        }
        #expect(long.isEmpty, "\(long.joined(separator: "\n"))")
    }

    // Without this test a file becomes two things in one.
    @Test func filesStayReadable() throws {
        let long = try Self.tracked().filter { $0.hasSuffix(".swift") && !$0.hasPrefix("Tests/") }
            .map { ($0, try Self.text($0).split(separator: "\n", omittingEmptySubsequences: false).count) }
            .filter { $0.1 > 600 }
        #expect(long.isEmpty, "over 600 lines: \(long)")
    }

    // Without this test a source file stands there without saying why.
    @Test func sourcesSayWhyTheyExist() throws {
        let silent = try Self.tracked().filter { $0.hasSuffix(".swift") && $0.hasPrefix("Sources/") }
            .filter { !(try Self.text($0)).hasPrefix("//") }
        #expect(silent.isEmpty, "files that don't open with a comment: \(silent)")
    }

    // Without this test a moved document leaves dead links behind.
    @Test func linksLeadSomewhere() throws {
        var dead: [String] = []
        for path in try Self.tracked() where path.hasSuffix(".md") {
            let folder = Self.root.appending(path: path).deletingLastPathComponent()
            for match in try Self.text(path).matches(of: /\]\(([^)#:\s]+)(#[^)]*)?\)/) {
                let target = String(match.1)
                if !FileManager.default.fileExists(atPath: folder.appending(path: target).path) { dead.append("\(path): \(target)") }
            }
        }
        #expect(dead.isEmpty, "\(dead.joined(separator: "\n"))")
    }

    // Without this test build output or data gets committed.
    @Test func noLargeFiles() throws {
        let large = try Self.tracked().filter {
            (try FileManager.default.attributesOfItem(atPath: Self.root.appending(path: $0).path)[.size] as? Int ?? 0) > 1_048_576
        }
        #expect(large.isEmpty, "over 1 MiB: \(large)")
    }
}
