// One running operation as the daemon sees it, the same for both hosts: what the plugin emitted, why it failed, how long it
// may still run. The host feeds it from its own threads; the task that asked for the operation waits for its end. Everything
// that comes in is checked here once more, as it may come from code nobody vouches for.

import BerthModel
import BerthSeams
import BerthWire
import Logging
import Synchronization

/// A running operation.
final class OperationSession: Sendable {
    /// What kind of operation, as far as results differ.
    enum Kind: Sendable, Hashable {
        case events(count: Int)
        case read
        case perform
        case check
        case verify
    }

    /// One checkpoint with what was emitted before it.
    struct Page: Sendable {
        var records: [RecordChange]
        var checkpoint: Checkpoint
    }

    private struct State {
        var end: OperationEnd?
        var waiter: CheckedContinuation<OperationEnd, Never>?
        var deadline: UInt64
        var isCancelled = false
        var isExpired = false
        var isForced = false
        var records: [[RecordChange]]
        var emittedBytes = 0
        var failures: [Int: WireFailure] = [:]
        var general: WireFailure?
        /// What the host itself finds wrong; goes before what the plugin says.
        var hostFailure: AttemptFailure?
        var answerFailure: AttemptFailure?
        var lastStream: (text: String, name: StreamName)?
        var page: [RecordChange] = []
        var pagesOutstanding = 0
        var requests: [Task<Void, Never>] = []
        var requestsInFlight = 0
        var reply: [UInt8] = []
        var lastItem: UInt32?
    }

    let operation: UInt64
    let kind: Kind
    let instance: PluginInstance
    let manifest: PluginManifest
    let pages: AsyncStream<Page>
    private let pageFeed: AsyncStream<Page>.Continuation
    private let services: OperationServices
    private let eventIDs: [EventID]
    private let state: Mutex<State>
    private let deadlineNanoseconds: UInt64
    private let portBox: Mutex<(any OperationPort)?>

    init(
        operation: UInt64, kind: Kind, instance: PluginInstance, manifest: PluginManifest, deadlineSeconds: Int,
        services: OperationServices,
        eventIDs: [EventID] = []
    ) {
        self.eventIDs = eventIDs
        self.operation = operation
        self.kind = kind
        self.instance = instance
        self.manifest = manifest
        self.services = services
        deadlineNanoseconds = MonotonicTime.seconds(deadlineSeconds)
        (pages, pageFeed) = AsyncStream.makeStream()
        let items = if case .events(let count) = kind { count } else { 1 }
        state = Mutex(State(deadline: MonotonicTime.now() + deadlineNanoseconds, records: Array(repeating: [], count: items)))
        portBox = Mutex(nil)
    }

    /// Milliseconds the plugin has.
    var deadlineMilliseconds: UInt32 { UInt32(clamping: deadlineNanoseconds / 1_000_000) }

    // MARK: The asking task

    /// Begins to count the time; `port` is the way back to the code.
    func begin(on port: any OperationPort) {
        portBox.withLock { $0 = port }
        let deadline = state.withLock { state in
            state.deadline = MonotonicTime.now() + deadlineNanoseconds
            return state.deadline
        }
        services.watch.add(self, deadline: deadline)
        if state.withLock({ $0.end != nil }) { services.watch.remove(self) }
    }

