// What is remembered of a connection between its requests.

public import BerthModel
public import BerthSeams
import Logging

/// A credential in the form requests take, and the token it is made of.
struct OpenedCredential {
    var credential: ConnectionCredential
    var token: AccessToken?
    /// The provider took the token.
    var isProven = false
}

/// Owned by the CurlOutbound actor.
struct ConnectionState {
    var provider: ProviderName
    var baseURL: String
    var http: PluginManifest.HTTP
    var egress: EgressGuard
    var credentials: [CredentialSpec: OpenedCredential] = [:]
    var breaker: CircuitBreaker
    var budget = RetryBudget()
    /// What the provider's last failure was; for those who find the circuit open and would not learn why.
    var lastFailure: String?
    /// Why the last request had no token; nil once one was had.
    var tokenFailure: String?
}

extension CurlOutbound {
    /// Takes up the target's current addresses and limits; parsed again only when they changed.
    func adopt(_ target: OutboundTarget) -> Result<EgressGuard, AttemptFailure> {
        // Asked each time: it may have been disconnected since.
        guard let policy = policy(target.connection) else { return .failure(Self.cutOff(target)) }
        if let known = connections[target.connection], known.baseURL == target.baseURL, known.http == target.http {
            return .success(known.egress)
        }
        return EgressGuard.make(for: target, policy: policy).map { egress in
            if connections[target.connection] == nil {
                connections[target.connection] = ConnectionState(
                    provider: target.provider, baseURL: target.baseURL, http: target.http, egress: egress,
                    breaker: CircuitBreaker(
                        threshold: configuration.circuitThreshold, openNanoseconds: configuration.circuitOpenTime.nanoseconds))
            } else {
                if connections[target.connection]?.egress.origin != egress.origin { forgetCircuit(target.connection) }
                connections[target.connection]?.baseURL = target.baseURL
                connections[target.connection]?.http = target.http
                connections[target.connection]?.egress = egress
            }
            return egress
        }
    }

    /// It now goes to another server, of which the old one's failures say nothing.
    private func forgetCircuit(_ connection: ConnectionID) {
        guard let failures = connections[connection]?.breaker.failures, failures > 0 else { return }
        connections[connection]?.breaker = CircuitBreaker(
            threshold: configuration.circuitThreshold, openNanoseconds: configuration.circuitOpenTime.nanoseconds)
        connections[connection]?.lastFailure = nil
        tellCircuit(connection)
    }

    /// Why nothing may begin with this target; nil: it may.
    func refusal(of target: OutboundTarget) -> AttemptFailure? {
        guard policy(target.connection) != nil else { return Self.cutOff(target) }
        return isInService(target) ? nil : .connectionChanged(target.connection)
    }

    /// Whether the target's address and credential are those the connection has now.
    func isInService(_ target: OutboundTarget) -> Bool {
        guard let accessRevision, let asked = target.credential?.accessRevision else { return true }
        return asked != 0 && asked == accessRevision(target.connection)
    }

    static func cutOff(_ target: OutboundTarget) -> AttemptFailure {
        AttemptFailure(.denied, "connection \(target.connection) is disconnected or removed: nothing is sent for it")
    }

    /// The opened credential, from memory after the first time; of an OAuth kind with the token that is good now.
    func credential(_ spec: CredentialSpec, of target: OutboundTarget, by deadline: Monotonic) async -> Result<
        OpenedCredential, AttemptFailure
    > {
        if let refusal = refusal(of: target) { return .failure(refusal) }
        guard !spec.kind.isOAuth else { return await tokenCredential(spec, of: target, by: deadline) }
        if let known = connections[target.connection]?.credentials[spec] { return .success(known) }
        let before = forgetCount
        let loaded = await ConnectionCredential.load(spec, of: target.connection, from: secrets).map { OpenedCredential(credential: $0) }
        // Looked at after it was read: revisions never come back, so it is of the target's own.
        if let refusal = refusal(of: target) { return .failure(refusal) }
        // Not kept when it was forgotten meanwhile: it may be the old one.
        if case .success(let credential) = loaded, forgetCount == before {
            connections[target.connection]?.credentials[spec] = credential
        }
        return loaded
    }

    private func tokenCredential(
        _ spec: CredentialSpec, of target: OutboundTarget, by deadline: Monotonic
    ) async -> Result<OpenedCredential, AttemptFailure> {
        guard let tokens else { return .failure(AttemptFailure(.internal, "nothing here gives tokens for kind \(spec.kind.rawValue)")) }
        switch await token(of: target.connection, spec, from: tokens, by: deadline) {
        case .failure(let failure):
            if failure.status != .cancelled { connections[target.connection]?.tokenFailure = failure.message }
            return .failure(failure)
        case .success(let token):
            if let refusal = refusal(of: target) { return .failure(refusal) }
            connections[target.connection]?.tokenFailure = nil
            if let known = connections[target.connection]?.credentials[spec], known.token?.serial == token.serial { return .success(known) }
            let opened = OpenedCredential(credential: ConnectionCredential(spec, token: token.secret), token: token)
            connections[target.connection]?.credentials[spec] = opened
            return .success(opened)
        }
    }

    /// Circuits that are not closed, or count failures.
    public func circuits() -> [CircuitStatus] {
        let now = Monotonic.now()
        return connections.compactMap { id, state in
            state.breaker.failures == 0 ? nil : status(of: id, state, now)
        }
    }

    /// Closes a connection's circuit by hand, and ends pauses that its provider asked for: who does so knows better.
    public func resetCircuit(of target: OutboundTarget) async {
        let connection = target.connection
        await endPauses(connection, LimitedServer(of: target))
        guard let state = connections[connection], state.breaker.failures > 0 else { return }
        connections[connection]?.breaker = CircuitBreaker(
            threshold: configuration.circuitThreshold, openNanoseconds: configuration.circuitOpenTime.nanoseconds)
        tellCircuit(connection)
    }

    func tellCircuit(_ connection: ConnectionID) {
        guard let state = connections[connection] else { return }
        let status = status(of: connection, state, .now())
        logger.warning(
            "circuit \(status.state.rawValue)",
            metadata: ["provider": "\(state.provider)", "connection": "\(connection)", "failures": "\(status.failures)"])
        observer?.circuitChanged(status)
    }

    private func status(of id: ConnectionID, _ state: ConnectionState, _ now: Monotonic) -> CircuitStatus {
        CircuitStatus(
            provider: state.provider, connection: id, state: state.breaker.state(now), failures: state.breaker.failures,
            retryAfter: state.breaker.refusal(now).map { .nanoseconds($0) })
    }
}
