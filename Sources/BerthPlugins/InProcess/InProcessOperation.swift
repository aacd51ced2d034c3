// What a plugin's host calls become in the daemon itself: the same session as a worker's, reached without a wire. What needs an
// answer blocks the operation's thread until a task of the daemon brings it.

import BerthLoader
import BerthModel
import BerthWire
import Synchronization

/// One operation in this process.
///
/// `@unchecked Sendable`: everything that changes is guarded by `monitor`.
final class InProcessOperation: OperationDelegate, OperationPort, @unchecked Sendable {
    private let session: OperationSession
    private let monitor = Monitor()
    private var cancelled = false
    private var deadline: UInt64
    private var outstanding = 0
    private var refusal: Int32 = 0
    private var answer: WireAnswer?
    private var verdict: Int32?
    private var violated: String?

    init(_ session: OperationSession) {
        self.session = session
        deadline = MonotonicTime.now() + UInt64(session.deadlineMilliseconds) * 1_000_000
    }

    /// The end, unless a rule was broken on the way.
    func verdict(or end: OperationEnd) -> OperationEnd {
        guard let violated = monitor.withLock({ violated }) else { return end }
        return .verdict(AttemptFailure(.contractViolation, "the plugin broke the contract: \(violated)"), item: nil)
    }

    // MARK: From the daemon

    func cancel(_ operation: UInt64) {
        monitor.withLock {
            cancelled = true
            monitor.wake()
        }
    }

    func endByForce(_ operation: UInt64) {
        session.finish(.verdict(AttemptFailure(.hung, "the plugin hung in the daemon; its thread is given up"), item: nil))
        cancel(operation)
    }

    func checkpointed(_ operation: UInt64, status: Int32) {
        monitor.withLock {
            outstanding -= 1
            if status != ABIStatus.ok { refusal = status }
            deadline = MonotonicTime.now() + UInt64(session.deadlineMilliseconds) * 1_000_000
            monitor.wake()
        }
    }

    func answered(_ operation: UInt64, _ answer: WireAnswer) {
        monitor.withLock {
            self.answer = answer
            monitor.wake()
        }
    }

    func judgedHash(_ operation: UInt64, status: Int32) {
        monitor.withLock {
            verdict = status
            monitor.wake()
        }
    }

    // MARK: From the plugin

    func log(level: UInt32, message: String) { session.logged(level, message) }

    func fail(_ failure: AttemptFailure, item: Int?) {
        note(
            session.failed(
                WireFailure(
                    status: failure.status.abi, item: item.map { UInt32($0) } ?? WireLimits.noItem,
                    remoteStatus: UInt32(clamping: failure.remoteStatus ?? 0), retryAfterMilliseconds: failure.retryAfterMilliseconds ?? 0,
                    message: failure.message, remoteCode: failure.remoteCode ?? "", fields: [])))
    }

    var isCancelled: Bool { monitor.withLock { cancelled } }

    var remainingMilliseconds: UInt64 {
        monitor.withLock {
            let now = MonotonicTime.now()
            return deadline > now ? (deadline - now) / 1_000_000 : 0
        }
    }

    func emit(_ records: [(item: Int?, change: RecordChange)]) -> AttemptStatus {
        guard !isCancelled else { return .cancelled }
        note(
            session.emitted(
                records.map { item, change in
                    WireRecord(
                        kind: change.kind.rawValue, item: item.map { UInt32($0) } ?? WireLimits.noItem,
                        sourceTime: change.sourceTime?.milliseconds ?? WireLimits.noTime, stream: change.stream.text,
                        key: change.externalID,
                        payload: change.payload, raw: change.raw)
                }))
        return .ok
    }

    func checkpoint(_ checkpoint: Checkpoint) -> AttemptStatus {
        let status: Int32 = monitor.withLock {
            while outstanding >= WireLimits.checkpointWindow, !cancelled, refusal == ABIStatus.ok { monitor.wait() }
            if refusal != ABIStatus.ok { return refusal }
            if cancelled { return ABIStatus.cancelled }
            outstanding += 1
            deadline = MonotonicTime.now() + UInt64(session.deadlineMilliseconds) * 1_000_000
            return ABIStatus.ok
        }
        guard status == ABIStatus.ok else { return AttemptStatus(abi: status) }
        note(session.checkpoint(schema: checkpoint.schema, state: checkpoint.state))
        return .ok
    }

    func reply(_ json: [UInt8]) -> AttemptStatus {
        session.replied(json)
        return .ok
    }

    func send(_ request: PluginRequest) -> Result<PluginResponse, AttemptFailure> {
        guard !isCancelled else { return .failure(AttemptFailure(.cancelled, "")) }
        session.requested(
            WireRequest(
                flags: (request.isIdempotent ? ABIStatus.httpIdempotent : 0) | (request.isAuthenticated ? 0 : ABIStatus.httpNoAuth),
                timeoutMilliseconds: request.timeoutMilliseconds, method: request.method, url: request.url,
                requestClass: request.requestClass,
                headers: request.headers.map { WireHeader($0.name, $0.value) }, body: request.body))
        let answer: WireAnswer? = monitor.withLock {
            while self.answer == nil, !session.hasEnded { monitor.wait() }
            defer { self.answer = nil }
            return self.answer
        }
        guard let answer else { return .failure(AttemptFailure(.cancelled, "")) }
        guard answer.status == ABIStatus.ok else { return .failure(AttemptFailure(AttemptStatus(abi: answer.status), "")) }
        return .success(PluginResponse(status: answer.remoteStatus, headers: answer.headers.map { ($0.name, $0.value) }, body: answer.body))
    }

    func hmacMatches(algorithm: UInt32, message: [UInt8], expected: [UInt8]) -> AttemptStatus {
        session.hash(algorithm: algorithm, message: message, expected: expected)
        let status: Int32? = monitor.withLock {
            while verdict == nil, !session.hasEnded { monitor.wait() }
            defer { verdict = nil }
            return verdict
        }
        return status.map { AttemptStatus(abi: $0) } ?? .cancelled
    }

    func violation(_ what: String) { note(what) }

    private func note(_ rule: String?) {
        guard let rule else { return }
        monitor.withLock { if violated == nil { violated = rule } }
    }
}
