// All plugins of the daemon: found, loaded, reloaded, rolled back. Which generation does the work is decided here; how an
// operation runs is in PluginRuntime+Operations.swift and the two hosts.

import BerthLoader
public import BerthModel
public import BerthSeams
import Foundation
public import Logging
import Synchronization

/// Hosts plugins.
public final class PluginRuntime: PluginHost {
    let configuration: PluginRuntimeConfiguration
    let services: OperationServices
    let operations = Atomic<UInt64>(0)
    /// Events of batches that brought their plugin down: handed over one by one until they have passed.
    let fragile = Mutex<Set<EventID>>([])
    private let logger: Logger
    private let define: Define
    private let threads = OperationThreads(limit: 128, stackBytes: 1 << 20, name: "berth-plugin")
    private let installed = Mutex<[ProviderName: InstalledPlugin]>([:])
    /// Bundles that were refused, by folder.
    private let refused = Mutex<[String: (name: String, problem: BerthError)]>([:])
    /// Loads happen one at a time.
    private let loading = AsyncGate(limit: 1)

    /// Makes room for a plugin's entities before it is put in service. Throws `conflict` or `invalid` when they don't go with what is
    /// kept: then the plugin is refused.
    public typealias Define = @Sendable ([EntityDefinition]) async throws(BerthError) -> Void

    private init(
        _ configuration: PluginRuntimeConfiguration, outbound: any Outbound, secrets: any SecretStore, logger: Logger,
        define: @escaping Define
    ) {
        self.configuration = configuration
        self.logger = logger
        self.define = define
        services = OperationServices(
            outbound: outbound, hashes: HashJudge(secrets: secrets, logger: logger), watch: DeadlineWatch(), limits: OperationLimits(),
            logger: logger)
    }

    /// Finds and loads all bundles. A broken one is shown as refused and stops no other. Without `define` nothing is kept of what
    /// plugins emit. Throws only what `define` throws and no plugin is to blame for.
    public static func start(
        _ configuration: PluginRuntimeConfiguration, outbound: any Outbound, secrets: any SecretStore, logger: Logger,
        define: @escaping Define = { (_) throws(BerthError) in }
    ) async throws(BerthError) -> PluginRuntime {
        let runtime = PluginRuntime(configuration, outbound: outbound, secrets: secrets, logger: logger, define: define)
        let found = runtime.readable(configuration.bundles())
        // A task each, and no group reduced into a dictionary: built with optimization (Swift 6.3.1) that kept one outcome of three.
        let loading = found.map { bundle in Task { await runtime.outcome(of: bundle) } }
        var loaded: [Result<PluginGeneration, BerthError>] = []
        for task in loading { loaded.append(await task.value) }
        // One after the other: of two that claim one entity it is always the same that gets it.
        for (index, bundle) in found.enumerated() {
            let result = loaded[index]
            do throws(BerthError) { _ = try await runtime.putInService(try result.get()) } catch {
                if case .success = result, !error.isOfEntity {
                    await runtime.stop()
                    throw error
                }
                runtime.refuse(bundle.path, bundle.manifest.id.text, error)
            }
        }
        return runtime
    }

    private func outcome(of bundle: PluginBundle) async -> Result<PluginGeneration, BerthError> {
        do throws(BerthError) { return .success(try await bringUp(bundle)) } catch { return .failure(error) }
    }

    /// The bundles to load; the others are noted as refused.
    private func readable(_ findings: [BundleDirectory.Finding]) -> [PluginBundle] {
        findings.compactMap { finding in
            switch finding.result {
            case .failure(let problem):
                refuse(finding.path, finding.name, problem)
                return nil
            case .success(let bundle):
                guard copy(of: bundle.manifest.id).isRemoved else { return bundle }
                logger.notice(
                    "plugin was removed",
                    metadata: ["plugin": "\(bundle.manifest.id)", "hint": "berthctl plugin reload brings it back"])
                return nil
            }
        }
    }

    /// Ends all workers; operations still running are cancelled.
    public func stop() async {
        let all = installed.withLock { installed in installed.values.flatMap { [$0.current, $0.previous].compactMap { $0 } } }
        for generation in all { await generation.host.stop() }
    }

    /// Where an installed bundle of that id is or would be.
    private func copy(of id: ProviderName) -> BundleCopy { BundleCopy(to: "\(configuration.managedDirectory)/\(id)") }

    // MARK: Looking

    public func manifest(of provider: ProviderName) -> PluginManifest? {
        installed.withLock { $0[provider]?.current?.manifest }
    }

    public func plugins() async -> [PluginStatus] {
        let good = installed.withLock { installed in installed.values.compactMap(Self.status) }
        let bad = refused.withLock { refused in
            refused.compactMap { path, refusal in Self.status(ofRefused: path, refusal.name, refusal.problem) }
        }
        return (good + bad).sorted { $0.manifest.id < $1.manifest.id }
    }

