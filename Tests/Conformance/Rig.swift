// What every conformance test stands on: C plugins built from this folder, a runtime over them, and the seams by hand.

import BerthModel
import BerthPlugins
import BerthSeams
import CBerthLinux
import Foundation
import Logging
import Synchronization
import Testing

/// All suites, one test at a time: they count processes and descriptors.
@Suite(.serialized) enum Conformance {}

/// Where a behaviour runs. Each test of ABI behaviour runs in both.
let bothHosts: [Isolation] = [.worker, .inProcess]

/// The C plugins, compiled once per run.
enum Compiled {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    private static let libraries = Mutex<[String: String]>([:])
    private static let folder: String = {
        let path = NSTemporaryDirectory() + "berth-conformance-\(getpid())"
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)  // a failure shows at the first use
        return path
    }()

    /// Path of the built library.
    static func library(_ name: String) throws -> String {
        try libraries.withLock { libraries in
            if let path = libraries[name] { return path }
            let path = "\(folder)/lib\(name).so"
            let compiler = Process()
            compiler.executableURL = URL(filePath: "/usr/bin/env")
            compiler.arguments = [
                "cc", "-std=gnu11", "-O1", "-w", "-shared", "-fPIC", "-fvisibility=hidden", "-I\(root)/plugin-sdk/c/include", "-o", path,
                "\(root)/Tests/Conformance/Plugins/\(name).c", "-lpthread",
            ]
            try compiler.run()
            compiler.waitUntilExit()
            try #require(compiler.terminationStatus == 0, "\(name).c does not compile")
            libraries[name] = path
            return path
        }
    }

    /// berth-worker of the same build as the tests.
    static let worker: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        let beside = URL(filePath: own).deletingLastPathComponent().appending(path: "berth-worker").path
        return FileManager.default.fileExists(atPath: beside) ? beside : "\(root)/.build/debug/berth-worker"
    }()
}

/// Answers requests by a closure and remembers them.
final class ScriptedOutbound: Outbound {
    typealias Script = @Sendable (ProviderRequest) async -> Result<ProviderResponse, AttemptFailure>
    let requests = Mutex<[ProviderRequest]>([])
    private let script: Script

    init(
        _ script: @escaping Script = { _ in
            .success(ProviderResponse(status: 200, headers: [("x-a", "1")], body: Array("{\"ok\":true}".utf8)))
        }
    ) {
        self.script = script
    }

    func send(_ request: ProviderRequest, for target: OutboundTarget) async -> Result<ProviderResponse, AttemptFailure> {
        requests.withLock { $0.append(request) }
        return await script(request)
    }

    func forget(_ connection: ConnectionID) async {}
}

/// One webhook key.
struct OneKey: SecretStore {
    func secret(_ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) -> Secret? {
        slot == .webhook(index: 1) ? Secret(copying: Array("key".utf8)) : nil
    }
    func set(_ secret: Secret, _ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) {}
    func removeAll(of connection: ConnectionID) async throws(BerthError) {}
}

/// A runtime with one plugin, and a connection to it.
struct Rig {
    let runtime: PluginRuntime
    let provider: ProviderName
    let connection: ConnectionID
    let folder: String
    var settings: String

    /// Starts `plugin` in `isolation`; `runtimeTable` is put into the manifest's [runtime].
    static func start(
        _ plugin: String = "probe", in isolation: Isolation, settings: String = "{}", runtimeTable: String = "",
        outbound: any Outbound = ScriptedOutbound(), adjust: (inout PluginRuntimeConfiguration) -> Void = { _ in }
    ) async throws -> Rig {
        let folder = NSTemporaryDirectory() + "berth-conformance-\(getpid())/\(UUID().uuidString)"
        try writeBundle(plugin, folder: folder, runtimeTable: runtimeTable)
        var configuration = PluginRuntimeConfiguration(
            directories: [folder], managedDirectory: folder + "/managed", isolation: isolation, workerPath: Compiled.worker,
            allowsWeakSandbox: false)
        adjust(&configuration)
        var logger = Logger(label: "conformance")
        logger.logLevel = ProcessInfo.processInfo.environment["CONFORMANCE_LOG"] == nil ? .critical : .debug
        let runtime = try await PluginRuntime.start(configuration, outbound: outbound, secrets: OneKey(), logger: logger)
        return Rig(
            runtime: runtime, provider: ProviderName(plugin)!,
            connection: ConnectionID(
                time: Timestamp(milliseconds: 1), random: (UInt64.random(in: 0...UInt64.max), UInt64.random(in: 0...UInt64.max))),
            folder: folder, settings: settings)
    }

