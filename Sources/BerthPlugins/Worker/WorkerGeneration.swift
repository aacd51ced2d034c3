// A generation whose code runs in a worker: one process at a time, shared by all connections, started when first needed,
// started again when it dies, its instances made again as they are needed.

import BerthLoader
import BerthModel
import BerthSeams
import BerthWire
import Logging
import Synchronization

/// How workers are started.
struct WorkerSetup: Sendable {
    /// Path of berth-worker.
    var executable: String
    /// Whether a worker may run without Landlock or seccomp.
    var isBestEffort: Bool
    /// How long loading may take.
    var startSeconds = 20
}

/// Hosts a generation in worker processes.
final class WorkerGeneration: GenerationHost {
    private struct Instance {
        var number: UInt64
        var state: Readiness
        var waiters: [CheckedContinuation<AttemptFailure?, Never>] = []
        enum Readiness { case asked, ready, refused(AttemptFailure) }
    }

    private enum Phase {
        case down
        case waiting(until: UInt64)
        case starting(WorkerProcess)
        case up(WorkerProcess)
        case stopped
    }

    private struct State {
        var phase = Phase.down
        var startWaiters: [CheckedContinuation<BerthError?, Never>] = []
        /// Why the plugin was not loaded; asked again only by a new start.
        var refusal: BerthError?
        var bornAt: UInt64 = 0
        var backoff = RestartBackoff()
        var instances: [InstanceKey: Instance] = [:]
        var nextInstance: UInt64 = 1
        var operations: [UInt64: (session: OperationSession, slot: Int, instance: UInt64)] = [:]
        var freeSlots = Array((0..<WireLimits.operationsMax).reversed())
        var gates: [InstanceKey: AsyncGate] = [:]
        var leaving: Set<UInt64> = []
        /// To be let go when nothing runs any more.
        var rests = false
        /// To be let go for good then.
        var isRetired = false
        /// The plugin itself said no, which no new start will change.
        var isRefused = false
    }

    private let image: SealedImage
    private let manifest: PluginManifest
    private let setup: WorkerSetup
    private let logger: Logger
    private let deaths: @Sendable (WorkerDeath, _ blamed: String?) -> Void
    private let state = Mutex(State())
    private let slots = AsyncGate(limit: WireLimits.operationsMax)

    /// `deaths` hears of every end that was not asked for, with what was being worked on.
    init(
        image: SealedImage, manifest: PluginManifest, setup: WorkerSetup, logger: Logger,
        deaths: @escaping @Sendable (WorkerDeath, _ blamed: String?) -> Void
    ) {
        self.image = image
        self.manifest = manifest
        self.setup = setup
        self.logger = logger
        self.deaths = deaths
    }

    var workers: [Int32] {
        state.withLock { state in
            switch state.phase {
            case .up(let worker), .starting(let worker): [worker.pid]
            case .down, .waiting, .stopped: []
            }
        }
    }

    var isRestarting: Bool {
        state.withLock { state in
            switch state.phase {
            case .waiting, .starting: true
            case .up(let worker): worker.isDoomed
            case .down, .stopped: false
            }
        }
    }

    // MARK: Starting

    func start() async throws(BerthError) { _ = try await running() }

    /// The worker that runs now, started if there is none; waits out a pause after a death.
    private func running() async throws(BerthError) -> WorkerProcess {
        while true {
            enum Step { case use(WorkerProcess), begin, join, wait(UInt64), over }
            let step: Step = state.withLock { state in
                switch state.phase {
                case .up(let worker): return worker.isDoomed ? .wait(2_000_000) : .use(worker)
                case .starting: return .join
                case .stopped: return .over
                case .waiting(let until):
                    let now = MonotonicTime.now()
                    guard now >= until else { return .wait(until - now) }
                    state.phase = .down
                    return .begin
                case .down: return .begin
                }
            }
            switch step {
            case .use(let worker): return worker
            case .over: throw BerthError("plugin_stopped", "plugin \(manifest.id) was stopped", isRetryable: true)
            case .wait(let nanoseconds):
                do { try await Task.sleep(for: .nanoseconds(Int64(clamping: nanoseconds))) } catch {
                    throw BerthError("cancelled", "cancelled while plugin \(manifest.id) was restarting", isRetryable: true)
                }
            case .begin:
                try launch()
                if let problem = await joinStart() { throw problem }
            case .join: if let problem = await joinStart() { throw problem }
            }
        }
    }

    private func joinStart() async -> BerthError? {
        await withCheckedContinuation { continuation in
            let now: BerthError?? = state.withLock { state in
                guard case .starting = state.phase else { return .some(state.refusal) }
                state.startWaiters.append(continuation)
                return nil
            }
            if let now { continuation.resume(returning: now) }
        }
    }