    private static func status(_ plugin: InstalledPlugin) -> PluginStatus? {
        guard let generation = plugin.current else { return nil }
        let isQuarantined = plugin.quarantinedUntil.map { $0 > .now } ?? false
        // A worker at rest is ready: the next operation brings it up.
        return PluginStatus(
            manifest: generation.manifest, path: plugin.path, digest: generation.digest, signer: generation.bundle.signer,
            generation: generation.number,
            isolation: generation.isolation,
            state: isQuarantined ? .quarantined : generation.host.isRestarting ? .restarting : .ready, problem: plugin.problem,
            restarts: plugin.restarts,
            workers: generation.host.workers)
    }

    private static func status(ofRefused path: String, _ name: String, _ problem: BerthError) -> PluginStatus? {
        // A folder whose name is no plugin's id is still shown, under the nearest id-like name.
        let cleaned = String(
            name.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") ? $0 : "-" }.prefix(60))
        guard let id = ProviderName(name) ?? ProviderName(cleaned) ?? ProviderName("x\(cleaned)") else { return nil }
        let manifest = PluginManifest(
            id: id, name: name, version: "", publisher: "", license: "", abi: 0, libraries: [:], runtime: .init(), http: .init(),
            credentials: [], settings: [:], webhook: nil, streams: [], actions: [], entities: [], stateSchema: 0)
        return PluginStatus(
            manifest: manifest, path: path, digest: "", signer: nil, generation: 0, isolation: .worker, state: .refused, problem: problem,
            restarts: 0,
            workers: [])
    }

    private func refuse(_ path: String, _ name: String, _ problem: BerthError) {
        refused.withLock { $0[path] = (name, problem) }
        logger.error(
            "plugin refused",
            metadata: [
                "bundle": "\(path)", "code": "\(problem.code.rawValue)", "reason": "\(problem.message)", "hint": "\(problem.hint ?? "")",
            ])
    }

    // MARK: Loading

    /// Loads a bundle as the plugin's next generation and puts it in service; the one before ends what it has begun.
    private func load(_ bundle: PluginBundle) async throws(BerthError) -> PluginStatus {
        try await putInService(try await bringUp(bundle))
    }

    /// Loads a bundle; nothing is handed to it yet.
    private func bringUp(_ bundle: PluginBundle) async throws(BerthError) -> PluginGeneration {
        let id = bundle.manifest.id
        let (image, digest) = try bundle.seal()
        let number = installed.withLock { ($0[id]?.loads ?? 0) + 1 }
        let isolation = bundle.manifest.runtime.isolation ?? configuration.isolation
        let onDeath: @Sendable (WorkerDeath, String?) -> Void = { [weak self] death, blamed in
            self?.noteDeath(of: id, generation: number, death, blamed)
        }
        let host: any GenerationHost
        switch isolation {
        case .worker:
            host = WorkerGeneration(
                image: image, manifest: bundle.manifest,
                setup: WorkerSetup(executable: configuration.workerPath, isBestEffort: configuration.allowsWeakSandbox), logger: logger,
                deaths: onDeath)
        case .inProcess:
            host = InProcessGeneration(
                image: image, manifest: bundle.manifest, place: try bundle.libraryPath(), threads: threads, deaths: onDeath)
        }
        try await host.start()
        return PluginGeneration(number: number, bundle: bundle, digest: digest, isolation: isolation, host: host)
    }

    private func putInService(_ generation: PluginGeneration) async throws(BerthError) -> PluginStatus {
        let bundle = generation.bundle
        let id = bundle.manifest.id
        do throws(BerthError) { try await define(bundle.manifest.entities) } catch {
            await generation.host.stop()
            throw error.isOfEntity ? named(error, generation) : error
        }
        let (oldest, status): (PluginGeneration?, PluginStatus?) = installed.withLock { installed in
            var plugin = installed[id] ?? InstalledPlugin(path: bundle.path)
            let oldest = plugin.previous
            plugin.previous = plugin.current
            plugin.current = generation
            plugin.currentSince = .now
            plugin.path = bundle.path
            plugin.loads = generation.number
            plugin.problem = nil
            plugin.deaths = []
            plugin.quarantinedUntil = nil
            installed[id] = plugin
            return (oldest, Self.status(plugin))
        }
        _ = refused.withLock { $0.removeValue(forKey: bundle.path) }
        installed.withLock { $0[id]?.previous }?.host.rest()
        oldest?.host.retire()
        logger.info(
            "plugin loaded",
            metadata: [
                "plugin": "\(id)", "version": "\(bundle.manifest.version)", "generation": "\(generation.number)",
                "isolation": "\(generation.isolation.rawValue)", "digest": "\(generation.digest.prefix(16))",
            ])
        guard let status else { throw BerthError(.internal, "plugin \(id) vanished while it was loaded") }
        return status
    }

    /// The plugin whose entities don't go with the others', and the ones that have the same entities.
    private func named(_ error: BerthError, _ generation: PluginGeneration) -> BerthError {
        let id = generation.manifest.id
        let entities = Set(generation.manifest.entities.map(\.name))
        let others = installed.withLock { installed in
            installed.filter { other, plugin in
                other != id && plugin.current?.manifest.entities.contains { entities.contains($0.name) } ?? false
            }.keys.map(\.text).sorted()
        }
        let whose = others.isEmpty ? "" : " (plugin \(others.joined(separator: ", ")) has it as well)"
        return BerthError(error.code, "plugin \(id): \(error.message)\(whose)", hint: error.hint)
    }

    public func reload(_ provider: ProviderName) async throws(BerthError) -> PluginStatus {
        var place =
            installed.withLock { $0[provider]?.path }
            ?? refused.withLock { refused in refused.first { $0.value.name == provider.text }?.key }
        if place == nil, copy(of: provider).isRemoved {
            place = configuration.bundles().first { $0.name == provider.text }?.path
        }
        guard let place else { throw Self.unknown(provider) }
        try copy(of: provider).markRemoved(false)
        return try await exclusively { () async throws(BerthError) in
            do throws(BerthError) { return try await self.load(try PluginBundle(path: place, policy: self.configuration.signatures)) } catch
            {
                // The generation in service goes on; the operator is told here and in the list.
                self.installed.withLock { $0[provider]?.problem = error }
                self.refused.withLock { $0[place]?.problem = error }
                throw error
            }
        }
    }

    public func rollback(_ provider: ProviderName) async throws(BerthError) -> PluginStatus {
        try await exclusively { () async throws(BerthError) in
            guard self.installed.withLock({ $0[provider] != nil }) else { throw Self.unknown(provider) }
            guard let previous = self.installed.withLock({ $0[provider]?.previous }) else {
                // After a restart only the files know the version before.
                let copy = self.copy(of: provider)
                if copy.hasPrevious {
                    try copy.swapBack()
                    do throws(BerthError) {
                        return try await self.load(
                            try PluginBundle(
                                path: "\(self.configuration.managedDirectory)/\(provider)", policy: self.configuration.signatures))
                    } catch {
                        try copy.swapBack()
                        throw error
                    }
                }
                throw BerthError(
                    .conflict, "plugin '\(provider)' has no generation before this one", hint: "reload a bundle of the version you want")
            }
            try await previous.host.start()
            guard let status = self.swapBack(provider) else { throw Self.unknown(provider) }
            self.logger.notice("plugin rolled back", metadata: ["plugin": "\(provider)", "generation": "\(status.generation)"])
            return status
        }
    }

    private func swapBack(_ provider: ProviderName) -> PluginStatus? {
        rememberRollback(of: provider)
        let (left, status): (PluginGeneration?, PluginStatus?) = installed.withLock { installed in
            guard var plugin = installed[provider], let previous = plugin.previous else { return (nil, nil) }
            plugin.path = previous.bundle.path
            let left = plugin.current
            plugin.previous = left
            plugin.current = previous
            // It has proved itself before: no second probation, which would swap the two for ever.
            plugin.currentSince = .now - configuration.probation
            plugin.deaths = []
            plugin.quarantinedUntil = nil
            installed[provider] = plugin
            return (left, Self.status(plugin))
        }
        left?.host.rest()
        return status
    }

    /// Puts the files in the order of the generations, so that the next start does not bring back what was left.
    private func rememberRollback(of provider: ProviderName) {
        guard
            let (left, wanted) = installed.withLock({ installed in
                installed[provider].flatMap { plugin in
                    plugin.current.flatMap { current in plugin.previous.map { (current.bundle.path, $0.bundle.path) } }
                }
            })
        else { return }
        let managed = "\(configuration.managedDirectory)/\(provider)"
        guard left == managed || wanted == managed else {
            return logger.notice(
                "the rollback holds until the next start: the bundle on disk is the newer one",
                metadata: ["plugin": "\(provider)", "bundle": "\(left)"])
        }
        do { try copy(of: provider).swapBack() } catch {
            logger.error("rollback not kept", metadata: ["plugin": "\(provider)", "error": "\(error)"])
        }
    }

    public func install(bundle path: String) async throws(BerthError) -> PluginStatus {
        guard path.hasPrefix("/") else {
            throw BerthError(.invalid, "path: '\(path)' is not absolute", hint: "name the bundle's folder from / on")
        }
        let bundle = try PluginBundle(path: path, policy: configuration.signatures)
        let id = bundle.manifest.id
        return try await exclusively { () async throws(BerthError) in
            let target = self.configuration.managedDirectory + "/" + id.text
            // What can be told without running it is told before anything is replaced.
            try BundleCopy.check(bundle.path)
            _ = try bundle.seal()
            let copy = BundleCopy(to: target)
            try copy.put(from: bundle.path)
            do throws(BerthError) {
                try copy.markRemoved(false)
                return try await self.load(try PluginBundle(path: target, policy: self.configuration.signatures))
            } catch {
                copy.takeBack()
                throw error
            }
        }
    }

    public func remove(_ provider: ProviderName) async throws(BerthError) {
        guard installed.withLock({ $0[provider] != nil }) else { throw Self.unknown(provider) }
        let copy = copy(of: provider)
        try copy.markRemoved(true)
        try copy.discard()
        guard let plugin = installed.withLock({ $0.removeValue(forKey: provider) }) else { throw Self.unknown(provider) }
        for generation in [plugin.current, plugin.previous].compactMap({ $0 }) { await generation.host.stop() }
        logger.notice("plugin removed", metadata: ["plugin": "\(provider)", "bundle": "\(plugin.path)"])
    }

    public func forget(_ connection: ConnectionID) async {
        let hosts = installed.withLock { installed in
            installed.values.flatMap { [$0.current, $0.previous].compactMap { $0?.host } }
        }
        for host in hosts { host.forget(connection) }
    }

    // MARK: Deaths

    private func noteDeath(of id: ProviderName, generation: Int, _ death: WorkerDeath, _ blamed: String?) {
        logger.error(
            "plugin's worker died",
            metadata: ["plugin": "\(id)", "generation": "\(generation)", "how": "\(death.text)", "during": "\(blamed ?? "nothing")"])
        let (isUnfit, canGoBack): (Bool, Bool) = installed.withLock { installed in
            guard var plugin = installed[id], plugin.current?.number == generation else { return (false, false) }
            plugin.restarts += 1
            // Killed from outside, by an operator or for memory: not the plugin's fault.
            guard death != .signalled(9) else {
                installed[id] = plugin
                return (false, false)
            }
            let isUnfit = plugin.noteDeath(
                on: blamed ?? "start", at: .now, limit: configuration.deathsMax, window: configuration.quarantineWindow,
                probation: configuration.probation)
            if isUnfit, plugin.previous == nil {
                plugin.quarantinedUntil = .now + configuration.quarantineWindow
                plugin.problem = BerthError(
                    "plugin_quarantined",
                    "\(plugin.deaths.count) workers died on different work within \(configuration.quarantineWindow): "
                        + Set(plugin.deaths.map(\.blamed)).sorted().joined(separator: ", ") + "; the last one \(death.text)",
                    hint: "install another version, or berthctl plugin reload \(id); it gets another chance by itself after "
                        + "\(configuration.quarantineWindow); the log has every death"
                )
            }
            installed[id] = plugin
            return (isUnfit, plugin.previous != nil)
        }
        guard isUnfit else { return }
        if canGoBack, let status = swapBack(id) {
            logger.error(
                "plugin rolled back after deaths on different work", metadata: ["plugin": "\(id)", "generation": "\(status.generation)"])
        } else {
            logger.error(
                "plugin quarantined after deaths on different work", metadata: ["plugin": "\(id)", "hint": "berthctl plugin show \(id)"])
        }
    }

    // MARK: Parts

    /// The generation that takes new work, or why there is none.
    func generation(of provider: ProviderName) -> Result<PluginGeneration, AttemptFailure> {
        installed.withLock { installed in
            guard let plugin = installed[provider], let generation = plugin.current else {
                return .failure(AttemptFailure(.retry, "plugin '\(provider)' is not loaded"))
            }
            if let until = plugin.quarantinedUntil {
                guard until <= .now else {
                    let left = UInt64(max(0, (until - .now).components.seconds) * 1000)
                    return .failure(
                        AttemptFailure(.retry, "plugin '\(provider)' is quarantined after crashes", retryAfterMilliseconds: left))
                }
                installed[provider]?.quarantinedUntil = nil
                installed[provider]?.problem = nil
                installed[provider]?.deaths = []
            }
            return .success(generation)
        }
    }

    private func exclusively<T: Sendable>(_ body: () async throws(BerthError) -> T) async throws(BerthError) -> T {
        guard await loading.enter() else {
            throw BerthError("cancelled", "cancelled while another plugin was being loaded", isRetryable: true)
        }
        defer { loading.leave() }
        return try await body()
    }

    private static func unknown(_ provider: ProviderName) -> BerthError {
        BerthError(.notFound, "there is no plugin '\(provider)'", hint: "berthctl plugin list shows what is installed")
    }
}

extension BerthError {
    /// Whether an entity is wrong, not the store.
    fileprivate var isOfEntity: Bool { code == .conflict || code == .invalid }
}
