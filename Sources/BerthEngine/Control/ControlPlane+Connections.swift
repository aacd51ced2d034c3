// Connections over the control API, and what is done to them: check, sync, actions.

public import BerthControlAPI
public import BerthModel
import BerthSeams

extension ControlPlane {
    public func listConnections() async throws(BerthError) -> List<ConnectionView> {
        let states = try await store.streamStates(of: nil)
        let ages = try await ages.ages()
        return List(items: connections.directory.connections().map { view($0, states, generated: nil, nil, ages[$0.id]) })
    }

    public func showConnection(_ id: String) async throws(BerthError) -> ConnectionView {
        let connection = try connections.find(id)
        return try await view(connection)
    }

    public func createConnection(_ request: NewConnection, _ caller: Caller) async throws(BerthError) -> ConnectionView {
        guard let provider = ProviderName(request.provider), let manifest = host.manifest(of: provider) else {
            let plugins = await host.plugins()
            if let refused = plugins.first(where: { $0.manifest.id.text == request.provider }) {
                throw BerthError(
                    .conflict, "plugin '\(request.provider)' is not in service: \(refused.problem?.message ?? "it was refused")",
                    hint: refused.problem?.hint ?? "berthctl plugin show \(request.provider)")
            }
            let known = plugins.map(\.manifest.id.text)
            let nearest = NearestName.of(request.provider, among: known).map { "; did you mean '\($0)'?" } ?? ""
            throw BerthError(
                .notFound, "there is no plugin '\(request.provider)'\(nearest)", hint: "installed: \(known.joined(separator: ", "))")
        }
        guard let workspace = WorkspaceName(request.workspace ?? "default") else {
            throw BerthError(.invalid, "workspace: '\(request.workspace ?? "")' must be 1 to 64 of a-z, 0-9, '-' and '_'")
        }
        let defaults = manifest.streams.filter(\.isReadable).compactMap { stream in stream.defaultSchedule.map { (stream.name.text, $0) } }
        try checkZones(request.streams?.mapValues(\.schedule) ?? Dictionary(defaults) { first, _ in first })
        let draft = draft(
            name: request.name, request.base_url, request.credentials, request.settings, request.webhook, request.streams)
        let created = try await connections.create(provider: provider, workspace: workspace, draft, actor: caller.actor)
        scheduler.wakeUp()
        return try await view(created.connection, generated: created.generatedSecret)
    }

    public func changeConnection(_ id: String, _ request: ConnectionChange, _ caller: Caller) async throws(BerthError) -> ConnectionView {
        let connection = try connections.find(id)
        try checkZones((request.streams ?? [:]).mapValues(\.schedule))
        let draft = draft(
            name: request.name, request.base_url, request.credentials, request.settings, request.webhook, request.streams)
        let changed = try await connections.update(connection.id, draft, actor: caller.actor)
        scheduler.wakeUp()
        return try await view(changed.connection, generated: changed.generatedSecret)
    }

    public func removeConnection(_ id: String, _ caller: Caller) async throws(BerthError) -> ConnectionRemoved? {
        try await connections.remove(try connections.find(id).id, actor: caller.actor).map { ConnectionRemoved(problem: $0) }
    }

    public func setPaused(_ isPaused: Bool, _ id: String, _ caller: Caller) async throws(BerthError) -> ConnectionView {
        let connection = try await connections.setPaused(isPaused, try connections.find(id).id, actor: caller.actor)
        dispatchSignal.raise(connection.id)
        scheduler.wakeUp()
        return try await view(connection)
    }

    public func checkConnection(_ id: String, _ caller: Caller) async throws(BerthError) -> CheckResult {
        switch try await connections.check(try connections.find(id).id, actor: caller.actor) {
        case .success(let reply): return CheckResult(ok: true, account: JSONValue(text: reply) ?? .null, failure: nil)
        case .failure(let failure): return CheckResult(ok: false, account: .null, failure: failure)
        }
    }

