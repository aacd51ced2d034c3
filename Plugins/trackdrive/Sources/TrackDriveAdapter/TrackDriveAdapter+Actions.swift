// Operations on demand, and the credential's proof. No idempotency keys are documented: writes are sent once, except
// those that set what they say and can be repeated.

public import BerthPluginSDK

extension TrackDriveAdapter: ActionPerformer, CredentialChecker {
    /// See the manifest for each action's input.
    public func perform(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws {
        switch action.name {
        case "get_call":
            let id = try action.required("call_id")
            let (root, answer) = try ask(.get("/api/v1/calls/\(QueryText.encoded(id))", class: "lists"), context)
            let call = root["call"] ?? root
            try emit(call: call, seen: answer.askedAt, to: context)
            reply.value(json: call.jsonBytes)
        case "update_call": try updateCall(action, &reply, context)
        case "register_webhook": try registerWebhook(action, &reply, context)
        case "unregister_webhook":
            let id = try action.required("subscription_id")
            _ = try ask(HTTPRequest(method: "DELETE", path: "/api/v1/subscriptions/\(QueryText.encoded(id))"), context)
            reply.value(json: #"{"unregistered":true}"#.utf8)
        case "list_webhooks":
            reply.value(json: try ask(.get("/api/v1/subscriptions", query: ["page": "1"]), context).root.jsonBytes)
        default: throw ProviderError.unsupported("TrackDrive has no action '\(action.name)'")
        }
    }

    /// The smallest page of calls: keys of another company are refused with 401 on this one's address.
    public func checkCredentials(_ context: Context) throws -> ProviderAccount? {
        _ = try ask(.get("/api/v1/calls", query: ["page": "1", "per_page": "1"], class: "lists"), context)
        return nil
    }

    /// Sets conversion and revenue. The answer, where it holds the call, is kept as a record.
    private func updateCall(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws {
        let id = try action.required("call_id")
        let input = action.input
        let revenue = input["revenue"]?.scalarText.flatMap(DecimalText.plain)
        let request = HTTPRequest.json("POST", "/api/v1/calls/update_call/\(QueryText.encoded(id))", isIdempotent: true) { json in
            for name in ["buyer_converted", "offer_converted"] {
                guard let flag = input[member: name].flatMap(Truth.value) else { continue }
                json.key(name)
                json.value(flag)
            }
            if let revenue {
                json.key("revenue")
                json.value(json: revenue.utf8)
            }
            if let tokens = input["post_call_tokens"], tokens.kind == .object {
                json.key("post_call_tokens")
                json.value(json: tokens.jsonBytes)
            }
        }
        let (root, answer) = try ask(request, context)
        if let call = root["call"], call.kind == .object { try emit(call: call, seen: answer.askedAt, to: context) }
        reply.value(json: root.jsonBytes)
    }

    /// Subscribes a URL to one event. The URL should carry `event=` since the delivered call does not name it.
    private func registerWebhook(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws {
        let url = try action.required("target_url")
        let event = try action.required("event")
        let named = url + (url.contains("?") ? "&" : "?") + "event=" + QueryText.encoded(event)
        let request = HTTPRequest.json("POST", "/api/v1/subscriptions") { json in
            json.key("target_url")
            json.value(QueryText.value("event", of: url) == nil ? named : url)
            json.key("event")
            json.value(event)
            if let fields = action.input["trigger_fields"], fields.kind == .object {
                json.key("trigger_fields")
                json.value(json: fields.jsonBytes)
            }
        }
        reply.value(json: try ask(request, context).root.jsonBytes)
    }
}
