// Requests per second and added latency of the outbound broker, beside a plain libcurl loop in the same process
// against the same nginx on loopback. Prints figures; decides nothing.
//
//     OutboundBench [requests] [concurrency] [folder of the bundle probe] [path of berth-worker]
//
// With a bundle the same request is also made by a plugin in a worker process: one credential check of the probe is one
// operation with one request in it.

import BerthModel
import BerthOutbound
import BerthPlugins
import BerthSeams
import CCurl
import Foundation
import Logging
import Synchronization

struct SystemTime: WallClock {
    func now() -> Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
}
struct SystemBits: Entropy {
    func next() -> UInt64 { UInt64.random(in: 0 ... .max) }
}
struct OneToken: SecretStore {
    func secret(_ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) -> Secret? {
        Secret(copying: Array("bench-token".utf8))
    }
    func set(_ secret: Secret, _ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) {}
    func removeAll(of connection: ConnectionID) async throws(BerthError) {}
}

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let paths = CommandLine.arguments.dropFirst().filter { $0.contains("/") }
let requestCount = arguments.first ?? 40_000
let concurrency = arguments.dropFirst().first ?? 16

let nginx = try Nginx()
defer { nginx.stop() }
let base = nginx.url

/// Seconds per request, and the whole.
struct Figures {
    var seconds: Double
    var latencies: [Double]
    var perSecond: Double { Double(latencies.count) / seconds }
    func microseconds(_ share: Double) -> Double {
        latencies.sorted()[min(latencies.count - 1, Int(Double(latencies.count) * share))] * 1e6
    }
}

func time() -> Double {
    var value = timespec()
    clock_gettime(CLOCK_MONOTONIC, &value)
    return Double(value.tv_sec) + Double(value.tv_nsec) / 1e9
}

@MainActor func plain(_ count: Int, _ concurrency: Int) -> Figures { PlainLoop(url: base + "/calls?page=1").run(count, concurrency) }

func brokered(_ broker: CurlOutbound, _ base: String, _ count: Int, _ concurrency: Int) async -> Figures {
    var http = PluginManifest.HTTP()
    http.maxConcurrent = concurrency
    let target = OutboundTarget(
        connection: ConnectionID(time: Timestamp(milliseconds: 1), random: (1, 1)), provider: ProviderName("bench")!, baseURL: base,
        http: http, credential: CredentialSpec(kind: .apiKey, placements: [.init(field: "token", place: .authorization(scheme: "Bearer"))]))
    let begun = time()
    let latencies = await withTaskGroup(of: [Double].self) { group in
        for _ in 0..<concurrency {
            group.addTask {
                var mine: [Double] = []
                for _ in 0..<count / concurrency {
                    let start = time()
                    let result = await broker.send(ProviderRequest(method: "GET", url: "/calls?page=1"), for: target)
                    guard case .success(let response) = result, response.status == 200, response.body.count == 1024 else {
                        fatalError("\(result)")
                    }
                    mine.append(time() - start)
                }
                return mine
            }
        }
        return await group.reduce(into: []) { $0 += $1 }
    }
    return Figures(seconds: time() - begun, latencies: latencies)
}

func isolated(_ runtime: PluginRuntime, _ base: String, _ count: Int, _ concurrency: Int) async -> Figures {
    let instance = PluginInstance(
        connection: ConnectionID(time: Timestamp(milliseconds: 1), random: (2, 2)), provider: ProviderName("probe")!,
        settings: Array("{}".utf8),
        baseURL: base,
        credential: CredentialSpec(kind: .apiKey, placements: [.init(field: "token", place: .authorization(scheme: "Bearer"))]))
    let begun = time()
    let latencies = await withTaskGroup(of: [Double].self) { group in
        for _ in 0..<concurrency {
            group.addTask {
                var mine: [Double] = []
                for _ in 0..<count / concurrency {
                    let start = time()
                    if case .failure(let failure) = await runtime.checkCredentials(for: instance) {
                        print("a check failed: \(failure)")
                        exit(1)
                    }
                    mine.append(time() - start)
                }
                return mine
            }
        }
        return await group.reduce(into: []) { $0 += $1 }
    }
    return Figures(seconds: time() - begun, latencies: latencies)
}

var logger = Logger(label: "bench")
logger.logLevel = .error
var runtime: PluginRuntime?
let broker = try CurlOutbound(secrets: OneToken(), clock: SystemTime(), entropy: SystemBits(), logger: logger)
if paths.count == 2 {
    runtime = try await PluginRuntime.start(
        PluginRuntimeConfiguration(
            directories: [paths[0]], managedDirectory: paths[0] + "/managed", isolation: .worker, workerPath: paths[1],
            allowsWeakSandbox: false),
        outbound: broker, secrets: OneToken(), logger: logger)
}
for level in [1, concurrency] {
    let count = level == 1 ? requestCount / 4 : requestCount
    _ = plain(count / 10, level)
    _ = await brokered(broker, base, count / 10, level)
    // Alternating, so that a busy neighbour disturbs both alike; the medians of five are shown.
    var ratios: [Double] = []
    var pairs: [(Figures, Figures)] = []
    for _ in 0..<5 {
        let one = plain(count, level)
        let other = await brokered(broker, base, count, level)
        pairs.append((one, other))
        ratios.append(other.perSecond / one.perSecond)
    }
    let middle = pairs.sorted { $0.1.perSecond / $0.0.perSecond < $1.1.perSecond / $1.0.perSecond }[2]
    func line(_ name: String, _ figures: Figures) {
        print(
            "  \(name) \(Int(figures.perSecond)) req/s, p50 \(Int(figures.microseconds(0.5))) us, p99 \(Int(figures.microseconds(0.99))) us"
        )
    }
    print("concurrency \(level), \(count) requests of 1 KiB")
    line("plain libcurl", middle.0)
    line("CurlOutbound ", middle.1)
    print(
        "  ratio \(Int(ratios.sorted()[2] * 100)) %, added p50 \(Int(middle.1.microseconds(0.5) - middle.0.microseconds(0.5))) us, "
            + "p99 \(Int(middle.1.microseconds(0.99) - middle.0.microseconds(0.99))) us")
    guard let runtime else { continue }
    _ = await isolated(runtime, base, count / 10, level)
    var turns: [(Figures, Figures)] = []
    for _ in 0..<5 { turns.append((plain(count, level), await isolated(runtime, base, count, level))) }
    let turn = turns.sorted { $0.1.perSecond / $0.0.perSecond < $1.1.perSecond / $1.0.perSecond }[2]
    line("plugin in a worker", turn.1)
    print(
        "  ratio \(Int(turn.1.perSecond / turn.0.perSecond * 100)) % of plain libcurl, "
            + "added p50 \(Int(turn.1.microseconds(0.5) - turn.0.microseconds(0.5))) us, "
            + "p99 \(Int(turn.1.microseconds(0.99) - turn.0.microseconds(0.99))) us")
}
await runtime?.stop()
await broker.close()
