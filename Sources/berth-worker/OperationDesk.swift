// Takes the daemon's messages: makes instances, gives operations to threads, hands answers to those that wait for them.

import BerthLoader
import BerthModel
import BerthWire
import CBerthLinux
import Glibc
import Synchronization

/// The worker's main loop.
final class OperationDesk: Sendable {
    private let plugin: LoadedPlugin
    private let link: DaemonLink
    private let progress: ProgressPage
    private let threads: OperationThreads
    private let instances = Mutex<[UInt64: LoadedInstance]>([:])
    private let operations = Mutex<[UInt64: RunningOperation]>([:])

    /// Stack of an operation's thread. Virtual; only what is used costs memory.
    private static let stackBytes = 1 << 20

    init(plugin: LoadedPlugin, link: DaemonLink, progress: ProgressPage) {
        self.plugin = plugin
        self.link = link
        self.progress = progress
        threads = OperationThreads(limit: UInt32(WireLimits.operationsMax), stackBytes: Self.stackBytes, name: "berth-operation")
    }

    /// Serves until the daemon closes the socket.
    func serve() -> Never {
        while let (message, operation) = link.receive() {
            switch message {
            case .hello: break
            case .createInstance(let connection, let settings, let baseURL):
                run { self.create(operation, connection, settings, baseURL) }
            case .destroyInstance:
                let instance = instances.withLock { $0.removeValue(forKey: operation) }
                if let instance { run { instance.destroy() } }
            case .begin(let start, let work): begin(operation, start, work)
            case .cancel: find(operation)?.cancel()
            case .checkpointed(let status): find(operation)?.checkpointed(status)
            case .answer(let answer): find(operation)?.answered(answer)
            case .hmacVerdict(let status): find(operation)?.judged(status)
            }
        }
        // Without the daemon nothing that runs here can take effect any more.
        _exit(0)
    }

    private func run(_ job: @escaping @Sendable () -> Void) {
        guard threads.run(job) else { _exit(72) }  // not one thread can be made: the address space is used up
    }

    private func find(_ operation: UInt64) -> RunningOperation? { operations.withLock { $0[operation] } }

    private func create(_ number: UInt64, _ connection: String, _ settings: [UInt8], _ baseURL: String) {
        switch plugin.makeInstance(connection: connection, settings: settings, baseURL: baseURL) {
        case .success(let instance):
            instances.withLock { $0[number] = instance }
            link.send(.instance(status: 0, message: ""), operation: number)
        case .failure(let failure):
            link.send(.instance(status: max(1, failure.status.abi), message: String(failure.message.prefix(1000))), operation: number)
        }
    }

    private func begin(_ number: UInt64, _ start: HostMessage.Start, _ work: HostMessage.Work) {
        guard let instance = instances.withLock({ $0[start.instance] }) else {
            link.send(.done(status: AttemptStatus.internal.abi, statuses: []), operation: number)
            return
        }
        let operation = RunningOperation(number, start, link: link, progress: progress)
        operations.withLock { $0[number] = operation }
        run {
            let (status, statuses) = Self.perform(work, on: instance, operation, self.progress, start.slot)
            _ = self.operations.withLock { $0.removeValue(forKey: number) }
            operation.finish(status, statuses)
        }
    }

    private static func perform(
        _ work: HostMessage.Work, on instance: LoadedInstance, _ operation: RunningOperation, _ progress: ProgressPage, _ slot: UInt32
    ) -> (Int32, [Int32]) {
        switch work {
        case .handle(let events):
            let seen = progress.statuses(slot: slot, count: events.count)
            return (0, instance.handle(events.map(PluginEvent.init), seen: seen, operation).map(\.abi))
        case .read(let stream, let mode, let since, let until, let schema, let state):
            let checkpoint = state.isEmpty ? nil : Checkpoint(schema: schema, state: state)
            let status = instance.read(
                stream: stream, mode: mode, since: since == WireLimits.noTime ? nil : since, until: until, checkpoint: checkpoint, operation
            )
            return (status.abi, [])
        case .perform(let name, let input, let idempotencyKey):
            return (instance.perform(name: name, input: input, idempotencyKey: idempotencyKey, operation).abi, [])
        case .check: return (instance.check(operation).abi, [])
        case .verify(let event): return (instance.verify(PluginEvent(event), operation).abi, [])
        case .write(let stream, let records):
            let statuses = instance.write(
                stream: stream,
                records: records.map { (RecordChange.Kind(rawValue: $0.kind) ?? .upsert, $0.key, $0.idempotencyKey, $0.payload) }, operation
            )
            return (0, statuses.map(\.abi))
        }
    }
}

extension PluginEvent {
    init(_ event: WireEvent) {
        self.init(
            id: event.id, attempt: event.attempt, receivedAt: event.receivedAt, kind: event.kind, method: event.method, query: event.query,
            headers: event.headers.map { ($0.name, $0.value) }, body: event.body)
    }
}
