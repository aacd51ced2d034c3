// A whole adapter for Callbox, a provider that exists only in this example: paged calls, one webhook, one action.

import BerthPluginSDK

/// One Callbox account.
public struct CallboxAdapter: EventHandler, StreamReader, ActionPerformer, CredentialChecker {
    private let currency: String

    /// Takes its settings; makes no requests.
    public init(_ setup: AdapterSetup) throws {
        currency = setup.text("currency") ?? "EUR"
    }

    /// `GET /calls?page=1&changed_since=...` answers `{"calls":[...],"next_page":2}`.
    public func read(_ request: ReadRequest, _ context: ReadContext) throws {
        guard request.stream == "calls" else { throw ProviderError.unsupported("no stream '\(request.stream)'") }
        var pager = Pager(context)
        try pager.pages(from: request.state?["page"]?.int64.map { Int($0) } ?? 1) { page in
            try context.http.get("/calls", query: ["page": String(page), "changed_since": request.since?.rfc3339])
        } map: { answer in
            let root = try answer.json()
            for row in root["calls"]?.elements ?? root.elements { try emit(row, .members, seen: answer.askedAt, context) }
            return root["next_page"]?.int64.map { Int($0) }
        }
    }

    /// A webhook posts the call as it is now.
    public func handle(_ event: Event, _ context: Context) throws {
        guard event.kind.hasPrefix("call.") else { throw ProviderError.unsupported("no event '\(event.kind)'") }
        let fields = try event.fields()
        guard fields.text("id") != nil else { throw ProviderError.invalidEvent("the delivered call has no id") }
        try emit(fields.root, .facts, seen: event.receivedAt, context)
    }

    /// `tag_call`: input `{"call_id":"...","tag":"..."}`.
    public func perform(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws {
        guard action.name == "tag_call" else { throw ProviderError.unsupported("no action '\(action.name)'") }
        let id = try action.required("call_id"), tag = try action.required("tag")
        let answer = try context.http.post("/calls/\(QueryText.encoded(id))/tags") { json in
            json.key("tag")
            json.value(tag)
        }
        reply.value(json: try answer.json().jsonBytes)
    }

    /// `GET /me`; 401 means that the key is wrong.
    public func checkCredentials(_ context: Context) throws -> ProviderAccount? {
        let me = try context.http.get("/me").json()
        return ProviderAccount(id: me["id"]?.scalarText ?? "", name: me["name"]?.scalarText ?? "")
    }

    private func emit(_ row: JSONNode, _ coverage: RowCoverage, seen: ProviderTime, _ context: Context) throws {
        guard let id = row["id"]?.scalarText else { return }
        try context.upsert("calls", key: id, sourceTime: seen, raw: row, coverage: coverage) { call in
            call.set(.direction, CallDirection.inbound)
            call.set(.status, row["state"]?.string == "done" ? CallStatus.completed : nil)
            call.set(.callerNumber, row["from"])
            call.set(.trackingNumber, row["to"])
            call.set(.startedAt, row["started"])
            call.set(.duration, row["seconds"])
            call.set(.revenue, row["price"])
            call.set(.currency, currency)
        }
    }
}
