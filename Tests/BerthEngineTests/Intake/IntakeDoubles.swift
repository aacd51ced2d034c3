// The seams of intake, in memory. Only what intake calls does anything.

import BerthEngine
import BerthModel
@_spi(StoreImplementation) import BerthSeams
import Logging
import Synchronization

func moment(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: seconds * 1000) }

final class HandClock: WallClock {
    private let time: Mutex<Timestamp>
    init(_ time: Timestamp) { self.time = Mutex(time) }
    func now() -> Timestamp { time.withLock { $0 } }
    func set(_ new: Timestamp) { time.withLock { $0 = new } }
}

final class CountingEntropy: Entropy {
    private let state = Mutex<UInt64>(1)
    func next() -> UInt64 {
        state.withLock {
            $0 &+= 0x9E37_79B9_7F4A_7C15
            return $0
        }
    }
}

/// Keeps deliveries by dedup key, like a store, and audit entries.
final class MemoryInbox: InboxStore, AuditStore {
    struct Kept {
        var deliveries: [VerifiedDelivery] = []
        var byKey: [String: EventID] = [:]
        var audits: [AuditEntry] = []
        var failure: BerthError?
    }
    let kept = Mutex(Kept())

    var deliveries: [VerifiedDelivery] { kept.withLock { $0.deliveries } }
    var audits: [AuditEntry] { kept.withLock { $0.audits } }

    func accept(_ delivery: VerifiedDelivery, _ answer: @escaping @Sendable (Result<IntakeReceipt, BerthError>) -> Void) {
        let (receipt, failure) = kept.withLock { kept -> (IntakeReceipt?, BerthError?) in
            if let failure = kept.failure { return (nil, failure) }
            let key = "\(delivery.connection)/\(delivery.dedupKey)"
            if let known = kept.byKey[key] { return (IntakeReceipt(event: known, isDuplicate: true), nil) }
            kept.byKey[key] = delivery.id
            kept.deliveries.append(delivery)
            return (IntakeReceipt(event: delivery.id, isDuplicate: false), nil)
        }
        answer(receipt.map { .success($0) } ?? .failure(failure ?? BerthError(.internal, "no receipt")))
    }
    func audit(_ entries: [AuditEntry]) async throws(BerthError) { kept.withLock { $0.audits += entries } }

    private var unused: BerthError { BerthError(.unsupported, "not part of intake") }
    func leaseEvents(of connection: ConnectionID, within bounds: LeaseBounds, now: Timestamp) async throws(BerthError) -> EventLease {
        throw unused
    }
    func connectionsWithDueEvents(now: Timestamp) async throws(BerthError) -> [ConnectionID] { throw unused }
    func nextEventDue(after now: Timestamp) async throws(BerthError) -> Timestamp? { throw unused }
    func settle(_ settlements: [EventSettlement], now: Timestamp) async throws(BerthError) -> SettleReceipt { throw unused }
    func event(_ id: EventID) async throws(BerthError) -> Event? { throw unused }
    func events(_ filter: EventFilter, page: PageRequest) async throws(BerthError) -> Page<Event> { throw unused }
    func replay(_ filter: EventFilter, limit: Int, dryRun: Bool, now: Timestamp) async throws(BerthError) -> [EventID] { throw unused }
    func cancelEvent(_ id: EventID, now: Timestamp) async throws(BerthError) -> Bool { throw unused }
    func queueDepths() async throws(BerthError) -> [EventState: Int] { throw unused }
    func auditEntries(_ filter: AuditFilter, page: PageRequest) async throws(BerthError) -> Page<AuditEntry> { throw unused }
}

final class MemorySecrets: SecretStore {
    private struct Key: Hashable {
        var connection: ConnectionID
        var slot: SecretSlot
    }
    private let secrets = Mutex<[Key: Secret]>([:])
    let reads = Mutex(0)

    func secret(_ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) -> Secret? {
        reads.withLock { $0 += 1 }
        return secrets.withLock { $0[Key(connection: connection, slot: slot)] }
    }
    func set(_ secret: Secret, _ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) {
        secrets.withLock { $0[Key(connection: connection, slot: slot)] = secret }
    }
    func removeAll(of connection: ConnectionID) async throws(BerthError) {
        secrets.withLock { secrets in secrets = secrets.filter { $0.key.connection != connection } }
    }
}

/// One plugin's manifest, and a verdict for `verify`.
final class ManifestHost: PluginHost {
    let manifests: Mutex<[ProviderName: PluginManifest]>
    let verdict = Mutex<AttemptFailure?>(nil)
    /// What a read does; without it there is none.
    let reads = Mutex<(@Sendable (StreamReadRequest) async -> AttemptFailure?)?>(nil)
    init(_ manifest: PluginManifest) { manifests = Mutex([manifest.id: manifest]) }

    func manifest(of provider: ProviderName) -> PluginManifest? { manifests.withLock { $0[provider] } }
    func verify(_ delivery: RawDelivery, for instance: PluginInstance) async -> AttemptFailure? { verdict.withLock { $0 } }