    /// Waits for the end. Cancelling the task asks the plugin to end soon, and waits on.
    func waitForEnd() async -> OperationEnd {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let end: OperationEnd? = state.withLock { state in
                    if state.end == nil { state.waiter = continuation }
                    return state.end
                }
                if let end { continuation.resume(returning: end) }
            }
        } onCancel: {
            cancel()
        }
    }

    /// Asks the plugin to end soon; by force after the grace.
    func cancel() {
        let isFirst = state.withLock { state in
            guard !state.isCancelled, state.end == nil else { return false }
            state.isCancelled = true
            state.deadline = min(state.deadline, MonotonicTime.now())
            return true
        }
        guard isFirst else { return }
        cancelWork()
        services.watch.hurry()
    }

    /// A page is durable, or the read must end because it cannot be made so.
    func acknowledgePage(_ failure: AttemptFailure?) {
        state.withLock { state in
            state.pagesOutstanding -= 1
            state.deadline = MonotonicTime.now() + deadlineNanoseconds
            if let failure, state.hostFailure == nil { state.hostFailure = failure }
        }
        port?.checkpointed(operation, status: failure == nil ? ABIStatus.ok : ABIStatus.cancelled)
        if failure != nil { cancel() }
    }

    // MARK: The host

    private var port: (any OperationPort)? { portBox.withLock { $0 } }

    /// The operation has ended. Later calls change nothing.
    func finish(_ end: OperationEnd) {
        let (waiter, requests): (CheckedContinuation<OperationEnd, Never>?, [Task<Void, Never>]) = state.withLock { state in
            guard state.end == nil else { return (nil, []) }
            state.end = end
            defer {
                state.waiter = nil
                state.requests = []
            }
            return (state.waiter, state.requests)
        }
        services.watch.remove(self)
        for request in requests { request.cancel() }
        pageFeed.finish()
        portBox.withLock { $0 = nil }
        waiter?.resume(returning: end)
    }

    /// Whether it is over; calls of a plugin that goes on all the same are to fail.
    var hasEnded: Bool { state.withLock { $0.end != nil } }

    /// The watch's look: asks to end at the deadline, ends by force after the grace.
    func look(now: UInt64) -> DeadlineWatch.Look {
        enum Step { case nothing(DeadlineWatch.Look), ask(UInt64), force }
        let step: Step = state.withLock { state in
            guard state.end == nil, !state.isForced else { return .nothing(.never) }
            let force = state.deadline + services.limits.graceNanoseconds
            if state.isCancelled || state.isExpired {
                guard now >= force else { return .nothing(.later(force)) }
                state.isForced = true
                return .force
            }
            // The host's own time does not count: a page being stored, a request waiting for its rate limit.
            if kind == .read, state.pagesOutstanding >= WireLimits.checkpointWindow || state.requestsInFlight > 0 {
                state.deadline = now + deadlineNanoseconds
            }
            guard now >= state.deadline else { return .nothing(.later(state.deadline)) }
            state.isExpired = true
            return .ask(force)
        }
        switch step {
        case .nothing(let look): return look
        case .ask(let force):
            cancelWork()
            return .later(force)
        case .force:
            port?.endByForce(operation)
            return .never
        }
    }

    private func cancelWork() {
        let requests = state.withLock { $0.requests }
        for request in requests { request.cancel() }
        port?.cancel(operation)
    }

    /// Records came. Answers what rule they break, if any.
    func emitted(_ records: [WireRecord]) -> String? {
        state.withLock { state in
            guard state.end == nil else { return nil }
            for record in records {
                if let broken = take(record, &state) { return broken }
            }
            return nil
        }
    }

    private func take(_ record: WireRecord, _ state: inout State) -> String? {
        let index: Int
        switch kind {
        case .events(let count):
            guard record.item < count else { return "emitted a record for item \(record.item) of a batch of \(count)" }
            index = Int(record.item)
            state.lastItem = record.item
        case .read, .perform:
            guard record.item == WireLimits.noItem || kind == .perform && record.item == 0 else {
                return "emitted a record for item \(record.item) outside a batch"
            }
            index = 0
        case .check, .verify: return "emitted a record in a \(kind == .check ? "credential check" : "verification")"
        }
        guard let name = streamName(record.stream, &state) else {
            fail(index, "the plugin emitted a record of stream '\(record.stream.prefix(64))', which its manifest does not declare", &state)
            return nil
        }
        guard !record.key.isEmpty, record.key.utf8.count <= WireLimits.keyBytesMax, !record.key.utf8.contains(0) else {
            fail(index, "the plugin emitted a record of stream \(name) with an empty, overlong or NUL-holding key", &state)
            return nil
        }
        let size = record.payload.count + record.raw.count
        guard size <= services.limits.recordBytesMax else {
            fail(index, "the plugin emitted a record of \(size) bytes, \(services.limits.recordBytesMax) are allowed", &state)
            return nil
        }
        guard (record.kind == 2 || !record.payload.isEmpty), Self.isUTF8(record.payload), Self.isUTF8(record.raw) else {
            fail(index, "the plugin emitted a record of stream \(name) whose payload is empty or not UTF-8", &state)
            return nil
        }
        state.emittedBytes += size + record.key.utf8.count + 64
        guard state.emittedBytes <= services.limits.pageBytesMax else {
            fail(index, "the plugin emitted more than \(services.limits.pageBytesMax >> 20) MiB without a checkpoint", &state)
            state.page = []
            return nil
        }
        let change = RecordChange(
            kind: record.kind == 2 ? .delete : .upsert, stream: name, externalID: record.key,
            sourceTime: record.sourceTime == WireLimits.noTime ? nil : Timestamp(milliseconds: record.sourceTime), payload: record.payload,
            raw: record.raw)
        if kind == .read { state.page.append(change) } else { state.records[index].append(change) }
        return nil
    }

    private func streamName(_ text: String, _ state: inout State) -> StreamName? {
        if let last = state.lastStream, last.text == text { return last.name }
        guard let name = StreamName(text), manifest.stream(name) != nil else { return nil }
        state.lastStream = (text, name)
        return name
    }

    private func fail(_ index: Int, _ message: String, _ state: inout State) {
        if case .events = kind {
            state.failures[index] = WireFailure(
                status: ABIStatus.internal, item: UInt32(index), remoteStatus: 0, retryAfterMilliseconds: 0, message: message,
                remoteCode: "",
                fields: [])
            state.records[index] = []
            hostMarks(index, &state)
        } else if state.hostFailure == nil {
            state.hostFailure = AttemptFailure(.internal, message)
        }
    }

    /// Items that the host itself failed, whatever status the plugin gives them.
    private func hostMarks(_ index: Int, _ state: inout State) {
        state.failures[index]?.fields = Self.hostMark
    }
    private static let hostMark: [UInt8] = Array("host".utf8)

    private static func isUTF8(_ bytes: [UInt8]) -> Bool { (try? UTF8Span(validating: bytes.span)) != nil }  // the place of the wrong byte is of no use

    /// A checkpoint came. Answers what rule it breaks, if any.
    func checkpoint(schema: UInt32, state bytes: [UInt8]) -> String? {
        guard kind == .read else { return "made a checkpoint outside a read" }
        enum Step { case page(Page), refused, broken(String), late }
        let step: Step = state.withLock { state in
            guard state.end == nil else { return .late }
            guard state.pagesOutstanding < WireLimits.checkpointWindow else {
                return .broken("made a checkpoint without waiting for earlier ones")
            }
            guard bytes.count <= WireLimits.checkpointBytesMax else { return .broken("made a checkpoint of \(bytes.count) bytes") }
            guard state.hostFailure == nil, !state.isCancelled else { return .refused }
            let page = Page(records: state.page, checkpoint: Checkpoint(schema: schema, state: bytes))
            state.page = []
            state.emittedBytes = 0
            state.pagesOutstanding += 1
            state.deadline = MonotonicTime.now() + deadlineNanoseconds
            return .page(page)
        }
        switch step {
        case .page(let page): pageFeed.yield(page)
        case .refused: port?.checkpointed(operation, status: ABIStatus.cancelled)
        case .broken(let rule): return rule
        case .late: break
        }
        return nil
    }

    /// Details of a failure came. Answers what rule they break, if any.
    func failed(_ failure: WireFailure) -> String? {
        state.withLock { state in
            guard state.end == nil else { return nil }
            guard failure.item != WireLimits.noItem else {
                state.general = failure
                return nil
            }
            guard case .events(let count) = kind else {
                state.general = failure
                return nil
            }
            guard failure.item < count else { return "reported a failure of item \(failure.item) of a batch of \(count)" }
            let index = Int(failure.item)
            state.lastItem = failure.item
            if state.failures[index]?.fields != Self.hostMark { state.failures[index] = failure }
            return nil
        }
    }

    /// The result document came.
    func replied(_ json: [UInt8]) { state.withLock { $0.reply = json } }

    /// One line of the plugin's log.
    func logged(_ level: UInt32, _ text: String) { services.log(level, text, instance, operation: operation) }

    /// A request to the provider; the answer goes back through the port.
    func requested(_ request: WireRequest) {
        guard kind != .verify else {
            port?.answered(operation, WireAnswer(status: ABIStatus.denied, remoteStatus: 0, headers: [], body: []))
            return
        }
        let asked = ProviderRequest(
            method: request.method, url: request.url, headers: request.headers.map { ($0.name, $0.value) }, body: request.body,
            timeout: timeout(of: request), requestClass: request.requestClass.isEmpty ? nil : request.requestClass,
            isIdempotent: request.flags & ABIStatus.httpIdempotent != 0, isAuthenticated: request.flags & ABIStatus.httpNoAuth == 0)
        let target = OutboundTarget(
            connection: instance.connection, provider: instance.provider, baseURL: instance.baseURL, http: manifest.http,
            credential: instance.credential)
        let isCancelled = state.withLock { state in
            guard !state.isCancelled, !state.isExpired, state.end == nil else { return true }
            state.requestsInFlight += 1
            let task = Task { [services] in
                let result = await services.outbound.send(asked, for: target)
                self.answered(result)
            }
            state.requests.append(task)
            return false
        }
        if isCancelled { port?.answered(operation, WireAnswer(status: ABIStatus.cancelled, remoteStatus: 0, headers: [], body: [])) }
    }

    private func timeout(of request: WireRequest) -> Duration? {
        let asked: Duration? = request.timeoutMilliseconds == 0 ? nil : .milliseconds(Int64(clamping: request.timeoutMilliseconds))
        guard kind != .read else { return asked }
        // What answers events, actions and people may not outlast its operation.
        let left = state.withLock { Int64(clamping: ($0.deadline &- min($0.deadline, MonotonicTime.now())) / 1_000_000) }
        let rest: Duration = .milliseconds(max(1, left))
        return min(asked ?? .seconds(manifest.http.timeoutSeconds), rest)
    }

    private func answered(_ result: Result<ProviderResponse, AttemptFailure>) {
        state.withLock { state in
            state.requestsInFlight -= 1
            if state.requestsInFlight == 0 { state.requests = [] }
            if kind == .read { state.deadline = MonotonicTime.now() + deadlineNanoseconds }
            if case .failure(let failure) = result { state.answerFailure = failure } else { state.answerFailure = nil }
        }
        switch result {
        case .success(let response):
            port?.answered(
                operation,
                WireAnswer(
                    status: ABIStatus.ok, remoteStatus: UInt32(clamping: response.status),
                    headers: response.headers.prefix(WireLimits.headersMax).map { WireHeader($0.name, $0.value) }, body: response.body))
        case .failure(let failure):
            port?.answered(
                operation,
                WireAnswer(status: failure.status.abi, remoteStatus: UInt32(clamping: failure.remoteStatus ?? 0), headers: [], body: []))
        }
    }

    /// A keyed hash to judge; the verdict goes back through the port.
    func hash(algorithm: UInt32, message: [UInt8], expected: [UInt8]) {
        state.withLock { state in
            guard state.end == nil else { return }
            state.requests.append(
                Task { [services, instance] in
                    let status = await services.hashes.judge(
                        algorithm: algorithm, message: message, expected: expected, of: instance.connection)
                    self.port?.judgedHash(self.operation, status: status)
                })
        }
    }

    // MARK: Results

    /// Events of a batch; 0 for other operations.
    var itemCount: Int { if case .events(let count) = kind { count } else { 0 } }

    /// What a death during this operation is blamed on: the event, or the operation's kind and connection.
    func blame(item: Int?) -> String {
        if let item, item < eventIDs.count { return "\(eventIDs[item])" }
        if let first = eventIDs.first { return "\(first)" }
        return "\(instance.connection)"
    }

    /// What became of a batch.
    func batchOutcome(_ end: OperationEnd, count: Int) -> BatchOutcome {
        state.withLock { state in
            switch end {
            case .verdict(let failure, let item):
                return BatchOutcome(
                    outcomes: Array(repeating: EventOutcome(failure: failure, records: []), count: count),
                    suspect: item ?? state.lastItem.map(Int.init))
            case .returned(let status, let statuses):
                return BatchOutcome(
                    outcomes: (0..<count).map { index in
                        var own = index < statuses.count ? statuses[index] : ABIStatus.internal
                        // Unset ones share the call's own status, unless the plugin gave this item a reason of its own.
                        if own == ABIStatus.internal, status != ABIStatus.ok, state.failures[index] == nil { own = status }
                        let detail = state.failures[index]
                        if own == ABIStatus.ok, detail?.fields != Self.hostMark {
                            return EventOutcome(failure: nil, records: state.records[index])
                        }
                        if detail?.fields == Self.hostMark { own = ABIStatus.internal }
                        return EventOutcome(failure: failure(own, detail ?? state.general, state), records: [])
                    })
            }
        }
    }

    /// Why an operation without items failed; nil: it did not.
    func failure(of end: OperationEnd) -> AttemptFailure? {
        state.withLock { state in
            switch end {
            case .verdict(let failure, _): return state.hostFailure ?? failure
            case .returned(let status, _):
                if let failure = state.hostFailure { return failure }
                return status == ABIStatus.ok ? nil : failure(status, state.general, state)
            }
        }
    }

    /// Records and reply of an action that ended well.
    var result: (records: [RecordChange], reply: [UInt8]) { state.withLock { ($0.records[0], $0.reply) } }

    private func failure(_ status: Int32, _ detail: WireFailure?, _ state: State) -> AttemptFailure {
        var verdict = AttemptStatus(abi: status)
        if verdict == .ok { verdict = .internal }
        if verdict == .cancelled, state.isExpired, !state.isCancelled {
            return AttemptFailure(.timeout, "did not finish within \(deadlineNanoseconds / 1_000_000_000) s")
        }
        // The loader repeats a failed request's status without words; the words are here already.
        if detail?.message.isEmpty ?? true, let answer = state.answerFailure, answer.status == verdict { return answer }
        guard let detail else {
            return AttemptFailure(verdict, "the plugin answered \(verdict.rawValue) and gave no reason")
        }
        return AttemptFailure(
            verdict, detail.message.isEmpty ? "the plugin answered \(verdict.rawValue)" : detail.message,
            remoteStatus: detail.remoteStatus == 0 ? nil : Int(detail.remoteStatus),
            remoteCode: detail.remoteCode.isEmpty ? nil : detail.remoteCode,
            retryAfterMilliseconds: detail.retryAfterMilliseconds == 0 ? nil : detail.retryAfterMilliseconds)
    }
}