    public func connectConnection(_ id: String, _ request: ConnectRequest, _ caller: Caller) async throws(BerthError) -> Consent {
        let connection = try connections.find(id)
        let own = "\(facts.publicURL())/oauth/callback"
        if let uri = request.redirect_uri, !uri.hasPrefix("https://"), !uri.hasPrefix("http://") {
            throw BerthError(.invalid, "redirect_uri: '\(uri.prefix(120))' is no web address", hint: "leave it out for \(own)")
        }
        let invitation = try await connections.connect(connection.id, redirectURI: request.redirect_uri ?? own, actor: caller.actor)
        return Consent(url: invitation.url, redirect_uri: invitation.redirectURI, expires_at: invitation.expiresAt)
    }

    public func completeConnection(_ id: String, _ answer: ConsentAnswer, _ caller: Caller) async throws(BerthError) -> ConnectionView {
        let connection = try connections.find(id)
        var fields: [(name: String, value: String)] = []
        if let url = answer.url?.exposed {
            guard let mark = url.firstIndex(of: "?") else {
                throw BerthError(
                    .invalid, "url: there is no '?code=...' in it", hint: "paste the whole address line of the browser after the consent")
            }
            fields = PercentDecoding.fields(url[url.index(after: mark)...].prefix { $0 != "#" })
        }
        if let code = answer.code?.exposed { fields.append(("code", code)) }
        if let state = answer.state { fields.append(("state", state)) }
        guard !fields.isEmpty else { throw BerthError(.invalid, "give url, or code and state") }
        return try await view(try await connections.complete(fields, expected: connection.id, actor: caller.actor))
    }

    public func disconnectConnection(_ id: String, _ caller: Caller) async throws(BerthError) -> ConnectionView {
        let connection = try await connections.disconnect(try connections.find(id).id, actor: caller.actor)
        scheduler.wakeUp()
        return try await view(connection)
    }

    public func clearCache(_ id: String, _ query: ListQuery, _ caller: Caller) async throws(BerthError) -> CacheCleared {
        try refuseUnknown(query, known: ["prefix"])
        let prefix = query["prefix"]
        if let prefix, !prefix.hasPrefix("/") {
            throw BerthError(
                .invalid, "prefix: '\(prefix.prefix(120))' does not begin with '/'",
                hint: "such as /api/v2/prospects, as the request log shows paths")
        }
        return CacheCleared(removed: try await connections.clearCache(try connections.find(id).id, prefix: prefix, actor: caller.actor))
    }

    public func syncStream(_ id: String, _ stream: String, _ request: SyncRequest, _ caller: Caller) async throws(BerthError) -> RunView {
        let connection = try connections.find(id)
        let spec = try spec(of: connection)
        let readable = spec.streams.filter(\.isReadable)
        guard let found = readable.first(where: { $0.name.text == stream }) else {
            let nearest = NearestName.of(stream, among: readable.map(\.name.text)).map { "; did you mean '\($0)'?" } ?? ""
            throw BerthError(
                .notFound, "\(connection.provider) has no readable stream '\(stream)'\(nearest)",
                hint: "there are: \(readable.map(\.name.text).joined(separator: ", "))")
        }
        guard connection.status != .disconnected else { throw Connections.disconnected(connection) }
        guard connection.status != .paused else {
            throw BerthError(
                .conflict, "connection '\(connection.name)' is paused", hint: "berthctl connection resume \(connection.name)")
        }
        let state = try await store.streamStates(of: connection.id).first { $0.stream == found.name }
        let run = try await scheduler.enqueue(
            connection, found, state, trigger: .manual, mode: request.mode, since: request.since, until: request.until)
        try await audit("sync.requested", caller, connection.id, "\(found.name) \(run.mode.rawValue) \(run.id)")
        return view(run)
    }

