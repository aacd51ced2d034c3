// Workers die, are killed, hang, and are replaced. What was in their hands ends as a verdict; nobody waits for ever, and nothing
// of a dead worker stays behind.

import BerthModel
import BerthPlugins
import BerthSeams
import Foundation
import Glibc
import Testing

extension Conformance {
    @Suite struct SupervisionTests {
        // Without this a killed worker would take its events with it, or its successor would never come.
        @Test func aKilledWorkerIsReplacedAndItsBatchGivenBack() async throws {
            let rig = try await Rig.start(in: .worker)
            let pid = try await rig.workerID()
            async let lost = rig.handle("until-cancelled")
            try await eventually { await rig.isWorking(pid) }
            kill(pid, SIGKILL)
            let outcome = await lost
            #expect(outcome.outcomes[0].failure?.status == .crashed)
            #expect(outcome.outcomes[0].failure?.message.contains("signal 9") == true)
            #expect(await rig.handle("record").outcomes[0].failure == nil)
            #expect(try await rig.workerID() != pid)
            let state = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)  // gone: that is what is asked
            #expect(state == nil, "a zombie stays: \(state ?? "")")
            #expect(await rig.runtime.plugins().first?.restarts == 1)
            try await rig.end()
        }

        // Without this a sync interrupted by a crash would lose the pages before it, or store half a page.
        @Test func aReadThatIsKilledGoesOnFromItsLastPage() async throws {
            let rig = try await Rig.start(in: .worker, settings: "{\"total\":1000,\"page\":100}")
            let pid = try await rig.workerID()
            let first = PageKeeper(pause: { page in if page == 4 { kill(pid, SIGKILL) } })
            #expect(await rig.read(first)?.status == .crashed)
            let stored = await first.count
            #expect(stored % 100 == 0 && stored >= 400)
            let rest = PageKeeper()
            #expect(await rig.read(rest, from: await first.last) == nil)
            #expect(await first.count + rest.count == 1000)
            try await rig.end()
        }

        // Without this an event that crashes its plugin would have all events of its batch blamed and parked with it: after the first
        // crash they are tried one by one.
        @Test func theEventThatCrashesIsFoundAmongTheOthers() async throws {
            let rig = try await Rig.start("hostile", in: .worker)
            let events = ["fine", "fine", "segv", "fine"].map { rig.event($0) }
            let first = await rig.runtime.handle(events, for: rig.instance)
            #expect(first.outcomes.allSatisfy { $0.failure?.status == .crashed })
            #expect(first.suspect == 2)
            let second = await rig.runtime.handle(events, for: rig.instance)
            #expect(second.suspect == 2)
            #expect(second.outcomes[0].failure == nil && second.outcomes[1].failure == nil)
            #expect(second.outcomes[2].failure?.status == .crashed && second.outcomes[3].failure?.status == .crashed)
            #expect(second.outcomes[0].records.count == 1)
            let rest = await rig.runtime.handle([events[3]], for: rig.instance)
            #expect(rest.outcomes[0].failure == nil)
            try await rig.end()
        }