    private func launch() throws(BerthError) {
        let problem: BerthError? = state.withLock { state in
            guard case .down = state.phase else { return nil }
            do throws(BerthError) {
                let worker = try WorkerProcess(
                    executable: setup.executable, name: manifest.id.text, image: image.descriptor, listener: self, logger: logger)
                try worker.start()
                worker.send(
                    .hello(
                        .init(provider: manifest.id.text, memoryMiB: UInt32(manifest.runtime.memoryMiB), isBestEffort: setup.isBestEffort)),
                    operation: 0)
                state.phase = .starting(worker)
                state.bornAt = MonotonicTime.now()
                state.refusal = nil
                state.isRefused = false
                state.rests = state.isRetired
                state.instances = [:]
                state.leaving = []
                Task { [setup, weak self, weak worker] in
                    try? await Task.sleep(for: .seconds(setup.startSeconds))  // nobody cancels it
                    // Weak: a worker that died long before must not keep its descriptors until now.
                    if let worker { self?.giveUpStarting(worker) }
                }
                return nil
            } catch { return error }
        }
        if let problem {
            // No process or thread could be made: as after a death.
            state.withLock { $0.phase = .waiting(until: MonotonicTime.now() + $0.backoff.wait(afterLife: 0, random: .random(in: 0..<1))) }
            throw problem
        }
    }

    private func giveUpStarting(_ worker: WorkerProcess) {
        let isStill = state.withLock { state in
            if case .starting(let current) = state.phase, current === worker { return true }
            return false
        }
        if isStill { worker.kill(.hung) }
    }

    // MARK: Operations

    func run(_ work: HostMessage.Work, _ session: OperationSession, lane: InstanceLane) async -> OperationEnd {
        let key = InstanceKey(session.instance, lane)
        let gate = state.withLock { state in
            if let gate = state.gates[key] { return gate }
            let gate = AsyncGate(limit: manifest.runtime.maxConcurrency)
            state.gates[key] = gate
            return gate
        }
        let cancelled = OperationEnd.verdict(AttemptFailure(.cancelled, "cancelled before it began"), item: nil)
        guard await gate.enter() else { return cancelled }
        defer { gate.leave() }
        guard await slots.enter() else { return cancelled }
        defer { slots.leave() }
        let worker: WorkerProcess
        do { worker = try await running() } catch {
            if Task.isCancelled { return cancelled }
            return .verdict(AttemptFailure(.retry, error.message), item: nil)
        }
        let (instance, failure) = await instance(key, worker)
        if let failure { return .verdict(failure, item: nil) }
        return await begin(work, session, worker, instance)
    }

    private func begin(_ work: HostMessage.Work, _ session: OperationSession, _ worker: WorkerProcess, _ instance: UInt64) async
        -> OperationEnd
    {
        let number = session.operation
        let slot: Int? = state.withLock { state in
            guard case .up(let current) = state.phase, current === worker, let slot = state.freeSlots.popLast() else { return nil }
            state.operations[number] = (session, slot, instance)
            return slot
        }
        guard let slot else { return .verdict(AttemptFailure(.crashed, "the plugin's worker died before it could begin"), item: nil) }
        let start = HostMessage.Start(instance: instance, deadlineMilliseconds: session.deadlineMilliseconds, slot: UInt32(slot))
        let frames = HostMessage.begin(start, work).frames(operation: number)
        let end: OperationEnd
        if frames.count <= WireLimits.messageBytesMax {
            worker.progress.clear(slot: slot, count: session.itemCount)
            session.begin(on: WorkerPort(worker: worker))
            worker.send(frames, isAnswer: false)
            end = await session.waitForEnd()
        } else {
            // Told to nobody's worker: it would have to take the daemon for broken.
            let text = "\(frames.count) bytes at once are more than a worker takes, which is \(WireLimits.messageBytesMax)"
            end = .verdict(AttemptFailure(.denied, text), item: nil)
        }
        let leaves: UInt64? = state.withLock { state in
            state.operations[number] = nil
            state.freeSlots.append(slot)
            guard state.leaving.contains(instance), !state.operations.values.contains(where: { $0.instance == instance }) else {
                return nil
            }
            state.leaving.remove(instance)
            return instance
        }
        if let leaves { worker.send(.destroyInstance, operation: leaves) }
        restIfIdle()
        return end
    }