    public func performAction(_ id: String, _ action: String, _ input: [UInt8], _ caller: Caller) async throws(BerthError) -> ActionResult {
        let connection = try connections.find(id)
        let manifest = try spec(of: connection)
        guard let spec = manifest.actions.first(where: { $0.name == action }) else {
            let names = manifest.actions.map(\.name)
            let nearest = NearestName.of(action, among: names).map { "; did you mean '\($0)'?" } ?? ""
            throw BerthError(
                .notFound, "\(connection.provider) has no action '\(action)'\(nearest)", hint: "there are: \(names.joined(separator: ", "))"
            )
        }
        guard connection.status != .disconnected else { throw Connections.disconnected(connection) }
        try check(input, against: spec, connection.provider)
        // Before, so that an action is never done without a trace.
        try await audit("action.performed", caller, connection.id, action)
        let request = ActionRequest(name: action, input: input, idempotencyKey: RunID(clock, entropy).description)
        switch await host.perform(request, for: InstanceFactory(host: host).instance(of: connection, manifest)) {
        case .failure(let failure):
            throw BerthError(
                failure.status == .invalidEvent ? .invalid : failure.status == .notFound ? .notFound : .provider,
                "action '\(action)' failed: \(failure.message)", hint: failure.status.advice(connection.name),
                isRetryable: failure.status == .retry || failure.status == .throttled || failure.status == .remoteDown)
        case .success(let outcome):
            switch StreamEntities(manifest).changes(outcome.records) {
            case .failure(let failure): throw BerthError(.plugin, failure.message)
            case .success(let changes):
                if !changes.isEmpty {
                    feed.publish(try await store.apply(changes, connection: connection.id, now: clock.now()).notices)
                }
                return ActionResult(output: JSONValue(text: outcome.output) ?? .null, records: changes.count)
            }
        }
    }

    // MARK: parts

    /// Refuses what the plugin's schema does not allow, so that nothing is bought with it and no plugin is blamed for it.
    private func check(_ input: [UInt8], against action: ActionSpec, _ provider: ProviderName) throws(BerthError) {
        guard let text = action.inputSchema, let schema = JSONValue(text: Array(text.utf8)), let value = JSONValue(text: input) else {
            return
        }
        let problems = try JSONSchema(schema).problems(in: value)
        guard problems.isEmpty else {
            throw BerthError(
                .invalid, problems.prefix(10).joined(separator: "; ") + (problems.count > 10 ? "; ..." : ""),
                hint: "berthctl plugin show \(provider) has the input_schema of '\(action.name)'")
        }
    }

    private func view(_ connection: Connection, generated: String? = nil) async throws(BerthError) -> ConnectionView {
        let state = connection.credentialKind?.isOAuth == true ? await connections.grants.state(of: connection.id) : nil
        var view = view(
            connection, try await store.streamStates(of: connection.id), generated: generated, state,
            try await ages.ages(of: connection.id)[connection.id])
        view.egress = await outbound.egress(of: connection.id).map { .init($0) }
        if let traffic = await traffic(of: connection) {
            view.circuit = .init(traffic.circuit)
            view.limits = traffic.limits.map { .init($0) }
            view.pauses = traffic.pauses.isEmpty ? nil : traffic.pauses
        }
        return view
    }

    private func spec(of connection: Connection) throws(BerthError) -> PluginManifest {
        guard let manifest = host.manifest(of: connection.provider) else {
            throw BerthError(.unsupported, "plugin '\(connection.provider)' is not loaded", hint: "berthctl plugin list")
        }
        return manifest
    }

    /// Zones are files of this machine: whoever drafts a connection does not know them.
    private func checkZones(_ schedules: [String: String]) throws(BerthError) {
        for (name, schedule) in schedules.sorted(by: { $0.key < $1.key }) where !schedule.isEmpty {
            do { try scheduler.check(schedule) } catch {
                guard error.code.rawValue.hasPrefix("zone") else { continue }
                throw BerthError(.invalid, "streams.\(name).schedule: \(error.message)", hint: error.hint)
            }
        }
    }

