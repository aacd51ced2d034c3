// The programs under test as processes, and bundles for them.

import Foundation
import Synchronization
import Testing

/// Programs of the same build as the tests.
enum Tools {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// Where this build's programs and libraries are.
    static let products: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        let beside = URL(filePath: own).deletingLastPathComponent().path
        return FileManager.default.fileExists(atPath: "\(beside)/berthctl") ? beside : "\(root)/.build/debug"
    }()

    /// How a program ended.
    struct Ended {
        let status: Int32
        let output: String
        let errors: String
    }

    /// Runs `berthctl` with these words.
    static func berthctl(_ arguments: String...) throws -> Ended { try run("\(products)/berthctl", arguments) }

    /// Runs a program to its end.
    static func run(_ program: String, _ arguments: [String], in folder: String? = nil) throws -> Ended {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        if let folder { process.currentDirectoryURL = URL(filePath: folder) }
        let output = try newFile("out"), errors = try newFile("err")
        process.standardOutput = FileHandle(forWritingAtPath: output)
        process.standardError = FileHandle(forWritingAtPath: errors)
        try process.run()
        process.waitUntilExit()
        return Ended(
            status: process.terminationStatus, output: try String(contentsOfFile: output, encoding: .utf8),
            errors: try String(contentsOfFile: errors, encoding: .utf8))
    }

    private static func newFile(_ name: String) throws -> String {
        let path = try folder() + "/\(name)"
        try Data().write(to: URL(filePath: path))
        return path
    }

    /// Goes with the process: a built package is large.
    private static let runFolder: String = {
        atexit { try? FileManager.default.removeItem(atPath: NSTemporaryDirectory() + "berth-tools-\(getpid())") }  // nobody left to tell
        return NSTemporaryDirectory() + "berth-tools-\(getpid())"
    }()

    /// A new folder of this run.
    static func folder() throws -> String {
        let path = runFolder + "/\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    #if arch(arm64)
        static let platform = "linux-aarch64"
    #else
        static let platform = "linux-x86_64"
    #endif

    /// A bundle of Plugins/faulty.c with these macros.
    static func bundle(_ defines: String..., library: String? = nil, manifest: String? = nil) throws -> String {
        let bundle = try folder() + "/faulty"
        try FileManager.default.createDirectory(atPath: "\(bundle)/Fixtures", withIntermediateDirectories: true)
        let built = try run(
            "/usr/bin/env",
            [
                "cc", "-std=gnu11", "-O1", "-w", "-shared", "-fPIC", "-fvisibility=hidden", "-I\(root)/plugin-sdk/c/include", "-o",
                "\(bundle)/libfaulty.so",
            ]
                + defines.map { "-D\($0)" } + ["\(root)/Tests/PluginToolsTests/Plugins/faulty.c", "-lpthread"])
        try #require(built.status == 0, "\(built.errors)")
        try (manifest ?? Self.manifest).write(toFile: "\(bundle)/plugin.toml", atomically: true, encoding: .utf8)
        try #"{"event":"call.done","id":"1"}"#.write(toFile: "\(bundle)/Fixtures/call.json", atomically: true, encoding: .utf8)
        try #"{"event":"call.rated","id":"2","rate":4}"#.write(toFile: "\(bundle)/Fixtures/rate.json", atomically: true, encoding: .utf8)
        return bundle
    }

    static let manifest = """
        # a comment that stays
        manifest_version = 1
        id = "faulty"
        version = "1.0.0"
        abi = 1

        [library]   # per platform
        \(platform) = { file = "libfaulty.so", sha256 = "" } # kept

        [runtime]
        max_concurrency = 2

        [webhook]
        schemes = ["plugin"]
        default_scheme = "plugin"
        event_kind = "json:/event"

        [[streams]]
        name = "calls"
        entity = "call"

        """
}