    private var unused: AttemptFailure { AttemptFailure(.unsupported, "not part of intake") }
    func plugins() async -> [PluginStatus] { [] }
    func handle(_ events: [Event], for instance: PluginInstance) async -> BatchOutcome { BatchOutcome(outcomes: []) }
    func read(_ request: StreamReadRequest, for instance: PluginInstance, into sink: any PageSink) async -> AttemptFailure? {
        guard let read = reads.withLock({ $0 }) else { return unused }
        return await read(request)
    }
    func perform(_ request: ActionRequest, for instance: PluginInstance) async -> Result<ActionOutcome, AttemptFailure> { .failure(unused) }
    func checkCredentials(for instance: PluginInstance) async -> Result<[UInt8], AttemptFailure> { .failure(unused) }
    func reload(_ provider: ProviderName) async throws(BerthError) -> PluginStatus { throw BerthError(.unsupported, "not part of intake") }
    func rollback(_ provider: ProviderName) async throws(BerthError) -> PluginStatus {
        throw BerthError(.unsupported, "not part of intake")
    }
    func install(bundle path: String) async throws(BerthError) -> PluginStatus { throw BerthError(.unsupported, "not part of intake") }
    func remove(_ provider: ProviderName) async throws(BerthError) {}
    func forget(_ connection: ConnectionID) async {}
}

final class OutcomeLog: IntakeObserver {
    let seen = Mutex<[String]>([])
    func received(provider: String, kind: String, outcome: IntakeOutcome) {
        seen.withLock { $0.append("\(provider) \(kind) \(outcome.rawValue)") }
    }
}

/// An intake with everything around it.
struct IntakeBed {
    let inbox = MemoryInbox()
    let secrets = MemorySecrets()
    let directory = ConnectionDirectory()
    let clock = HandClock(moment(1_700_000_000))
    let log = OutcomeLog()
    let host: ManifestHost
    let intake: Intake
    let connection: Connection

    init(_ spec: WebhookSpec?, _ rules: ConnectionWebhook?, keys: [String] = []) async throws {
        let host = ManifestHost(try Self.manifest(spec))
        self.host = host
        connection = try Self.connection(rules, number: 1)
        let woken = WokenBox()
        wokenBox = woken
        intake = Intake(
            inbox: inbox, audit: inbox, secrets: secrets, host: host, directory: directory, clock: clock, entropy: CountingEntropy(),
            observer: log, logger: Logger(label: "test"), onAccepted: { woken.add($0) })
        directory.insert(connection)
        for (index, key) in keys.enumerated() {
            try await secrets.set(Secret(copying: key.utf8), .webhook(index: index), of: connection.id)
        }
    }
    private let wokenBox: WokenBox
    var wokenConnections: [ConnectionID] { wokenBox.ids.withLock { $0 } }

    final class WokenBox: Sendable {
        let ids = Mutex<[ConnectionID]>([])
        func add(_ id: ConnectionID) { ids.withLock { $0.append(id) } }
    }

    static func connection(_ rules: ConnectionWebhook?, number: UInt64, name: String = "main", workspace: String = "acme") throws
        -> Connection
    {
        guard let provider = ProviderName("ringba"), let workspace = WorkspaceName(workspace) else { throw BerthError(.invalid, "names") }
        return Connection(
            id: ConnectionID(time: moment(1_600_000_000), random: (number, number)), provider: provider, workspace: workspace, name: name,
            baseURL: nil, settings: [:], credentialKind: nil, webhook: rules, schedules: [:], status: .active, consecutiveFailures: 0,
            lastError: nil, createdAt: moment(0), updatedAt: moment(0), lastSyncAt: nil)
    }

    static func manifest(_ spec: WebhookSpec?) throws -> PluginManifest {
        guard let id = ProviderName("ringba") else { throw BerthError(.invalid, "names") }
        return PluginManifest(
            id: id, name: "Ringba", version: "1.0.0", publisher: "Berth", license: "Apache-2.0", abi: 1, libraries: [:],
            runtime: .init(), http: .init(), credentials: [], settings: [:], webhook: spec, streams: [], actions: [], entities: [],
            stateSchema: 1)
    }
}

func delivery(
    method: String = "POST", connection: String? = "main", token: String? = nil, query: String = "",
    headers: [(name: String, value: String)] = [], body: String = "{}", from address: String = "127.0.0.1"
) -> RawDelivery {
    RawDelivery(
        provider: "ringba", connection: connection, pathToken: token, method: method, path: "/webhooks/ringba/main", query: query,
        headers: headers, body: Array(body.utf8), remoteAddress: address, receivedAt: moment(1_700_000_000))
}

extension IntakeAnswer {
    /// 202 stands for accepted, whatever the manifest answers.
    var status: Int {
        switch self {
        case .accepted: 202
        case .handshake(let status, _, _, _): status
        case .refused(let status, _): status
        case .methodRefused: 405
        case .overloaded: 503
        }
    }
    var error: BerthError? {
        switch self {
        case .refused(_, let error), .methodRefused(_, let error), .overloaded(_, let error): error
        default: nil
        }
    }
}

extension ConnectionDirectory {
    /// Changes a connection as a commit would.
    func update(_ id: ConnectionID, _ body: (inout Connection) -> Void) {
        guard var connection = connection(id) else { return }
        body(&connection)
        insert(connection)
    }
}