    private func draft(
        name: String?, _ baseURL: String?, _ credentials: NewConnection.Credentials?, _ settings: [String: JSONValue]?,
        _ webhook: NewConnection.Webhook?, _ streams: [String: NewConnection.Stream]?
    ) -> ConnectionDraft {
        var draft = ConnectionDraft()
        draft.name = name
        draft.baseURL = baseURL
        draft.credentialKind = credentials?.kind
        draft.credentialFields = credentials?.fields.mapValues { Secret(copying: $0.exposed.utf8) }
        draft.settings = settings
        draft.schedules = streams?.mapValues(\.schedule)
        if let webhook {
            var wish = ConnectionDraft.WebhookDraft()
            wish.scheme = webhook.scheme
            wish.secret = webhook.secret.map { Secret(copying: $0.exposed.utf8) }
            wish.allowIPs = webhook.allow_ips
            wish.header = webhook.header
            wish.algorithm = webhook.algorithm
            wish.encoding = webhook.encoding
            wish.prefix = webhook.prefix
            wish.toleranceSeconds = webhook.tolerance_seconds
            draft.webhook = wish
        }
        return draft
    }

    private func view(
        _ connection: Connection, _ states: [StreamState], generated: String?, _ grant: GrantState?, _ age: CredentialAges.Age?
    ) -> ConnectionView {
        let manifest = host.manifest(of: connection.provider)
        var streams: [String: JSONValue] = [:]
        for stream in manifest?.streams.filter(\.isReadable) ?? [] {
            let state = states.first { $0.connection == connection.id && $0.stream == stream.name }
            streams[stream.name.text] = .object([
                "schedule": connection.schedules[stream.name].map { .string($0) } ?? .null, "entity": .string(stream.entity.text),
                "last_run_at": state?.lastRunAt.map { .string($0.description) } ?? .null,
                "last_status": state?.lastStatus.map { .string($0.rawValue) } ?? .null,
                "high_water": state?.highWater.map { .string($0.description) } ?? .null,
                // What the provider asked for; past times say nothing any more.
                "not_before": state?.notBefore.flatMap { $0 > clock.now() ? .string($0.description) : nil } ?? .null,
            ])
        }
        return ConnectionView(
            id: connection.id.description, provider: connection.provider.text, workspace: connection.workspace.text, name: connection.name,
            status: connection.status.rawValue, base_url: connection.baseURL,
            credentials: connection.credentialKind.map { credentialView($0, grant) } ?? .null, settings: connection.settings,
            webhook: connection.webhook.map { webhookView($0, of: connection, manifest, generated, age?.webhookSetAt) }, streams: streams,
            failures: connection.consecutiveFailures, last_error: connection.lastError, last_sync_at: connection.lastSyncAt,
            created_at: connection.createdAt, updated_at: connection.updatedAt, credentials_set_at: age?.setAt,
            credentials_age_days: age?.days,
            rotation_due: age?.isDue ?? false)
    }

    private func credentialView(_ kind: CredentialSpec.Kind, _ grant: GrantState?) -> JSONValue {
        var members: [String: JSONValue] = ["kind": .string(kind.rawValue)]
        if let grant {
            members["connected"] = .bool(grant.isConnected)
            members["expires_at"] = grant.expiresAt.map { .string($0.description) }
            members["account"] = grant.account.map { .string($0) }
            members["problem"] = grant.problem.map { .string($0) }
        }
        return .object(members)
    }

    private func webhookView(
        _ rules: ConnectionWebhook, of connection: Connection, _ manifest: PluginManifest?, _ generated: String?, _ setAt: Timestamp?
    ) -> ConnectionView.WebhookView {
        let url = "\(facts.publicURL())/webhooks/\(connection.provider)/\(connection.id)"
        let hmac = rules.scheme == .hmac ? manifest?.webhook?.hmac : nil
        let isToken = rules.scheme == .token
        return ConnectionView.WebhookView(
            url: isToken ? generated.map { "\(url)/\($0)" } ?? "\(url)/{token}" : url, scheme: rules.scheme.rawValue,
            header: rules.scheme == .hmac ? rules.header ?? hmac?.header : nil,
            algorithm: hmac.map { (rules.algorithm ?? $0.algorithm).rawValue },
            encoding: hmac.map { (rules.encoding ?? $0.encoding).rawValue },
            prefix: rules.scheme == .hmac ? rules.prefix ?? hmac?.prefix : nil, allow_ips: rules.allowIPs,
            token: isToken ? generated : nil, secret: isToken ? nil : generated, secret_set_at: setAt)
    }
}
