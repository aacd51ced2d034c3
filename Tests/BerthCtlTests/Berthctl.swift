// Runs the real berthctl of this build.

import Foundation
import Testing

/// All tests in turn: each starts processes.
@Suite(.serialized) enum Ctl {}

struct Berthctl: Sendable {
    struct Result: Sendable {
        var status: Int32
        var output: String
        var errors: String
        var lines: [String] { output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
    }

    private static let path: String = {
        // Tests run from the products' folder; without /proc only the default place is left.
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(filePath: own).deletingLastPathComponent().appending(path: "berthctl").path
    }()

    /// Runs with a socket; waits on a thread of its own.
    static func run(_ arguments: [String], socket: String?, input: String = "", environment: [String: String] = [:]) async throws -> Result
    {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Swift.Result { try runBlocking(arguments, socket: socket, input: input, environment: environment) })
            }
        }
    }

    private static func runBlocking(
        _ arguments: [String], socket: String?, input: String, environment: [String: String]
    ) throws -> Result {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments + (socket.map { ["--socket", $0] } ?? [])
        process.environment = ["PATH": "/usr/bin:/bin", "TERM": "xterm-256color"].merging(environment) { $1 }
        let (output, errors, feed) = (Pipe(), Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = feed
        try process.run()
        feed.fileHandleForWriting.write(Data(input.utf8))
        try feed.fileHandleForWriting.close()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        let complaint = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
            errors: String(decoding: complaint, as: UTF8.self))
    }
}
