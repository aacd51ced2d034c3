// Operations on demand, and the credential's proof. Retreaver documents no idempotency keys: writes are sent once.

public import BerthPluginSDK

extension RetreaverAdapter: ActionPerformer, CredentialChecker {
    /// See the manifest for each action's input.
    public func perform(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws {
        switch action.name {
        case "get_call":
            let id = try action.required("call_id")
            let answer = try ask(.get("/api/v2/calls/\(QueryText.encoded(id)).json", class: "lists"), context)
            let root = try answer.json()
            let call = root["call"] ?? root
            try emit(call: call, at: answer.askedAt, to: context)
            reply.value(json: call.jsonBytes)
        case "get_campaign":
            let id = try action.required("campaign_id")
            let root = try ask(.get("/campaigns/cid/\(QueryText.encoded(id)).json"), context).json()
            reply.value(json: (root["campaign"] ?? root).jsonBytes)
        case "provision_number": try provisionNumber(action, &reply, context)
        case "release_number":
            let id = try action.required("number_id")
            let answer = try ask(HTTPRequest(method: "DELETE", path: "/numbers/\(QueryText.encoded(id)).json"), context)
            try context.delete("numbers", key: id, sourceTime: answer.askedAt)
            reply.value(json: #"{"released":true}"#.utf8)
        default: throw ProviderError.unsupported("Retreaver has no action '\(action.name)'")
        }
    }

    /// `GET /company.json`, the company every other request is for.
    public func checkCredentials(_ context: Context) throws -> ProviderAccount? {
        let root = try ask(.get("/company.json"), context).json()
        let company = root["company"] ?? root
        return ProviderAccount(id: company["id"]?.scalarText ?? self.company, name: company["name"]?.scalarText ?? "")
    }

    /// Buys a number for a campaign and a publisher.
    private func provisionNumber(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws {
        let campaign = try action.required("campaign_id")
        let publisher = try action.required("publisher_id")
        let isTollFree = action.input["toll_free"].flatMap(Truth.value) ?? true
        let answer = try ask(
            .json("POST", "/numbers.json") { json in
                json.key("number")
                json.beginObject()
                json.key("type")
                json.value(isTollFree ? "Toll-free" : "Local")
                json.key("afid")
                json.value(publisher)
                json.key("cid")
                json.value(campaign)
                for (name, member): (String, String) in [("sid", "sub_id"), ("country", "country"), ("desired_text", "desired_text")] {
                    guard let value = action.input[member: member]?.scalarText else { continue }
                    json.key(name)
                    json.value(value)
                }
                json.endObject()
            }, context)
        let root = try answer.json()
        try emit(number: root, at: answer.askedAt, to: context)
        reply.value(json: (root["number"].flatMap { $0.kind == .object ? $0 : nil } ?? root).jsonBytes)
    }
}
