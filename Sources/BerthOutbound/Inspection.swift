// What an operator sees of the broker's state, and the one thing to do about it.

public import BerthModel
public import BerthSeams

extension CurlOutbound: OutboundInspection {
    /// See ``OutboundInspection``.
    public func traffic(of target: OutboundTarget) -> ConnectionTraffic {
        let now = Monotonic.now()
        let connection = target.connection
        let server = LimitedServer(of: target)
        // Limits that nothing was sent under yet are shown all the same.
        if admissions[server] == nil { admissions[server] = makeAdmission(server) }
        admissions[server]?.configure(connection, target.http, now: now)
        let views = admissions[server]?.views(connection, now: now) ?? (limits: [], pauses: [:])
        let circuit = connections[connection].map { view($0, now) }
        return ConnectionTraffic(
            circuit: circuit
                ?? CircuitView(state: CircuitStatus.State.closed.rawValue, failures: 0, retryAfterSeconds: nil, lastFailure: nil),
            limits: views.limits, pauses: views.pauses)
    }

    /// See ``OutboundInspection``.
    public func egress(of connection: ConnectionID) -> EgressView? {
        policy(connection).map { policy in
            EgressView(
                place: policy.place, allowedHosts: policy.allowedHosts.map { $0.map(\.description) },
                deniedHosts: policy.deniedHosts.map(\.description),
                privateNetworks: policy.privateNetworks.map(\.description), proxy: policy.proxy?.url,
                hasProxyCredentials: policy.proxy?.credentials != nil, caFile: policy.caFile)
        }
    }

    /// See ``OutboundInspection``.
    public func openCircuits() -> [ConnectionID: CircuitView] {
        let now = Monotonic.now()
        return connections.compactMapValues { $0.breaker.state(now) == .closed ? nil : view($0, now) }
    }

    /// See ``OutboundInspection``.
    public func tokenFailures() -> [ConnectionID: String] { connections.compactMapValues(\.tokenFailure) }

    /// See ``OutboundInspection``.
    public func longPauses() -> [ConnectionID: Double] {
        let now = Monotonic.now()
        return admissions.reduce(into: [:]) { found, entry in
            for (id, left) in entry.value.pausesLeft(now) where left >= 60 {
                // One that has gone to another server is not held back by what the old one asked for.
                if let state = connections[id], state.egress.origin.text != entry.key.origin { continue }
                found[id] = max(found[id] ?? 0, left)
            }
        }
    }

    private func view(_ state: ConnectionState, _ now: Monotonic) -> CircuitView {
        CircuitView(
            state: state.breaker.state(now).rawValue, failures: state.breaker.failures,
            retryAfterSeconds: state.breaker.refusal(now).map { Double($0) / 1e9 },
            lastFailure: state.breaker.failures == 0 ? nil : state.lastFailure)
    }
}
