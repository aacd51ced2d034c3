// An operation's delegate that keeps what it is told.

import BerthLoader
import BerthModel
import Synchronization

/// Remembers host calls.
final class Recorder: OperationDelegate {
    struct Seen {
        var records: [(item: Int?, change: RecordChange)] = []
        var checkpoints = 0
        var reply = ""
        var lines: [String] = []
        var violations: [String] = []
    }
    private let state = Mutex(Seen())
    var seen: Seen { state.withLock { $0 } }

    var isCancelled: Bool { false }
    var remainingMilliseconds: UInt64 { 1000 }
    func log(level: UInt32, message: String) { state.withLock { $0.lines.append("\(level) \(message)") } }
    func fail(_ failure: AttemptFailure, item: Int?) {}
    func emit(_ records: [(item: Int?, change: RecordChange)]) -> AttemptStatus {
        state.withLock { $0.records += records }
        return .ok
    }
    func checkpoint(_ checkpoint: Checkpoint) -> AttemptStatus {
        state.withLock { $0.checkpoints += 1 }
        return .ok
    }
    func reply(_ json: [UInt8]) -> AttemptStatus {
        state.withLock { $0.reply = String(decoding: json, as: UTF8.self) }
        return .ok
    }
    func send(_ request: PluginRequest) -> Result<PluginResponse, AttemptFailure> { .failure(AttemptFailure(.denied, "no requests here")) }
    func hmacMatches(algorithm: UInt32, message: [UInt8], expected: [UInt8]) -> AttemptStatus { .denied }
    func violation(_ what: String) { state.withLock { $0.violations.append(what) } }
}

extension LoadedPlugin {
    /// Seals and loads a file; the image goes as soon as it is loaded.
    static func load(_ path: String) throws(LoadRefusal) -> LoadedPlugin { try load(SealedImage(path: path), named: path) }

    /// Runs an action on a new instance.
    func act(_ name: String, input: String = "{}") throws -> (status: AttemptStatus, seen: Recorder.Seen) {
        let instance = try makeInstance(connection: "con_1", settings: Array("{}".utf8), baseURL: "https://provider.example").get()
        let recorder = Recorder()
        let status = instance.perform(name: name, input: Array(input.utf8), idempotencyKey: "key", recorder)
        instance.destroy()
        return (status, recorder.seen)
    }
}
