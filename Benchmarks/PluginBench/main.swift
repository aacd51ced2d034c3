// Lane G: what it costs to call a plugin. The same C plugin and events in both hosts, in turn, so that the ratio holds on a noisy
// machine; then rows of a read without a provider, and the memory of a worker.
//
//   PluginBench <folder of the bundle probe> <path of berth-worker>

import BerthModel
import BerthPlugins
import BerthSeams
import Foundation
import Logging

struct Silence: Outbound, SecretStore {
    func send(_ request: ProviderRequest, for target: OutboundTarget) async -> Result<ProviderResponse, AttemptFailure> {
        .failure(AttemptFailure(.denied, "no requests here"))
    }
    func forget(_ connection: ConnectionID) async {}
    func secret(_ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) -> Secret? { nil }
    func set(_ secret: Secret, _ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) {}
    func removeAll(of connection: ConnectionID) async throws(BerthError) {}
}

actor Counter: PageSink {
    private(set) var rows = 0
    func commit(_ records: [RecordChange], checkpoint: Checkpoint) async throws(BerthError) { rows += records.count }
}

struct Bench {
    let runtime: PluginRuntime
    let instance: PluginInstance

    static func start(_ directory: String, _ worker: String, _ isolation: Isolation) async throws -> Bench {
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        let runtime = try await PluginRuntime.start(
            PluginRuntimeConfiguration(
                directories: [directory], managedDirectory: directory + "/managed", isolation: isolation, workerPath: worker,
                allowsWeakSandbox: false), outbound: Silence(), secrets: Silence(), logger: logger)
        guard let provider = ProviderName("probe") else { preconditionFailure("a literal name") }
        let instance = PluginInstance(
            connection: ConnectionID(time: Timestamp(milliseconds: 1), random: (1, 2)), provider: provider,
            settings: Array("{\"total\":1000000,\"page\":200,\"size\":480}".utf8), baseURL: "https://provider.example", credential: nil)
        return Bench(runtime: runtime, instance: instance)
    }

    func events(_ count: Int, kind: String) -> [Event] {
        let at = Timestamp(milliseconds: 1_700_000_000_000)
        let headers = (0..<8).map { (name: "x-header-\($0)", value: "value of header \($0)") }
        let body = Array("{\"pad\":\"\(String(repeating: "x", count: 488))\"}".utf8)
        return (0..<count).map { index in
            Event(
                id: EventID(time: at, random: (UInt64(index), 7)), sequence: Int64(index), connection: instance.connection,
                provider: instance.provider, kind: kind, state: .running, isUnsupported: false, attempt: 1, dedupKey: "d", orderingKey: nil,
                method: "POST", query: "", headers: headers, body: body, receivedAt: at, dueAt: at, settledAt: nil, lastFailure: nil)
        }
    }

    /// Microseconds per event.
    func perEvent(batch: Int, rounds: Int, kind: String) async -> Double {
        let events = events(batch, kind: kind)
        let began = ContinuousClock.now
        for _ in 0..<rounds {
            let outcome = await runtime.handle(events, for: instance)
            precondition(outcome.outcomes.allSatisfy { $0.failure == nil }, "an event failed")
        }
        let took = (ContinuousClock.now - began).components
        return (Double(took.seconds) * 1e6 + Double(took.attoseconds) * 1e-12) / Double(batch * rounds)
    }

    /// Rows per second.
    func rows() async -> Double {
        guard let stream = StreamName("calls") else { preconditionFailure("a literal name") }
        let sink = Counter()
        let began = ContinuousClock.now
        let failure = await runtime.read(
            StreamReadRequest(
                run: RunID(time: Timestamp(milliseconds: 1), random: (1, 2)), stream: stream, mode: .full, since: nil,
                until: Timestamp(milliseconds: 1), checkpoint: nil), for: instance, into: sink)
        precondition(failure == nil, "the read failed: \(failure?.message ?? "")")
        let took = (ContinuousClock.now - began).components
        return Double(await sink.rows) / (Double(took.seconds) + Double(took.attoseconds) * 1e-18)
    }

    func workerMemory() async -> (resident: Int, isPrivate: Int)? {
        guard let pid = await runtime.plugins().first?.workers.first,
            let text = try? String(contentsOfFile: "/proc/\(pid)/smaps_rollup", encoding: .utf8)  // gone: nothing to report
        else { return nil }
        func sum(_ names: [String]) -> Int {
            text.split(separator: "\n").filter { line in names.contains { line.hasPrefix($0 + ":") } }
                .compactMap { Int($0.split(separator: " ")[1]) }.reduce(0, +)
        }
        return (sum(["Rss"]), sum(["Private_Clean", "Private_Dirty"]))
    }
}

let arguments = CommandLine.arguments
guard arguments.count == 3 else {
    FileHandle.standardError.write(Data("usage: PluginBench <folder of bundle probe> <berth-worker>\n".utf8))
    exit(64)
}
let worker = try await Bench.start(arguments[1], arguments[2], .worker)
let inside = try await Bench.start(arguments[1], arguments[2], .inProcess)
if let memory = await worker.workerMemory() {
    print("worker after start: \(memory.resident) KiB resident, \(memory.isPrivate) KiB private")
}
for batch in [1, 16, 64, 256] {
    for kind in ["nothing", "record"] {
        var (isolated, direct): ([Double], [Double]) = ([], [])
        for _ in 0..<5 {
            isolated.append(await worker.perEvent(batch: batch, rounds: 20_000 / batch / 4, kind: kind))
            direct.append(await inside.perEvent(batch: batch, rounds: 20_000 / batch / 4, kind: kind))
        }
        let (a, b) = (isolated.sorted()[2], direct.sorted()[2])
        print("batch \(batch), \(kind): worker \((a * 100).rounded() / 100) us per event, in the daemon \((b * 100).rounded() / 100) us")
    }
}
for _ in 0..<3 {
    print("read, 500-byte rows, pages of 200: worker \(Int(await worker.rows())) rows/s, in the daemon \(Int(await inside.rows())) rows/s")
}
if let memory = await worker.workerMemory() { print("worker after work: \(memory.resident) KiB resident, \(memory.isPrivate) KiB private") }
await worker.runtime.stop()
await inside.runtime.stop()
