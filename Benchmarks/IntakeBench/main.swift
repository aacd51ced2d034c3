// What intake costs per request without the store: lookup, policy, verification, selectors, keys, id. Prints
// microseconds per request for each scheme, best of several rounds.
//
//     swift run -c release IntakeBench [requests]

import BerthEngine
import BerthModel
@_spi(StoreImplementation) import BerthSeams
import Crypto
import Logging
import Synchronization

struct FixedClock: WallClock {
    func now() -> Timestamp { Timestamp(milliseconds: 1_700_000_000_000) }
}

struct SystemEntropy: Entropy {
    func next() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}

/// Accepts everything at once.
struct OpenInbox: InboxStore, AuditStore {
    func accept(_ delivery: VerifiedDelivery, _ answer: @escaping @Sendable (Result<IntakeReceipt, BerthError>) -> Void) {
        answer(.success(IntakeReceipt(event: delivery.id, isDuplicate: false)))
    }
    func audit(_ entries: [AuditEntry]) async throws(BerthError) {}

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

struct OneKey: SecretStore {
    var key: Secret
    func secret(_ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) -> Secret? {
        slot == .webhook(index: 0) ? key : nil
    }
    func set(_ secret: Secret, _ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) {}
    func removeAll(of connection: ConnectionID) async throws(BerthError) {}
}

struct OnePlugin: PluginHost {
    var manifest: PluginManifest
    func manifest(of provider: ProviderName) -> PluginManifest? { manifest }
    func verify(_ delivery: RawDelivery, for instance: PluginInstance) async -> AttemptFailure? { nil }