    /// The instance's number, or why there is none.
    private func instance(_ key: InstanceKey, _ worker: WorkerProcess) async -> (UInt64, AttemptFailure?) {
        enum Step { case ready(UInt64), wait(UInt64), ask(UInt64), refused(UInt64, AttemptFailure), gone }
        let step: Step = state.withLock { state in
            guard case .up(let current) = state.phase, current === worker else { return .gone }
            if let instance = state.instances[key] {
                switch instance.state {
                case .ready: return .ready(instance.number)
                case .asked: return .wait(instance.number)
                case .refused: break  // asked again: the plugin may think otherwise now
                }
            }
            let number = state.nextInstance
            state.nextInstance += 1
            state.instances[key] = Instance(number: number, state: .asked)
            return .ask(number)
        }
        let number: UInt64
        switch step {
        case .gone: return (0, AttemptFailure(.crashed, "the plugin's worker died before it could begin"))
        case .ready(let ready): return (ready, nil)
        case .refused(let number, let failure): return (number, failure)
        case .wait(let asked): number = asked
        case .ask(let asked):
            number = asked
            worker.send(
                .createInstance(connection: key.connection.description, settings: key.settings, baseURL: key.baseURL), operation: number)
        }
        let failure: AttemptFailure? = await withCheckedContinuation { continuation in
            let now: AttemptFailure?? = state.withLock { state in
                guard var instance = state.instances[key], instance.number == number else {
                    return .some(AttemptFailure(.crashed, "the plugin's worker died while it made the instance"))
                }
                switch instance.state {
                case .ready: return .some(nil)
                case .refused(let failure): return .some(failure)
                case .asked:
                    instance.waiters.append(continuation)
                    state.instances[key] = instance
                    return nil
                }
            }
            if let now { continuation.resume(returning: now) }
        }
        return (number, failure)
    }

    func forget(_ connection: ConnectionID) {
        let (worker, idle): (WorkerProcess?, [UInt64]) = state.withLock { state in
            guard case .up(let worker) = state.phase else { return (nil, []) }
            var idle: [UInt64] = []
            for (key, instance) in state.instances where key.connection == connection {
                guard case .ready = instance.state else { continue }
                state.instances[key] = nil
                if state.operations.values.contains(where: { $0.instance == instance.number }) {
                    state.leaving.insert(instance.number)
                } else {
                    idle.append(instance.number)
                }
            }
            state.gates = state.gates.filter { $0.key.connection != connection }
            return (worker, idle)
        }
        for number in idle { worker?.send(.destroyInstance, operation: number) }
    }

    func rest() {
        state.withLock { $0.rests = true }
        restIfIdle()
    }

    func retire() {
        state.withLock { $0.isRetired = true }
        rest()
    }

    var isRetired: Bool { state.withLock { $0.isRetired } }

    private func restIfIdle() {
        let worker: WorkerProcess? = state.withLock { state in
            guard state.rests, state.operations.isEmpty, case .up(let worker) = state.phase else { return nil }
            state.phase = .down
            return worker
        }
        worker?.stop()
    }

    func stop() async {
        let worker: WorkerProcess? = state.withLock { state in
            defer { state.phase = .stopped }
            switch state.phase {
            case .up(let worker), .starting(let worker): return worker
            case .down, .waiting, .stopped: return nil
            }
        }
        worker?.stop()
    }
}

extension WorkerGeneration: WorkerListener {
    func worker(_ worker: WorkerProcess, said message: WorkerMessage, operation: UInt64) {
        switch message {
        case .ready: becameReady(worker)
        case .refused(let code, let message, let hint):
            wasRefused(BerthError(.init(rawValue: code), LogLine.clean(message), hint: LogLine.clean(hint)))
        case .instance(let status, let message): instanceAnswered(operation, status, message)
        case .violation: break  // WorkerProcess has killed it
        default:
            // An operation that has just ended here may still be speaking there.
            guard let session = state.withLock({ $0.operations[operation]?.session }) else { return }
            if let rule = Self.deliver(message, to: session) { worker.kill(.violation(rule), for: operation) }
        }
    }

    /// Answers the rule it breaks, if any.
    private static func deliver(_ message: WorkerMessage, to session: OperationSession) -> String? {
        switch message {
        case .log(let level, let text): session.logged(level, text)
        case .failed(let failure): return session.failed(failure)
        case .emitted(let records): return session.emitted(records)
        case .checkpoint(let schema, let state): return session.checkpoint(schema: schema, state: state)
        case .reply(let json): session.replied(json)
        case .request(let request): session.requested(request)
        case .hmac(let algorithm, let message, let expected): session.hash(algorithm: algorithm, message: message, expected: expected)
        case .done(let status, let statuses): session.finish(.returned(status: status, statuses: statuses))
        case .ready, .refused, .instance, .violation: break
        }
        return nil
    }

    private func becameReady(_ worker: WorkerProcess) {
        let waiters: [CheckedContinuation<BerthError?, Never>] = state.withLock { state in
            guard case .starting(let current) = state.phase, current === worker else { return [] }
            state.phase = .up(worker)
            defer { state.startWaiters = [] }
            return state.startWaiters
        }
        for waiter in waiters { waiter.resume(returning: nil) }
    }

