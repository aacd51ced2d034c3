// One load of one bundle: its manifest, its sealed library, and where its code runs. A reload is a new generation; the old one
// serves what it has begun and then goes.

import BerthLoader
import BerthModel
import BerthSeams
import BerthWire

/// Runs the operations of one generation. Two kinds: in workers, and in the daemon.
protocol GenerationHost: AnyObject, Sendable {
    /// Brings it up. Returns when the plugin is loaded and has given its table.
    func start() async throws(BerthError)
    /// Runs an operation to its end. The session has been told nothing before.
    func run(_ work: HostMessage.Work, _ session: OperationSession, lane: InstanceLane) async -> OperationEnd
    /// Lets a connection's instances go when their operations have ended.
    func forget(_ connection: ConnectionID)
    /// Gives back what it holds as soon as nothing runs; the next operation brings it up again.
    func rest()
    /// Takes nothing new: it ends for good when what it has begun has ended, and reads end at their next checkpoint.
    func retire()
    /// Whether it was told to retire.
    var isRetired: Bool { get }
    /// Ends it for good; what still runs is cancelled.
    func stop() async
    /// Process ids, for the operator.
    var workers: [Int32] { get }
    /// Whether its worker died and the next one is not there yet.
    var isRestarting: Bool { get }
}

/// What an instance is used for. Each has its own instance, so that a long read holds up no event and a full batch no
/// verification; `max_concurrency` holds for each.
enum InstanceLane: Int, Sendable, Hashable, CaseIterable {
    case events, reads, actions, verifications
}

/// Which instance: a connection with its settings, in a lane.
struct InstanceKey: Sendable, Hashable {
    let connection: ConnectionID
    let settings: [UInt8]
    let baseURL: String
    let lane: InstanceLane

    init(_ instance: PluginInstance, _ lane: InstanceLane) {
        connection = instance.connection
        settings = instance.settings
        baseURL = instance.baseURL
        self.lane = lane
    }
}

/// One load.
final class PluginGeneration: Sendable {
    let number: Int
    let bundle: PluginBundle
    let digest: String
    let isolation: Isolation
    let host: any GenerationHost

    init(number: Int, bundle: PluginBundle, digest: String, isolation: Isolation, host: any GenerationHost) {
        self.number = number
        self.bundle = bundle
        self.digest = digest
        self.isolation = isolation
        self.host = host
    }

    var manifest: PluginManifest { bundle.manifest }
}
