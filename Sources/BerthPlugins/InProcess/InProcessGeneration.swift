// A generation whose code runs in the daemon: for reviewed plugins that want the last microsecond. A crash there is the daemon's
// crash, and what hangs cannot be killed: its thread is given up.

import BerthLoader
import BerthModel
import BerthSeams
import BerthWire
import Logging
import Synchronization

/// Hosts a generation in this process.
final class InProcessGeneration: GenerationHost {
    /// An instance, made by the first thread that needs it.
    private final class Place: Sendable {
        let instance = Mutex<LoadedInstance?>(nil)
        let gate: AsyncGate
        let running = Mutex<(count: Int, isForgotten: Bool)>((0, false))
        init(limit: Int) { gate = AsyncGate(limit: limit) }
    }

    private let image: SealedImage
    private let manifest: PluginManifest
    private let place: String
    private let threads: OperationThreads
    private let plugin = Mutex<Result<LoadedPlugin, BerthError>?>(nil)
    private let places = Mutex<[InstanceKey: Place]>([:])
    private let sessions = Mutex<[UInt64: OperationSession]>([:])
    private let deaths: @Sendable (WorkerDeath, _ blamed: String?) -> Void
    private let retired = Atomic(false)

    init(
        image: SealedImage, manifest: PluginManifest, place: String, threads: OperationThreads,
        deaths: @escaping @Sendable (WorkerDeath, _ blamed: String?) -> Void
    ) {
        self.image = image
        self.manifest = manifest
        self.place = place
        self.threads = threads
        self.deaths = deaths
    }

    var workers: [Int32] { [] }
    var isRestarting: Bool { false }

    func start() async throws(BerthError) {
        if let loaded = plugin.withLock({ $0 }) {
            _ = try loaded.get()
            return
        }
        let result: Result<LoadedPlugin, BerthError> = await withCheckedContinuation { continuation in
            let begun = threads.run {
                // Loading blocks and runs plugin code. Two starts at once load once: the second waits for the lock.
                let result = self.plugin.withLock { plugin in
                    if let plugin { return plugin }
                    let result: Result<LoadedPlugin, BerthError>
                    do throws(LoadRefusal) { result = .success(try LoadedPlugin.load(self.image, named: self.place)) } catch {
                        result = .failure(error.error)
                    }
                    plugin = result
                    return result
                }
                continuation.resume(returning: result)
            }
            if !begun { continuation.resume(returning: .failure(Self.noThread)) }
        }
        _ = try result.get()
    }

    private static let noThread = BerthError(
        "overloaded", "no thread could be made for a plugin operation", hint: "check limits on threads", isRetryable: true)

    func run(_ work: HostMessage.Work, _ session: OperationSession, lane: InstanceLane) async -> OperationEnd {
        let loaded: LoadedPlugin
        do {
            try await start()
            guard case .success(let plugin)? = plugin.withLock({ $0 }) else {
                return .verdict(AttemptFailure(.retry, "the plugin is not loaded"), item: nil)
            }
            loaded = plugin
        } catch { return .verdict(AttemptFailure(.retry, error.message), item: nil) }
        let key = InstanceKey(session.instance, lane)
        let place = places.withLock { places in
            if let place = places[key] { return place }
            let place = Place(limit: manifest.runtime.maxConcurrency)
            places[key] = place
            return place
        }
        guard await place.gate.enter() else { return .verdict(AttemptFailure(.cancelled, "cancelled before it began"), item: nil) }
        defer { place.gate.leave() }
        place.running.withLock { $0.count += 1 }
        let operation = InProcessOperation(session)
        sessions.withLock { $0[session.operation] = session }
        session.begin(on: operation)
        let begun = threads.run {
            let made: Result<LoadedInstance, AttemptFailure> = place.instance.withLock { instance in
                if let instance { return .success(instance) }
                let made = loaded.makeInstance(connection: key.connection.description, settings: key.settings, baseURL: key.baseURL)
                if case .success(let new) = made { instance = new }
                return made
            }
            switch made {
            case .failure(let failure): session.finish(.verdict(failure, item: nil))
            case .success(let instance):
                let end = PluginCall.perform(work, on: instance, operation)
                session.finish(operation.verdict(or: end))
            }
            self.leave(place)
        }
        if !begun {
            session.finish(.verdict(AttemptFailure(.retry, Self.noThread.message), item: nil))
            leave(place)
        }
        let end = await session.waitForEnd()
        _ = sessions.withLock { $0.removeValue(forKey: session.operation) }
        if case .verdict(let failure, let item) = end {
            switch failure.status {
            case .hung: deaths(.hung, session.blame(item: item))
            case .contractViolation: deaths(.violation(failure.message), session.blame(item: item))
            default: break
            }
        }
        return end
    }

    private func leave(_ place: Place) {
        let isLast = place.running.withLock { running in
            running.count -= 1
            return running.isForgotten && running.count == 0
        }
        if isLast { destroy(place) }
    }

    private func destroy(_ place: Place) {
        let instance = place.instance.withLock { instance in
            defer { instance = nil }
            return instance
        }
        instance?.destroy()
    }

    func forget(_ connection: ConnectionID) {
        let gone = places.withLock { places in
            let gone = places.filter { $0.key.connection == connection }.map(\.value)
            places = places.filter { $0.key.connection != connection }
            return gone
        }
        for place in gone {
            let isIdle = place.running.withLock { running in
                running.isForgotten = true
                return running.count == 0
            }
            if isIdle, !threads.run({ self.destroy(place) }) { continue }  // without a thread the instance stays until the daemon ends
        }
    }

    func rest() {}

    func retire() { retired.store(true, ordering: .relaxed) }

    var isRetired: Bool { retired.load(ordering: .relaxed) }

    func stop() async {
        for session in sessions.withLock({ Array($0.values) }) { session.cancel() }
    }
}