    private func wasRefused(_ error: BerthError) {
        state.withLock { state in
            state.refusal = error
            state.isRefused = true
        }
    }

    private func instanceAnswered(_ number: UInt64, _ status: Int32, _ message: String) {
        let failure = status == 0 ? nil : AttemptFailure(AttemptStatus(abi: status), LogLine.clean(message))
        let waiters: [CheckedContinuation<AttemptFailure?, Never>] = state.withLock { state in
            guard let key = state.instances.first(where: { $0.value.number == number })?.key else { return [] }
            let waiters = state.instances[key]?.waiters ?? []
            state.instances[key]?.waiters = []
            state.instances[key]?.state = failure.map { .refused($0) } ?? .ready
            return waiters
        }
        for waiter in waiters { waiter.resume(returning: failure) }
    }

    func worker(_ worker: WorkerProcess, ended death: WorkerDeath) {
        struct Left {
            var sessions: [(session: OperationSession, slot: Int)] = []
            var instanceWaiters: [CheckedContinuation<AttemptFailure?, Never>] = []
            var startWaiters: [CheckedContinuation<BerthError?, Never>] = []
            var refusal: BerthError?
            var pause: UInt64 = 0
            var isRefused = false
        }
        let left: Left = state.withLock { state in
            var left = Left()
            switch state.phase {
            case .up(let current) where current === worker, .starting(let current) where current === worker: break
            case .stopped: break
            case .up, .starting, .down, .waiting: return left  // rested: another one may be there by now
            }
            left.sessions = state.operations.values.map { ($0.session, $0.slot) }
            left.instanceWaiters = state.instances.values.flatMap(\.waiters)
            state.instances = [:]
            state.leaving = []
            let life = MonotonicTime.now() - state.bornAt
            if case .starting = state.phase, state.refusal == nil {
                state.refusal = BerthError(
                    "worker_not_started", "the worker of plugin \(manifest.id) \(death.text) while it loaded",
                    hint: "berthctl plugin check \(manifest.id)",
                    isRetryable: true)
            }
            left.refusal = state.refusal
            left.startWaiters = state.startWaiters
            state.startWaiters = []
            if case .stopped = state.phase { return left }
            // Killed from outside is not the plugin's doing: it waits the shortest time and does not wait longer each time.
            if death == .signalled(9) { state.backoff = RestartBackoff() }
            left.pause = state.backoff.wait(afterLife: life, random: .random(in: 0..<1))
            left.isRefused = state.isRefused
            state.phase = .waiting(until: MonotonicTime.now() + left.pause)
            return left
        }
        let failure = AttemptFailure(death.status, "the plugin's worker \(death.text)")
        var blamed: String?
        let culprit = worker.culprit
        var ends: [(OperationSession, OperationEnd)] = []
        for (session, slot) in left.sessions {
            if let culprit, culprit != session.operation {
                ends.append(
                    (session, .verdict(AttemptFailure(.retry, "interrupted: the worker was killed for another operation"), item: nil)))
                continue
            }
            let item = worker.progress.item(slot: slot, count: session.itemCount)
            blamed = blamed ?? session.blame(item: item)
            ends.append((session, .verdict(failure, item: item)))
        }
        // Counted before anybody hears of it, so that whoever tries again finds the version judged.
        let isDeath = death != .stopped && !left.isRefused
        if isDeath { deaths(death, blamed) }
        for (session, end) in ends { session.finish(end) }
        for waiter in left.instanceWaiters { waiter.resume(returning: failure) }
        for waiter in left.startWaiters { waiter.resume(returning: left.refusal) }
        if isDeath, !isRetired {
            Task {
                // Ready again before the next operation asks; a failure is told to those that ask.
                _ = try? await self.running()
            }
        }
    }
}

extension WorkerDeath {
    /// What the operations it took with it end as.
    var status: AttemptStatus {
        switch self {
        case .exited, .signalled: .crashed
        case .violation: .contractViolation
        case .hung: .hung
        case .stopped: .cancelled
        }
    }
}

/// The way back to one worker's operations.
final class WorkerPort: OperationPort {
    private let worker: WorkerProcess

    init(worker: WorkerProcess) { self.worker = worker }

    func cancel(_ operation: UInt64) { worker.send(.cancel, operation: operation) }
    func endByForce(_ operation: UInt64) { worker.kill(.hung, for: operation) }
    func checkpointed(_ operation: UInt64, status: Int32) { worker.send(.checkpointed(status: status), operation: operation) }
    func answered(_ operation: UInt64, _ answer: WireAnswer) { worker.send(.answer(answer), operation: operation) }
    func judgedHash(_ operation: UInt64, status: Int32) { worker.send(.hmacVerdict(status: status), operation: operation) }
}