        // Without this a version that crashes on everything would be started for ever, and eat every event's attempts.
        @Test func deathsOnDifferentEventsQuarantineAPlugin() async throws {
            let rig = try await Rig.start("hostile", in: .worker)
            for _ in 0..<3 { #expect(await rig.handle("segv").outcomes[0].failure?.status == .crashed) }
            let refused = await rig.handle("fine").outcomes[0].failure
            #expect(refused?.status == .retry && refused?.message.contains("quarantined") == true)
            #expect(await rig.runtime.plugins().first?.state == .quarantined)
            // A reload is the operator's word that it is mended.
            _ = try await rig.runtime.reload(rig.provider)
            #expect(await rig.handle("fine").outcomes[0].failure == nil)
            try await rig.end()
        }

        // Without this deaths on one and the same event, which is that event's fault, would stop the plugin for all others.
        @Test func deathsOnOneEventDoNotQuarantine() async throws {
            let rig = try await Rig.start("hostile", in: .worker)
            let event = rig.event("abort")
            for _ in 0..<4 { #expect(await rig.runtime.handle([event], for: rig.instance).outcomes[0].failure?.status == .crashed) }
            #expect(await rig.handle("fine").outcomes[0].failure == nil)
            try await rig.end()
        }

        // Without this a broken new version would have to be taken back by hand at night.
        @Test func aNewVersionThatDiesIsRolledBack() async throws {
            let rig = try await Rig.start("hostile", in: .worker)
            #expect(await rig.handle("fine").outcomes[0].failure == nil)
            #expect(try await rig.runtime.reload(rig.provider).generation == 2)
            #expect(await rig.handle("segv").outcomes[0].failure?.status == .crashed)
            #expect(await rig.runtime.plugins().first?.generation == 1)
            #expect(await rig.handle("fine").outcomes[0].failure == nil)
            try await rig.end()
        }

        // Without this a reload would cut off what is being worked on.
        @Test(arguments: bothHosts) func aReloadLetsTheOldGenerationEndItsWork(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation, settings: "{\"total\":300,\"page\":100}")
            let arrived = Signal()
            let letGo = Signal()
            let sink = PageKeeper(pause: { _ in
                await arrived.open()
                await letGo.wait()
            })
            async let ended = rig.read(sink)
            await arrived.wait()
            #expect(try await rig.runtime.reload(rig.provider).generation == 2)
            #expect(await rig.handle("record").outcomes[0].failure == nil)
            await letGo.open()
            #expect(await ended == nil)
            #expect(await sink.count == 300)
            #expect(try await rig.runtime.rollback(rig.provider).generation == 1)
            #expect(await rig.handle("record").outcomes[0].failure == nil)
            try await rig.end()
        }

        // Without this a bundle that cannot be loaded would take the working one out of service.
        @Test func aFailedReloadChangesNothing() async throws {
            let rig = try await Rig.start(in: .worker)
            try Data("not a library".utf8).write(to: URL(filePath: "\(rig.folder)/probe/libprobe.so"))
            await #expect(throws: BerthError.self) { _ = try await rig.runtime.reload(rig.provider) }
            #expect(await rig.handle("record").outcomes[0].failure == nil)
            let status = await rig.runtime.plugins().first
            #expect(status?.problem?.code == "library_not_elf" && status?.generation == 1)
            try await rig.end()
        }

        // Without this workers, their descriptors or their threads would pile up with every restart.
        @Test func nothingOfADeadWorkerStaysBehind() async throws {
            let rig = try await Rig.start(in: .worker)
            #expect(await rig.handle("record").outcomes[0].failure == nil)
            let descriptors = try Self.descriptors()
            for _ in 0..<5 {
                let pid = try await rig.workerID()
                kill(pid, SIGKILL)
                try await eventually { await rig.runtime.plugins().first?.workers.first.map { $0 != pid } ?? false }
                #expect(await rig.handle("record").outcomes[0].failure == nil)
            }
            try await eventually { (try? Self.descriptors()) ?? .max <= descriptors + 1 }
            try await rig.end()
            let children = try String(contentsOfFile: "/proc/self/task/\(getpid())/children", encoding: .utf8)
            for child in children.split(separator: " ") {
                let name = try? String(contentsOfFile: "/proc/\(child)/comm", encoding: .utf8)  // ended meanwhile: good
                #expect(name?.hasPrefix("berth-worker") != true, "worker \(child) is still there")
            }
        }

        private static func descriptors() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }

        // Without this a worker would outlive its daemon and go on with the provider.
        @Test func aRuntimeThatStopsLeavesNoWorker() async throws {
            let rig = try await Rig.start(in: .worker)
            let pid = try await rig.workerID()
            async let running = rig.handle("until-cancelled")
            try await eventually { await rig.isWorking(pid) }
            await rig.runtime.stop()
            #expect(await running.outcomes[0].failure?.status == .cancelled)
            try await eventually { kill(pid, 0) != 0 }
            try FileManager.default.removeItem(atPath: rig.folder)
        }

        // Without this one hanging plugin would hold up another's events.
        @Test func aHangingPluginHoldsUpNobodyElse() async throws {
            let hanging = try await Rig.start("hostile", in: .worker, runtimeTable: "event_deadline_seconds = 1")
            let working = try await Rig.start(in: .worker)
            async let hung = hanging.handle("loop")
            for _ in 0..<50 { #expect(await working.handle("record").outcomes[0].failure == nil) }
            #expect(await hung.outcomes[0].failure?.status == .hung)
            try await hanging.end()
            try await working.end()
        }
    }
}

extension Rig {
    /// Whether the worker has an operation's thread that waits or runs: its thread count beyond the main one.
    func isWorking(_ pid: Int32) async -> Bool {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task").count) ?? 0  // ended: not working
        return threads > 1
    }
}

/// Waits for a condition of another process, which has no way to signal it, for at most 10 s.
func eventually(_ holds: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while try await !holds() {
        try #require(ContinuousClock.now < deadline, "the condition did not come to hold")
        try await Task.sleep(for: .milliseconds(2))
    }
}
