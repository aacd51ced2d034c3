// The broker every request to a provider passes: checks, credential, turn, try, retry, circuit, record. What each
// of these decides lives in a file of its own; here they are put in order.

public import BerthModel
public import BerthSeams
public import Logging

/// ``Outbound`` over libcurl.
///
/// Isolation: an actor whose executor is the thread of the request loop, so that its state needs no lock and a
/// request crosses threads twice. Cancelling a task that waits in `send` ends its exchange at once.
public actor CurlOutbound: Outbound {
    let loop: CurlLoop
    let secrets: any SecretStore
    let configuration: OutboundConfiguration
    let clock: any WallClock
    let entropy: any Entropy
    let logger: Logger
    let observer: (any OutboundObserver)?
    let tokens: (any AccessTokenSource)?
    let answers: (any ResponseCache)?
    var cacheState = CacheState()
    let limitStore: (any RateLimitStore)?
    /// `restoreLimits` replaces it by the boot's.
    var limitClock: LimitClock
    let requestLog: RequestLog?
    var longAnswers = LongAnswers()
    /// The egress policy of a connection; nil: there is no such connection.
    let policy: @Sendable (ConnectionID) -> EgressPolicy?
    /// Which address and credential of a connection are in service; nil: nobody counts them.
    let accessRevision: (@Sendable (ConnectionID) -> UInt64?)?
    /// When counts of an earlier life were taken up; nil: nothing is kept.
    var keptSince: Monotonic?
    /// What an older version kept without saying of which server.
    var unplacedMarks: [ProviderName: [RestoredMark]] = [:]

    var connections: [ConnectionID: ConnectionState] = [:]
    var admissions: [LimitedServer: RequestAdmission] = [:]
    var admissionTimers: [LimitedServer: (time: Monotonic, id: UInt64)] = [:]
    var turns: [UInt64: CheckedContinuation<Turn, Never>] = [:]
    var readyTurns: Set<UInt64> = []
    var pauses: [UInt64: CheckedContinuation<Void, Never>] = [:]
    var tokenWaits: [UInt64: CheckedContinuation<Result<AccessToken, AttemptFailure>, Never>] = [:]
    var running: [UInt64: Transfer] = [:]
    var nextID: UInt64 = 1
    var isClosed = false
    /// Tells whether anything was forgotten while a credential was being read.
    var forgetCount = 0

    /// The loop's thread.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// A broker; its thread starts with the first request. Without `tokens` OAuth credentials are refused; without `answers` none
    /// are kept. Without `limits` counts end with the process; with it `restoreLimits` must follow. Without `requestLog` none is
    /// kept. `policy` tells a connection's egress policy (nil: no request may be made for it); without it `configuration.egress`
    /// stands for all. `accessRevision` tells which address and credential of a connection are in service: what came from others is ended
    /// before it takes a secret. Throws when the system gives no descriptors.
    public init(
        secrets: any SecretStore, configuration: OutboundConfiguration = OutboundConfiguration(), clock: any WallClock,
        entropy: any Entropy, logger: Logger, observer: (any OutboundObserver)? = nil, tokens: (any AccessTokenSource)? = nil,
        answers: (any ResponseCache)? = nil, limits: (any RateLimitStore)? = nil, requestLog: RequestLog? = nil,
        policy: (@Sendable (ConnectionID) -> EgressPolicy?)? = nil, accessRevision: (@Sendable (ConnectionID) -> UInt64?)? = nil
    ) throws(BerthError) {
        let made = CurlLoop(
            connectionLimits: (configuration.maxConnections, configuration.maxConnectionsPerRoute, configuration.maxConnectionsPerHost),
            slowLimit: (configuration.lowSpeedBytes, configuration.lowSpeedTime.nanoseconds))
        guard let made else {
            throw BerthError(.internal, "cannot set up outgoing requests: no descriptors", hint: "raise LimitNOFILE of the unit")
        }
        loop = made
        self.secrets = secrets
        self.configuration = configuration
        self.clock = clock
        self.entropy = entropy
        self.logger = logger
        self.observer = observer
        self.tokens = tokens
        self.answers = answers
        limitStore = limits
        limitClock = LimitClock(clock)
        self.requestLog = requestLog
        let shared = configuration.egress
        self.policy = policy ?? { _ in shared }
        self.accessRevision = accessRevision
    }

    deinit { loop.close() }

    /// Ends the thread after failing what is outstanding. Later requests fail with `.cancelled`.
    public nonisolated func close() async {
        let marks = await failOutstanding()
        await keep(marks)
        await loop.ended()
    }

    /// See ``Outbound``. What counts against limits, an unhealthy circuit, and kept connections stay: none of them
    /// holds a credential, and changing a setting must not buy new requests.
    public func forget(_ connection: ConnectionID) async {
        forgetCount += 1
        if let state = connections[connection] {
            // Of one that is gone, or is sent nothing, nobody asks how it fares.
            if state.breaker.failures == 0 || policy(connection) == nil {
                connections[connection] = nil
            } else {
                connections[connection]?.credentials = [:]
            }
            for server in admissions.keys where server.provider == state.provider { admissions[server]?.prune(connection, now: .now()) }
        }
        await endAnswers(.all, of: connection)
    }

    /// See ``Outbound``.
    public func send(_ request: ProviderRequest, for target: OutboundTarget) async -> Result<ProviderResponse, AttemptFailure> {
        await throughCache(request, for: target)
    }

    /// Sends, whatever is kept.
    func exchange(_ request: ProviderRequest, for target: OutboundTarget) async -> Result<ProviderResponse, AttemptFailure> {
        var exchange = Exchange(begun: .now(), method: request.method)
        let result = await perform(request, for: target, &exchange)
        report(exchange, result, request, target)
        return result
    }

    private func perform(
        _ request: ProviderRequest, for target: OutboundTarget, _ exchange: inout Exchange
    ) async -> Result<ProviderResponse, AttemptFailure> {
        guard !isClosed else { return .failure(Self.closing) }
        if let refusal = refusal(of: target) { return .failure(refusal) }
        let timeout = max(1, (request.timeout ?? .seconds(target.http.timeoutSeconds)).nanoseconds)
        let deadline = exchange.begun + timeout
        let egress: EgressGuard
        switch adopt(target) {
        case .success(let made): egress = made
        case .failure(let failure): return .failure(failure)
        }
        if let place = RequestPlace(request.url, base: egress.base) {
            // The credential that is known may not be in it either; one that cannot be had is none that a plugin has seen.
            exchange.host = place.host
            exchange.path =
                connections[target.connection]?.credentials.values.reduce(place.path) { $1.credential.mask.mask($0) } ?? place.path
        }
        let server = LimitedServer(target.provider, origin: egress.origin.text)
        let spec = request.isAuthenticated ? target.credential : nil
        var opened: OpenedCredential?
        if let spec {
            switch await self.credential(spec, of: target, by: deadline) {
            case .success(let loaded): opened = loaded
            case .failure(let failure): return .failure(failure)
            }
        }
        func prepare() -> Result<PreparedRequest, AttemptFailure> {
            PreparedRequest.make(request, egress: egress, credential: opened?.credential, configuration: configuration)
                .mapError { AttemptFailure($0.status, opened?.credential.mask.mask($0.message) ?? $0.message) }
        }
        var prepared: PreparedRequest
        switch prepare() {
        case .success(let made): prepared = made
        case .failure(let failure): return .failure(failure)
        }
        exchange.host = prepared.host
        exchange.path = prepared.path
        var wasRefused = false

        connections[target.connection]?.budget.deposit()
        var last: Result<ProviderResponse, AttemptFailure>?
        while true {
            if let wait = connections[target.connection]?.breaker.refusal(.now()) {
                return last ?? .failure(Self.circuitOpen(target, wait, connections[target.connection]?.lastFailure))
            }
            let asked = Monotonic.now()
            let ticket = Ticket(id: takeID(), connection: target.connection, requestClass: request.requestClass ?? "")
            let turn = await admit(ticket, target, server, deadline: deadline)
            exchange.waited += Monotonic.now() - asked
            switch turn {
            case .go: break
            case .late(let wait):
                let pauseEnd = admissions[server]?.pauseEnd(ticket, now: asked) ?? asked
                return last ?? .failure(Self.throttled(prepared.label, wait, isPaused: pauseEnd >= deadline))
            case .cancelled: return .failure(AttemptFailure(.cancelled, "\(prepared.label): cancelled"))
            case .closing: return .failure(Self.closing)
            }
            // It may have been disconnected while this one waited its turn: then not even an unauthenticated request goes out.
            guard policy(target.connection) != nil else {
                leave(ticket, server, wasSent: false)
                return last ?? .failure(Self.cutOff(target))
            }
            // Nor goes what is of before a change, though its credential is its address's.
            guard isInService(target) else {
                leave(ticket, server, wasSent: false)
                return .failure(.connectionChanged(target.connection))
            }
            // Asked again: others may have opened it while this one waited its turn.
            if let wait = connections[target.connection]?.breaker.enter(ticket.id, .now()) {
                leave(ticket, server, wasSent: false)
                return last ?? .failure(Self.circuitOpen(target, wait, connections[target.connection]?.lastFailure))
            }
            // Its token may have run out while it waited its turn, or been renewed by others.
            if let spec, opened?.token != nil {
                switch await self.credential(spec, of: target, by: deadline) {
                case .success(let fresh) where fresh.token?.serial != opened?.token?.serial:
                    opened = fresh
                    if case .success(let made) = prepare() { prepared = made }
                case .success: break
                case .failure(let failure):
                    connections[target.connection]?.breaker.leave(ticket.id)
                    leave(ticket, server, wasSent: false)
                    return last ?? .failure(failure)
                }
            }
            exchange.tries += 1
            let outcome = await attempt(
                prepared, opened?.credential, ticket, target, server, deadline: deadline, begun: exchange.begun,
                repeatsMax: configuration.retry.maxTries - exchange.tries)
            exchange.tries += outcome.repeats
            learn(outcome, ticket, target, server)
            // Only now: what was learned must stand before those who waited for this one's place go.
            let result = await hidden(outcome.result, opened?.credential.mask, of: target.connection)
            last = result
            // A refused token was not acted upon: the same request goes once more with another, whatever its method.
            if let spec, let token = opened?.token, await tell(outcome.ending, of: token, spec, target.connection), !wasRefused {
                wasRefused = true
                if case .success(let fresh) = await self.credential(spec, of: target, by: deadline),
                    fresh.token?.serial != token.serial
                {
                    continue
                }
            }

            let delay = configuration.retry.delay(
                after: outcome.ending, tries: exchange.tries, isIdempotent: prepared.isIdempotent,
                remainingNanoseconds: deadline - .now(), random: entropy.next())
            guard let delay, connections[target.connection]?.budget.withdraw() != false else { return result }
            await pause(until: .now() + delay)
            if Task.isCancelled { return .failure(AttemptFailure(.cancelled, "\(prepared.label): cancelled")) }
            if isClosed { return .failure(Self.closing) }
        }
    }

    func takeID() -> UInt64 {
        nextID += 1
        return nextID
    }

    static let closing = AttemptFailure(.cancelled, "the daemon is stopping")

    private static func circuitOpen(_ target: OutboundTarget, _ wait: Int64, _ last: String?) -> AttemptFailure {
        let why = last.map { ", last: \($0)" } ?? ""
        return AttemptFailure(
            .remoteDown,
            "circuit open: \(target.provider) failed too often in a row for \(target.connection); nothing is sent for now\(why)",
            retryAfterMilliseconds: UInt64(max(1, wait / 1_000_000)))
    }

    private static func throttled(_ label: String, _ wait: Int64, isPaused: Bool) -> AttemptFailure {
        let why =
            isPaused
            ? "the provider asked not to be called for another \(wait / 1_000_000_000) s (berthctl connection reset-circuit NAME ends that)"
            : "its rate limit leaves no room before the deadline"
        return AttemptFailure(
            .throttled, "\(label): \(why)",
            retryAfterMilliseconds: UInt64(max(1, wait / 1_000_000)))
    }
}
