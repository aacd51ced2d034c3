// What every test here needs: a connection, its secrets in memory, and a broker.

import BerthModel
import BerthSeams
import Logging
import Synchronization

@testable import BerthOutbound

struct SystemTime: WallClock {
    func now() -> Timestamp { Timestamp(milliseconds: 1_790_000_000_000 + Monotonic.now().nanoseconds / 1_000_000) }
}

struct SystemBits: Entropy {
    func next() -> UInt64 { UInt64.random(in: 0 ... .max) }
}

/// Secrets by field; the same for every connection.
final class MemorySecrets: SecretStore {
    private let fields: Mutex<[String: String]>
    private let reads = Mutex(0)
    init(_ fields: [String: String]) { self.fields = Mutex(fields) }
    var readCount: Int { reads.withLock { $0 } }

    func secret(_ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) -> Secret? {
        reads.withLock { $0 += 1 }
        guard case .credential(let field) = slot, let text = fields.withLock({ $0[field] }) else { return nil }
        return Secret(copying: Array(text.utf8))
    }
    func set(_ secret: Secret, _ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) {
        guard case .credential(let field) = slot else { return }
        let text = secret.withBytes { String(decoding: $0, as: UTF8.self) }
        fields.withLock { $0[field] = text }
    }
    func removeAll(of connection: ConnectionID) async throws(BerthError) { fields.withLock { $0 = [:] } }
}

final class Observations: OutboundObserver {
    private let kept = Mutex((exchanges: [OutboundExchange](), circuits: [CircuitStatus]()))
    var exchanges: [OutboundExchange] { kept.withLock { $0.exchanges } }
    var circuits: [CircuitStatus] { kept.withLock { $0.circuits } }
    func exchanged(_ exchange: OutboundExchange) { kept.withLock { $0.exchanges.append(exchange) } }
    func circuitChanged(_ circuit: CircuitStatus) { kept.withLock { $0.circuits.append(circuit) } }
}

/// The log of requests in memory.
final class LoggedRequests: RequestLogStore {
    private let kept = Mutex<[RequestLogEntry]>([])
    var all: [RequestLogEntry] { kept.withLock { $0 } }
    func logRequests(_ entries: [RequestLogEntry]) async throws(BerthError) { kept.withLock { $0 += entries } }
    func requestLog(_ filter: RequestLogFilter, page: PageRequest) async throws(BerthError) -> Page<RequestLogEntry> {
        Page(items: all, next: nil)
    }
}

let provider = ProviderName("acme")!

func connectionID(_ number: UInt64 = 1) -> ConnectionID {
    ConnectionID(time: Timestamp(milliseconds: 1_790_000_000_000), random: (number, number))
}

func outbound(
    _ secrets: [String: String] = [:], observer: Observations? = nil, limits: (any RateLimitStore)? = nil,
    clock: any WallClock = SystemTime(), requestLog: RequestLog? = nil, _ change: (inout OutboundConfiguration) -> Void = { _ in }
) throws -> CurlOutbound {
    var configuration = OutboundConfiguration()
    configuration.retry.baseDelay = .milliseconds(2)
    configuration.retry.maxDelay = .milliseconds(5)
    change(&configuration)
    return try CurlOutbound(
        secrets: MemorySecrets(secrets), configuration: configuration, clock: clock, entropy: SystemBits(),
        logger: Logger(label: "test"), observer: observer, limits: limits, requestLog: requestLog)
}

func target(
    _ url: String, connection: ConnectionID = connectionID(), credential: CredentialSpec? = nil,
    _ change: (inout PluginManifest.HTTP) -> Void = { _ in }
) -> OutboundTarget {
    var http = PluginManifest.HTTP()
    http.baseURL = "https://api.acme.example"
    http.maxConcurrent = 16
    http.timeoutSeconds = 5
    change(&http)
    return OutboundTarget(connection: connection, provider: provider, baseURL: url, http: http, credential: credential)
}

func get(_ url: String) -> ProviderRequest { ProviderRequest(method: "GET", url: url) }

extension Result where Success == ProviderResponse, Failure == AttemptFailure {
    var response: ProviderResponse? { if case .success(let response) = self { response } else { nil } }
    var failure: AttemptFailure? { if case .failure(let failure) = self { failure } else { nil } }
}