    static func writeBundle(_ plugin: String, folder: String, runtimeTable: String = "", version: String = "1.0.0") throws {
        let bundle = "\(folder)/\(plugin)"
        try FileManager.default.createDirectory(atPath: bundle, withIntermediateDirectories: true)
        let manifest = """
            manifest_version = 1
            id = "\(plugin)"
            version = "\(version)"
            abi = 1
            [library]
            \(PluginBundle.platform) = { file = "lib\(plugin).so", sha256 = "" }
            [runtime]
            \(runtimeTable)
            [http]
            base_url = "https://provider.example"
            [[streams]]
            name = "calls"
            entity = "call"
            [[actions]]
            name = "echo"
            """
        try manifest.write(toFile: "\(bundle)/plugin.toml", atomically: true, encoding: .utf8)
        let library = "\(bundle)/lib\(plugin).so"
        if FileManager.default.fileExists(atPath: library) { try FileManager.default.removeItem(atPath: library) }
        try FileManager.default.copyItem(atPath: try Compiled.library(plugin), toPath: library)
    }

    /// Stops the runtime and removes its folder.
    func end() async throws {
        await runtime.stop()
        try FileManager.default.removeItem(atPath: folder)
    }

    var instance: PluginInstance {
        PluginInstance(
            connection: connection, provider: provider, settings: Array(settings.utf8), baseURL: "https://provider.example", credential: nil
        )
    }

    func event(_ kind: String, body: String = "{\"a\":1}", attempt: Int = 1) -> Event {
        let at = Timestamp(milliseconds: 1_700_000_000_000)
        return Event(
            id: EventID(time: at, random: (UInt64.random(in: 0...UInt64.max), UInt64.random(in: 0...UInt64.max))), sequence: 1,
            connection: connection, provider: provider, kind: kind, state: .running, isUnsupported: false, attempt: attempt, dedupKey: "d",
            orderingKey: nil, method: "POST", query: "a=b", headers: [("x-first", "one"), ("x-second", "zwei")], body: Array(body.utf8),
            receivedAt: at, dueAt: at, settledAt: nil, lastFailure: nil)
    }

    func handle(_ kinds: String...) async -> BatchOutcome { await runtime.handle(kinds.map { event($0) }, for: instance) }

    func read(_ sink: any PageSink, from checkpoint: Checkpoint? = nil) async -> AttemptFailure? {
        let request = StreamReadRequest(
            run: RunID(time: Timestamp(milliseconds: 1), random: (1, 2)), stream: StreamName("calls")!, mode: .full, since: nil,
            until: Timestamp(milliseconds: 2), checkpoint: checkpoint)
        return await runtime.read(request, for: instance, into: sink)
    }

    /// The worker's process id.
    func workerID() async throws -> Int32 {
        let status = await runtime.plugins()
        return try #require(status.first?.workers.first)
    }
}

/// Remembers pages; may be slow, refuse, or wait to be let on.
actor PageKeeper: PageSink {
    private(set) var records: [RecordChange] = []
    private(set) var pages = 0
    private(set) var count = 0
    private(set) var last: Checkpoint?
    private let keeps: Bool
    private let refusesAfter: Int?
    private let pause: (@Sendable (Int) async -> Void)?

    init(keeps: Bool = true, refusesAfter: Int? = nil, pause: (@Sendable (Int) async -> Void)? = nil) {
        self.keeps = keeps
        self.refusesAfter = refusesAfter
        self.pause = pause
    }

    func commit(_ records: [RecordChange], checkpoint: Checkpoint) async throws(BerthError) {
        if let pause { await pause(pages) }
        if let refusesAfter, pages >= refusesAfter { throw BerthError(.store, "disk full", isRetryable: true) }
        if keeps { self.records += records }
        count += records.count
        pages += 1
        last = checkpoint
    }
}

extension RecordChange {
    /// The payload as text.
    var text: String { String(decoding: payload, as: UTF8.self) }
}

/// Opens once; many may wait.
actor Signal {
    private var isOpen = false
    private var waiters: [CheckedContinuation<Void, Never>] = []
    func open() {
        isOpen = true
        for waiter in waiters { waiter.resume() }
        waiters = []
    }
    func wait() async {
        if isOpen { return }
        await withCheckedContinuation { waiters.append($0) }
    }
}
