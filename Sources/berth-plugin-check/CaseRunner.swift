// A case in a process of its own: started, timed, and its lines and end read.

import Dispatch
import Foundation
import Glibc

/// Runs cases of one bundle.
struct CaseRunner {
    let bundle: String
    let seed: UInt64
    let timeoutSeconds: Int
    let settings: String?

    /// Runs one case to its end or the time limit.
    func run(_ name: String) -> CaseResult {
        var result = CaseResult(name: name, purpose: HostileCases.purpose(name), outcome: .passed)
        let arguments = ["case", name, bundle, "--seed", String(seed)] + (settings.map { ["--settings", $0] } ?? [])
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]  // absent /proc: as called
        result.reproduce = ([program] + arguments).map(Self.quoted).joined(separator: " ")
        // Files, not pipes: whatever the plugin leaves running can't keep them from ending.
        guard let output = tmpfile(), let errors = tmpfile() else {
            result.outcome = .failed
            result.messages = ["no temporary file: \(String(cString: strerror(errno)))"]
            return result
        }
        defer {
            fclose(output)
            fclose(errors)
        }
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { _, new in new }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(fileDescriptor: fileno(output), closeOnDealloc: false)
        process.standardError = FileHandle(fileDescriptor: fileno(errors), closeOnDealloc: false)
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        let began = ContinuousClock.now
        do { try process.run() } catch {
            result.outcome = .failed
            result.messages = ["\(program) can't be started: \(error.localizedDescription)"]
            return result
        }
        let isHung = ended.wait(timeout: .now() + .seconds(timeoutSeconds)) == .timedOut
        if isHung {
            kill(process.processIdentifier, SIGKILL)
            ended.wait()
        }
        let spent = ContinuousClock.now - began
        result.seconds = Double(spent.components.seconds) + Double(spent.components.attoseconds) / 1e18
        judge(&result, lines: Self.lines(output), errors: Self.lines(errors), process, isHung)
        return result
    }

    private func judge(_ result: inout CaseResult, lines: [String], errors: [String], _ process: Process, _ isHung: Bool) {
        func texts(_ kind: String) -> [String] { lines.filter { $0.hasPrefix(kind + " ") }.map { String($0.dropFirst(kind.count + 1)) } }
        let step = texts("STEP").last ?? "starting"
        let failures = texts("FAIL"), leaks = texts("LEAK")
        if isHung {
            result.outcome = .hung
            result.messages = ["no end after \(timeoutSeconds) s, at: \(step)"]
        } else if process.terminationReason == .uncaughtSignal {
            result.outcome = .crashed
            let number = process.terminationStatus
            result.messages = ["\(Self.signals[number] ?? "signal \(number)"), at: \(step)"] + errors.suffix(3)
        } else if result.name == "load", process.terminationStatus != 0 {
            result.outcome = .refused
            result.refusalExitCode = process.terminationStatus
            result.messages = errors
        } else if !failures.isEmpty {
            result.outcome = .failed
        } else if !leaks.isEmpty {
            result.outcome = .leaked
        } else if process.terminationStatus != 0 || !lines.contains("DONE") {
            result.outcome = .crashed
            result.messages = ["the process ended with status \(process.terminationStatus), at: \(step)"] + errors.suffix(3)
        } else if let reason = texts("SKIP").last {
            result.outcome = .skipped
            result.messages = [reason]
        }
        result.messages += failures + leaks + texts("NOTE").map { "note: " + $0 }
    }

    private static let signals: [Int32: String] = [
        SIGSEGV: "SIGSEGV", SIGBUS: "SIGBUS", SIGILL: "SIGILL (a Swift trap, or __builtin_trap)", SIGABRT: "SIGABRT", SIGFPE: "SIGFPE",
        SIGTRAP: "SIGTRAP", SIGKILL: "SIGKILL (out of memory?)", SIGPIPE: "SIGPIPE",
    ]

    private static func lines(_ file: UnsafeMutablePointer<FILE>) -> [String] {
        lseek(fileno(file), 0, SEEK_SET)
        let handle = FileHandle(fileDescriptor: fileno(file), closeOnDealloc: false)
        let data = (try? handle.readToEnd()) ?? Data()  // unreadable is as good as empty: then DONE is missing
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private static func quoted(_ text: String) -> String {
        let plain = text.allSatisfy { $0.isLetter || $0.isNumber || "-_./=:".contains($0) }
        return plain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
