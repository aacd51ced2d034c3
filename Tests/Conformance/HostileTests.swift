// A plugin that breaks every rule: what each break ends as, that nothing else notices, and that the daemon's process stays.

import BerthModel
import BerthPlugins
import BerthSeams
import Foundation
import Testing

extension Conformance {
    @Suite struct HostileTests {
        /// What a mode ends as in a worker.
        struct Mode: Sendable, CustomTestStringConvertible {
            let kind: String
            let status: AttemptStatus?
            let isFatal: Bool
            var testDescription: String { kind }
            init(_ kind: String, _ status: AttemptStatus?, fatal isFatal: Bool = true) {
                self.kind = kind
                self.status = status
                self.isFatal = isFatal
            }
        }

        static let modes: [Mode] = [
            .init("segv", .crashed), .init("abort", .crashed), .init("stack_overflow", .crashed), .init("exit", .crashed),
            .init("leak", .crashed),
            .init("loop", .hung), .init("sleep", .hung), .init("close_all", .crashed), .init("close_stdin", nil, fatal: false),
            .init("threads", nil, fatal: false), .init("garbage", .contractViolation), .init("half_frame", .crashed),
            .init("long_frame", .contractViolation), .init("unknown_kind", .contractViolation), .init("foreign_answer", nil, fatal: false),
            .init("invalid_utf8", .contractViolation), .init("empty_key", .contractViolation), .init("nan_payload", .contractViolation),
            .init("wrong_item", .contractViolation), .init("huge_count", .contractViolation), .init("size_zero", .contractViolation),
            .init("size_huge", .contractViolation), .init("null_payload", .contractViolation), .init("wrong_kind", .contractViolation),
            .init("checkpoint", .contractViolation), .init("unknown_status", .internal, fatal: false),
        ]

        // Without this one broken plugin would end the daemon, or be taken for a working one.
        @Test(arguments: modes) func everyBreakEndsAsItShould(_ mode: Mode) async throws {
            let rig = try await Rig.start("hostile", in: .worker, runtimeTable: "event_deadline_seconds = 1\nmemory_mib = 64")
            let before = try await rig.workerID()
            #expect(await rig.handle("fine").outcomes[0].failure == nil)
            let outcome = await rig.handle(mode.kind)
            #expect(outcome.outcomes[0].failure?.status == mode.status, "\(outcome.outcomes[0].failure?.message ?? "no failure")")
            if mode.isFatal {
                #expect(outcome.suspect == 0)
                #expect(outcome.outcomes[0].records.isEmpty)
            }
            // The next batch works, in a new worker where the old one had to go.
            #expect(await rig.handle("fine").outcomes[0].failure == nil)
            let after = try await rig.workerID()
            #expect((before != after) == (mode.isFatal || mode.kind == "close_all"), "\(before) \(after)")
            try await rig.end()
        }

        // Without this calls after an operation's end would land in somebody else's.
        @Test(arguments: bothHosts) func anEndedOperationIsStale(_ isolation: Isolation) async throws {
            let rig = try await Rig.start("hostile", in: isolation)
            #expect(await rig.handle("keep").outcomes[0].failure == nil)
            #expect(await rig.handle("stale").outcomes[0].records.map(\.externalID) == ["told"])
            try await rig.end()
        }

        // Without this a rule broken in the daemon itself would go unnoticed for want of a process to kill.
        @Test(arguments: ["invalid_utf8", "wrong_item", "huge_count", "size_zero", "null_payload", "wrong_kind", "checkpoint"])
        func brokenRulesAreNoticedInTheDaemonToo(_ kind: String) async throws {
            let rig = try await Rig.start("hostile", in: .inProcess)
            #expect(await rig.handle(kind).outcomes[0].failure?.status == .contractViolation)
            try await rig.end()
        }

        // Without this a plugin could read files, reach the network, start programs or touch the daemon: tried from its
        // constructor, before any of its functions was called, and from a call.
        @Test func nothingLeavesTheSandbox() async throws {
            let rig = try await Rig.start("hostile", in: .worker)
            let records = await rig.handle("escape").outcomes[0].records
            #expect(records.count >= 80)
            let worked = records.filter { $0.text == "{\"errno\":0}" }.map(\.externalID)
            #expect(worked.isEmpty, "these worked: \(worked)")
            // Refused by the sandbox, not by chance: EPERM, EACCES, or ENOSYS for clone3. unlink of a missing file under a Landlock rule
            // may be told ENOENT first, and opening another's /proc file ENOENT or EACCES.
            let odd = records.filter { !["1", "13", "38", "2"].contains($0.text.dropFirst("{\"errno\":".count).dropLast()) }
            #expect(odd.isEmpty, "\(odd.map { "\($0.externalID) \($0.text)" })")
            try await rig.end()
        }

        // Without this a worker could inherit the daemon's files, or the daemon's environment with its secrets.
        @Test func aWorkerHasOnlyItsOwnDescriptorsAndNoEnvironment() async throws {
            let rig = try await Rig.start("hostile", in: .worker)
            #expect(await rig.handle("fine").outcomes[0].failure == nil)
            let pid = try await rig.workerID()
            var links: [String: String] = [:]
            for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd") {
                links[name] = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\(name)")
            }
            #expect(links["0"] == "/dev/null" && links["1"] == "/dev/null", "\(links)")
            #expect(links["2"]?.hasPrefix("pipe:") == true && links["3"]?.hasPrefix("socket:") == true, "\(links)")
            #expect(links.count <= 5 && links.allSatisfy { Int($0.key)! <= 4 }, "\(links)")
            let environment = try String(contentsOfFile: "/proc/\(pid)/environ", encoding: .utf8)
            #expect(environment == "SWIFT_BACKTRACE=enable=no\0")
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            #expect(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2") && status.contains("CapEff:\t0000000000000000"))
            try await rig.end()
        }
    }
}