    private var unused: AttemptFailure { AttemptFailure(.unsupported, "not part of intake") }
    private var refused: BerthError { BerthError(.unsupported, "not part of intake") }
    func plugins() async -> [PluginStatus] { [] }
    func handle(_ events: [Event], for instance: PluginInstance) async -> BatchOutcome { BatchOutcome(outcomes: []) }
    func read(_ request: StreamReadRequest, for instance: PluginInstance, into sink: any PageSink) async -> AttemptFailure? { unused }
    func perform(_ request: ActionRequest, for instance: PluginInstance) async -> Result<ActionOutcome, AttemptFailure> { .failure(unused) }
    func checkCredentials(for instance: PluginInstance) async -> Result<[UInt8], AttemptFailure> { .failure(unused) }
    func reload(_ provider: ProviderName) async throws(BerthError) -> PluginStatus { throw refused }
    func rollback(_ provider: ProviderName) async throws(BerthError) -> PluginStatus { throw refused }
    func install(bundle path: String) async throws(BerthError) -> PluginStatus { throw refused }
    func remove(_ provider: ProviderName) async throws(BerthError) {}
    func forget(_ connection: ConnectionID) async {}
}

struct Silent: IntakeObserver {
    func received(provider: String, kind: String, outcome: IntakeOutcome) {}
}

func bed(_ spec: WebhookSpec, _ scheme: SignatureScheme.Kind, key: String) -> Intake? {
    guard let provider = ProviderName("ringba"), let workspace = WorkspaceName("acme") else { return nil }
    let manifest = PluginManifest(
        id: provider, name: "Ringba", version: "1.0.0", publisher: "Berth", license: "Apache-2.0", abi: 1, libraries: [:],
        runtime: .init(), http: .init(), credentials: [], settings: [:], webhook: spec, streams: [], actions: [], entities: [],
        stateSchema: 1)
    let zero = Timestamp(milliseconds: 0)
    let directory = ConnectionDirectory()
    directory.insert(
        Connection(
            id: ConnectionID(FixedClock(), SystemEntropy()), provider: provider, workspace: workspace, name: "main", baseURL: nil,
            settings: [:], credentialKind: nil, webhook: ConnectionWebhook(scheme: scheme, allowIPs: ["127.0.0.0/8"]), schedules: [:],
            status: .active, consecutiveFailures: 0, lastError: nil, createdAt: zero, updatedAt: zero, lastSyncAt: nil))
    return Intake(
        inbox: OpenInbox(), audit: OpenInbox(), secrets: OneKey(key: Secret(copying: key.utf8)), host: OnePlugin(manifest: manifest),
        directory: directory, clock: FixedClock(), entropy: SystemEntropy(), observer: Silent(), logger: Logger(label: "bench"),
        onAccepted: { _ in })
}

func measure(_ name: String, _ intake: Intake?, _ delivery: RawDelivery, _ count: Int) async {
    guard let intake else { return }
    guard case .accepted = await intake.receive(delivery) else {
        print("\(name): not accepted")
        return
    }
    var best = Double.infinity
    for _ in 0..<5 {
        let clock = ContinuousClock()
        let start = clock.now
        for _ in 0..<count { _ = await intake.receive(delivery) }
        let took = clock.now - start
        let seconds = Double(took.components.seconds) + Double(took.components.attoseconds) * 1e-18
        best = min(best, seconds / Double(count) * 1e6)
    }
    print("\(name): \((best * 100).rounded() / 100) us per request")
}

let count = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 100_000
// The size of a provider's call object: about 1 KiB.
let body =
    #"{"event":"call.completed","call_id":"RGB0123456789","campaign":{"id":"CA1","name":"Roofing"},"fields":["#
    + (0..<24).map { #"{"name":"field_\#($0)","value":"value \#($0)"}"# }.joined(separator: ",") + #"],"duration":123,"revenue":12.50}"#
let spec = WebhookSpec(
    methods: ["POST", "GET"], schemes: SignatureScheme.Kind.allCases, defaultScheme: .hmac,
    tokenPlaces: [.header("x-berth-token"), .query("token")],
    eventKind: [.query("event"), .json("/event")], dedupKey: [[.json("/call_id")], [.json("/event")]], orderingKey: [[.json("/call_id")]])
let common = [
    (name: "host", value: "hooks.example.com"), (name: "content-type", value: "application/json"), (name: "user-agent", value: "Ringba/1"),
    (name: "accept", value: "*/*"), (name: "content-length", value: "1024"),
]
func request(
    _ headers: [(name: String, value: String)], token: String? = nil, query: String = "", method: String = "POST", body text: String = body
)
    -> RawDelivery
{
    RawDelivery(
        provider: "ringba", connection: "main", pathToken: token, method: method, path: "/webhooks/ringba/main", query: query,
        headers: common + headers, body: Array(text.utf8), remoteAddress: "127.0.0.1",
        receivedAt: Timestamp(milliseconds: 1_700_000_000_000))
}

let secret = "a secret of thirty-two bytes....."
let mac = HMAC<SHA256>.authenticationCode(for: Array(body.utf8), using: SymmetricKey(data: Array(secret.utf8)))
let hex = mac.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
let standardKey = Array("0123456789abcdef0123456789abcdef".utf8)
let standardMac = HMAC<SHA256>.authenticationCode(for: Array("msg_1.1700000000.\(body)".utf8), using: SymmetricKey(data: standardKey))
let standardHeaders = [
    (name: "webhook-id", value: "msg_1"), (name: "webhook-timestamp", value: "1700000000"),
    (name: "webhook-signature", value: "v1," + Base64.encode(Array(standardMac), urlSafe: false)),
]
var hashed = spec
hashed.dedupKey = []

print("body \(body.utf8.count) bytes, \(count) requests a round")
await measure("token, json keys", bed(spec, .token, key: secret), request([], token: secret), count)
await measure(
    "token, query pixel", bed(hashed, .token, key: secret),
    request([], token: secret, query: "event=start&call_id=RGB1", method: "GET", body: ""), count)
await measure("hmac sha256, json keys", bed(spec, .hmac, key: secret), request([(name: "x-signature", value: hex)]), count)
await measure("hmac sha256, hashed key", bed(hashed, .hmac, key: secret), request([(name: "x-signature", value: hex)]), count)
await measure(
    "standard-webhooks, json keys", bed(spec, .standardWebhooks, key: "whsec_" + Base64.encode(standardKey, urlSafe: false)),
    request(standardHeaders), count)
