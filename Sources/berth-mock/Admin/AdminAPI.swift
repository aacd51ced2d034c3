// `/_mock/...`: steers the mock and tells what it knows. Not part of any provider; faults don't strike here.

/// The mock's own routes.
struct AdminAPI: Sendable {
    let providers: [ProviderName: PlayedProvider]
    let senders: [ProviderName: WebhookSender]
    let ledger: DeliveryLedger
    let tally: RequestTally
    let faults: FaultBoard
    let allowsRemote: Bool
    /// nil: not played.
    let authorization: AuthorizationServer?

    /// Answers a request below `/_mock`.
    func answer(_ request: APIRequest) async -> Reply {
        let path = Array(request.segments.dropFirst())
        if path.first == "oauth" {
            guard let authorization else { return Self.problem(404, "no authorization server is played; start with --oauth") }
            return await authorization.administer(request, path: Array(path.dropFirst()))
        }
        do {
            switch (request.method, path.first ?? "", path.count) {
            case ("GET", "ledger", 1): return await summary(withIDs: request.query["ids"] == "1")
            case ("GET", "calls", 2):
                let provider = try provider(path[1])
                return Reply(status: 200, headers: [("Content-Type", "application/x-ndjson")], body: await provider.truth())
            case ("GET", "faults", 1): return faultList()
            case ("PUT", "faults", 1): return try replaceFaults(request)
            case ("POST", "webhooks", 1): return try await retarget(request)
            case ("DELETE", "webhooks", 2):
                await (try sender(path[1])).stop()
                return .empty(204)
            case ("POST", "send", 1): return try await send(request)
            case ("POST", "late-changes", 1): return try await change(request)
            case (_, "trap", 1): return .text(200, "A client followed a redirect it should not have followed.")
            default: return Self.problem(404, "no route \(request.method) \(request.path)")
            }
        } catch {
            return Self.problem(400, "\(error)")
        }
    }

    /// The ledger's counts by provider, with the requests its API got.
    func summary(withIDs: Bool = false) async -> Reply {
        let totals = await ledger.totals
        var calls: [ProviderName: Int] = [:]
        for (name, provider) in providers { calls[name] = await provider.callCount }
        let oauth = await authorization?.summary(withEntries: false)
        return .json { json in
            json.object { json in
                for name in ProviderName.allCases where providers[name] != nil {
                    json.object(name.rawValue) { json in
                        (totals[name] ?? LedgerTotals()).write(to: &json, withIDs: withIDs)
                        json.put("calls", calls[name])
                        json.put("api_requests", tally.total(name.rawValue))
                        json.object("api") { tally.write(name.rawValue, to: &$0) }
                    }
                }
                if let oauth {
                    json.put("oauth", verbatim: String(decoding: oauth.body, as: UTF8.self))
                    json.object("oauth_api") { tally.write("oauth", to: &$0) }
                }
                json.object("other") { json in json.object("api") { tally.write("other", to: &$0) } }
            }
        }
    }

    private func provider(_ text: String) throws -> PlayedProvider {
        guard let name = ProviderName(rawValue: text), let provider = providers[name] else {
            throw MockProblem(
                "provider '\(text)' is not played; played are \(providers.keys.map(\.rawValue).sorted().joined(separator: ", "))")
        }
        return provider
    }

    private func sender(_ text: String?) throws -> WebhookSender {
        let provider = try provider(text ?? (providers.count == 1 ? providers.keys.first?.rawValue ?? "" : ""))
        guard let sender = senders[provider.name] else { throw MockProblem("no sender for \(provider.name.rawValue)") }
        return sender
    }

    private func faultList() -> Reply { .json { $0.object { $0.array("faults", texts: faults.texts) } } }

    private func replaceFaults(_ request: APIRequest) throws -> Reply {
        guard let body = request.document, case .array(let items)? = body["faults"] else {
            throw MockProblem("body is {\"faults\":[\"KIND:PROBABILITY\"]}")
        }
        faults.replace(try items.map { try Fault($0.text ?? "") })
        return faultList()
    }

    private func retarget(_ request: APIRequest) async throws -> Reply {
        let body = request.document
        let sender = try sender(body?["provider"]?.text)
        var settings = await sender.settings
        if let url = body?["url"]?.text { settings.target = try SendSettings.checked(url, allowsRemote: allowsRemote) }
        if let scheme = body?["scheme"]?.text {
            let isComplete = scheme.contains(":") || body?["secret"] == nil
            settings.scheme = try SigningScheme(
                isComplete ? scheme : "\(scheme):\(body?["secret"]?.text ?? "")\(body?["header"]?.text.map { ":\($0)" } ?? "")")
        }
        if let rate = body?["rate"]?.number { settings.rate = rate }
        settings.count = body?["count"]?.integer
        await sender.start(settings)
        return .json(202) { json in
            json.object { json in
                json.put("url", settings.target)
                json.put("rate", verbatim: String(settings.rate))
                json.put("count", settings.count)
            }
        }
    }

    private func send(_ request: APIRequest) async throws -> Reply {
        let body = request.document
        let entries = await (try sender(body?["provider"]?.text)).sendNow(body?["count"]?.integer ?? 1)
        return .json { json in
            json.object { json in
                json.array("outcomes") { json in for entry in entries { json.object { entry.write(to: &$0) } } }
            }
        }
    }

    private func change(_ request: APIRequest) async throws -> Reply {
        let body = request.document
        let changed = await (try provider(body?["provider"]?.text ?? "")).changeLate(count: body?["count"]?.integer ?? 1)
        return .json { $0.object { $0.array("changed", texts: changed) } }
    }

    private static func problem(_ status: Int, _ message: String) -> Reply { .json(status) { $0.object { $0.put("error", message) } } }
}

extension SendSettings {
    /// A URL this program may send to. - Throws: when it is no http URL, or leads off this machine.
    static func checked(_ url: String, allowsRemote: Bool) throws(MockProblem) -> String {
        guard let parsed = OutgoingURL(url) else { throw MockProblem("'\(url)' is no http:// URL") }
        guard parsed.isLoopback || allowsRemote else { throw MockProblem("'\(url)' leads off this machine; --allow-remote permits it") }
        return url
    }
}
