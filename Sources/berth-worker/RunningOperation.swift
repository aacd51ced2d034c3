// What a plugin's host calls become in a worker: emits gather into large frames, log lines and failures are one-way, and only
// what needs an answer waits for one.

import BerthLoader
import BerthModel
import BerthWire
import Glibc

/// One operation.
///
/// `@unchecked Sendable`: `emission` and its companions belong to the operation's one thread; all that other threads touch
/// is guarded by `monitor`.
final class RunningOperation: OperationDelegate, @unchecked Sendable {
    private let number: UInt64
    private let slot: UInt32
    private let link: DaemonLink
    private let progress: ProgressPage
    private let deadlineNanoseconds: UInt64

    private let monitor = Monitor()
    private var cancelled = false
    private var deadline: UInt64
    private var outstanding = 0
    private var refusal: Int32 = 0
    private var answer: WireAnswer?
    private var verdict: Int32?

    private var emission = WireWriter(capacity: 0)
    private var emitted: UInt32 = 0
    private var stream: String?

    init(_ number: UInt64, _ start: HostMessage.Start, link: DaemonLink, progress: ProgressPage) {
        self.number = number
        slot = start.slot
        self.link = link
        self.progress = progress
        deadlineNanoseconds = UInt64(start.deadlineMilliseconds) * 1_000_000
        deadline = Self.now() + deadlineNanoseconds
        emission.put(UInt32(0))
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    // MARK: From the daemon, on the main thread

    func cancel() {
        monitor.withLock {
            cancelled = true
            monitor.wake()
        }
    }

    func checkpointed(_ status: Int32) {
        monitor.withLock {
            outstanding -= 1
            if status != 0 { refusal = status }
            deadline = Self.now() + deadlineNanoseconds
            monitor.wake()
        }
    }

    func answered(_ answer: WireAnswer) {
        monitor.withLock {
            self.answer = answer
            monitor.wake()
        }
    }

    func judged(_ status: Int32) {
        monitor.withLock {
            verdict = status
            monitor.wake()
        }
    }

    /// Sends what is left and the end.
    func finish(_ status: Int32, _ statuses: [Int32]) {
        flush()
        link.send(.done(status: status, statuses: statuses), operation: number)
    }

    // MARK: From the plugin

    func log(level: UInt32, message: String) {
        link.send(.log(level: level, text: Self.cut(message, WireLimits.logBytesMax)), operation: number)
    }

    func fail(_ failure: AttemptFailure, item: Int?) {
        let item = item.map { UInt32($0) } ?? WireLimits.noItem
        if item != WireLimits.noItem { progress.note(item, slot: slot) }
        link.send(
            .failed(
                WireFailure(
                    status: failure.status.abi, item: item, remoteStatus: UInt32(clamping: failure.remoteStatus ?? 0),
                    retryAfterMilliseconds: failure.retryAfterMilliseconds ?? 0,
                    message: Self.cut(failure.message, WireLimits.failureBytesMax),
                    remoteCode: failure.remoteCode ?? "", fields: [])), operation: number)
    }

    var isCancelled: Bool { monitor.withLock { cancelled } }

    var remainingMilliseconds: UInt64 {
        monitor.withLock {
            let now = Self.now()
            return deadline > now ? (deadline - now) / 1_000_000 : 0
        }
    }

    func emit(_ records: [(item: Int?, change: RecordChange)]) -> AttemptStatus {
        guard !isCancelled else { return .cancelled }
        for (item, change) in records {
            let item = item.map { UInt32($0) } ?? WireLimits.noItem
            if item != WireLimits.noItem { progress.note(item, slot: slot) }
            emission.put(
                WireRecord(
                    kind: change.kind.rawValue, item: item, sourceTime: change.sourceTime?.milliseconds ?? WireLimits.noTime,
                    stream: change.stream.text, key: change.externalID, payload: change.payload, raw: change.raw), previousStream: &stream)
            emitted += 1
            if emission.count >= WireLimits.emissionBytes { flush() }
        }
        return .ok
    }

    private func flush() {
        guard emitted > 0 else { return }
        emission.patch(emitted, at: 0)
        var full = WireWriter(capacity: 0)
        swap(&full, &emission)
        link.send(full.frames(kind: WorkerMessage.Kind.emitted.rawValue, operation: number))
        emission.put(UInt32(0))
        emitted = 0
        stream = nil
    }

    func checkpoint(_ checkpoint: Checkpoint) -> AttemptStatus {
        flush()
        // Waits until the one before is durable, so that one page is stored while the next is fetched, and no more.
        let status: Int32 = monitor.withLock {
            while outstanding >= WireLimits.checkpointWindow, !cancelled, refusal == 0 { monitor.wait() }
            if refusal != 0 { return refusal }
            if cancelled { return AttemptStatus.cancelled.abi }
            outstanding += 1
            deadline = Self.now() + deadlineNanoseconds
            return 0
        }
        guard status == 0 else { return AttemptStatus(abi: status) }
        link.send(.checkpoint(schema: checkpoint.schema, state: checkpoint.state), operation: number)
        return .ok
    }

    func reply(_ json: [UInt8]) -> AttemptStatus {
        link.send(.reply(json), operation: number)
        return .ok
    }

    func send(_ request: PluginRequest) -> Result<PluginResponse, AttemptFailure> {
        guard !isCancelled else { return .failure(AttemptFailure(.cancelled, "")) }
        link.send(
            .request(
                WireRequest(
                    flags: (request.isIdempotent ? 1 : 0) | (request.isAuthenticated ? 0 : 2),
                    timeoutMilliseconds: request.timeoutMilliseconds,
                    method: request.method, url: request.url, requestClass: request.requestClass,
                    headers: request.headers.map { WireHeader($0.name, $0.value) }, body: request.body)), operation: number)
        // A cancelled request is answered too, with CANCELLED: waiting for that keeps answers and requests in step.
        let answer: WireAnswer = monitor.withLock {
            while true {
                if let arrived = self.answer {
                    self.answer = nil
                    return arrived
                }
                monitor.wait()
            }
        }
        // The reason of a failed request is already with the daemon.
        guard answer.status == 0 else { return .failure(AttemptFailure(AttemptStatus(abi: answer.status), "")) }
        return .success(PluginResponse(status: answer.remoteStatus, headers: answer.headers.map { ($0.name, $0.value) }, body: answer.body))
    }

    func hmacMatches(algorithm: UInt32, message: [UInt8], expected: [UInt8]) -> AttemptStatus {
        guard expected.count <= 64 else { return .authDenied }
        link.send(.hmac(algorithm: algorithm, message: message, expected: expected), operation: number)
        let status: Int32 = monitor.withLock {
            while true {
                if let verdict {
                    self.verdict = nil
                    return verdict
                }
                monitor.wait()
            }
        }
        return AttemptStatus(abi: status)
    }

    func violation(_ what: String) { link.send(.violation(Self.cut(what, WireLimits.failureBytesMax)), operation: number) }

    private static func cut(_ text: String, _ bytes: Int) -> String {
        text.utf8.count <= bytes ? text : String(decoding: text.utf8.prefix(bytes - 3), as: UTF8.self)
    }
}
