// Requests to providers over the control API: circuits, limits, and the log of requests.

public import BerthControlAPI
public import BerthModel
import BerthSeams

extension ControlPlane {
    public func resetCircuit(_ id: String, _ caller: Caller) async throws(BerthError) -> ConnectionView {
        let connection = try connections.find(id)
        await outbound.resetCircuit(of: target(of: connection, host.manifest(of: connection.provider)))
        // What a run was asked to wait for outlives the pause of requests.
        try await store.endWaits(of: connection.id)
        scheduler.wakeUp()
        try await audit("connection.circuit_reset", caller, connection.id, "\(connection.provider)/\(connection.name)")
        return try await showConnection(id)
    }

    public func listRequests(_ query: ListQuery) async throws(BerthError) -> List<RequestView> {
        try refuseUnknown(query, known: ["connection", "provider", "status", "failed", "since", "until", "limit", "cursor"])
        var filter = RequestLogFilter(
            connection: try connection(query), since: try time(query, "since"), until: try time(query, "until"))
        if let text = query["provider"] {
            filter.provider = ProviderName(text)
            if filter.provider == nil { throw BerthError(.invalid, "provider: '\(text)' is no provider's name") }
        }
        if let text = query["status"] {
            guard let status = Int(text), (100...599).contains(status) else {
                throw BerthError(.invalid, "status: '\(text)' is not 100 to 599")
            }
            filter.status = status
        }
        if let text = query["failed"] {
            guard ["true", "false"].contains(text) else { throw BerthError(.invalid, "failed: '\(text)' is neither true nor false") }
            filter.failedOnly = text == "true"
        }
        let page = try await store.requestLog(filter, page: try page(query))
        return List(
            items: page.items.map { entry in
                RequestView(
                    at: entry.at, connection: entry.connection.description, provider: entry.provider.text, method: entry.method,
                    host: entry.host, path: entry.path, request_class: entry.requestClass, status: entry.status,
                    failure: entry.failure?.rawValue, reason: entry.reason, duration_seconds: Double(entry.milliseconds) / 1000,
                    waited_seconds: Double(entry.waitedMilliseconds) / 1000, bytes: entry.bytes, tries: entry.tries)
            }, next: page.next)
    }

    /// How a connection's requests fare now; nil without its plugin.
    func traffic(of connection: Connection) async -> ConnectionTraffic? {
        guard let manifest = host.manifest(of: connection.provider) else { return nil }
        return await outbound.traffic(of: target(of: connection, manifest))
    }

    private func target(of connection: Connection, _ manifest: PluginManifest?) -> OutboundTarget {
        let settings = manifest.map { InstanceFactory.effectiveSettings(connection.settings, $0) } ?? [:]
        return OutboundTarget(
            connection: connection.id, provider: connection.provider,
            baseURL: manifest.map { InstanceFactory.baseURL(connection, $0, settings) } ?? connection.baseURL ?? "",
            http: manifest?.http ?? PluginManifest.HTTP(), credential: nil)
    }

    private func pausePart(_ connection: Connection, _ seconds: Double) -> Health.Part {
        Health.Part(
            name: "limit:\(connection.provider)/\(connection.name)", status: "degraded",
            detail: "the provider asked not to be called for another \(Int(seconds.rounded(.up))) s",
            hint: "if that can't be right: berthctl connection reset-circuit \(connection.provider)/\(connection.name) ends it")
    }

    /// Health parts of connections that look active and have no token: their token endpoint or the folder of grants fails.
    func tokenParts() async -> [Health.Part] {
        let failures = await outbound.tokenFailures()
        return connections.directory.connections().compactMap { connection in
            guard connection.status == .active, let why = failures[connection.id] else { return nil }
            return Health.Part(
                name: "token:\(connection.provider)/\(connection.name)", status: "degraded",
                detail: "the last request had no token: \(why)",
                hint: "each request tries again; berthctl connection check \(connection.provider)/\(connection.name) does so now")
        }
    }

    /// Health parts of circuits that are not closed, and of pauses that are long.
    func circuitParts() async -> [Health.Part] {
        let open = await outbound.openCircuits()
        let paused = await outbound.longPauses()
        return connections.directory.connections().compactMap { connection in
            guard let circuit = open[connection.id] else { return paused[connection.id].map { pausePart(connection, $0) } }
            let wait = circuit.retryAfterSeconds.map { ", next try in \(Int($0.rounded(.up))) s" } ?? ", the next request tries"
            let why = circuit.lastFailure.map { ": \($0)" } ?? ""
            return Health.Part(
                name: "circuit:\(connection.provider)/\(connection.name)", status: "degraded",
                detail: "\(circuit.state) after \(circuit.failures) failures in a row\(wait)\(why)",
                hint: "once the provider works again: berthctl connection reset-circuit \(connection.provider)/\(connection.name)")
        }
    }
}

extension ConnectionView.CircuitPart {
    init(_ circuit: CircuitView) {
        self.init(
            state: circuit.state, failures: circuit.failures, retry_after_seconds: circuit.retryAfterSeconds,
            last_failure: circuit.lastFailure)
    }
}

extension ConnectionView.LimitPart {
    init(_ view: LimitView) {
        self.init(
            requests: view.limit.requests, window_seconds: view.limit.windowSeconds, request_class: view.limit.requestClass,
            scope: view.limit.scope.rawValue, used: view.used, retry_after_seconds: view.retryAfterSeconds)
    }
}

extension ConnectionView.EgressPart {
    init(_ view: EgressView) {
        self.init(
            set_in: view.place, allowed_hosts: view.allowedHosts, denied_hosts: view.deniedHosts, private_networks: view.privateNetworks,
            proxy: view.proxy, proxy_has_credentials: view.hasProxyCredentials, ca_file: view.caFile)
    }
}
