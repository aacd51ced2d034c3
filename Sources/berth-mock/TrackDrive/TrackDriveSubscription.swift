// REST hooks: a URL told about one event, for calls that match.

/// A registered hook.
struct TrackDriveSubscription: Sendable {
    var id: Int, targetURL: String, event: String
    var triggerFields: [String: String]
    var createdAt: Milliseconds

    /// Whether every trigger field has the wanted value.
    func matches(_ call: MockCall, _ catalog: Catalog) -> Bool {
        triggerFields.allSatisfy { TrackDriveDialect.field($0.key, of: call, catalog) == $0.value }
    }

    /// Writes the object.
    func write(to json: inout JSONText) {
        json.put("id", id)
        json.put("target_url", targetURL)
        json.put("event", event)
        json.object("trigger_fields") { json in for (key, value) in triggerFields.sorted(by: { $0.key < $1.key }) { json.put(key, value) } }
        json.put("created_at", createdAt.trackDriveText)
    }
}

extension TrackDriveDialect {
    private static let events: Set<String> = [
        "new_call", "call_ringing", "call_forwarded", "call_ended", "call_changed", "new_lead", "lead_ended", "lead_converted",
        "lead_opted_out",
        "lead_changed", "incoming_text_message",
    ]

    /// Routes below `subscriptions`.
    mutating func subscriptions(_ request: APIRequest, _ path: [String]) -> Reply {
        switch (request.method, path.count) {
        case ("POST", 1):
            guard let url = request.field("target_url", root: "subscription") else {
                return Self.error(422, "target_url", "can't be blank")
            }
            guard let event = request.field("event", root: "subscription"), Self.events.contains(event) else {
                return Self.error(422, "event", "is not included in the list")
            }
            let document = request.document
            let fields = (document?["subscription"] ?? document)?["trigger_fields"]?.members ?? [:]
            let item = TrackDriveSubscription(
                id: nextSubscription, targetURL: url, event: event, triggerFields: fields.compactMapValues(\.text), createdAt: request.now)
            nextSubscription += 1
            subscriptions.append(item)
            return Self.envelope("subscription") { json in json.object("subscription") { item.write(to: &$0) } }
        case ("GET", 1):
            let page = max(1, request.query.integer("page") ?? 1)
            let shown = Array(subscriptions.dropFirst((page - 1) * 25).prefix(25))
            return Self.envelope("subscriptions") { json in
                json.array("subscriptions") { json in for item in shown { json.object { item.write(to: &$0) } } }
            }
        case ("GET", 2), ("DELETE", 2):
            guard let index = subscriptions.firstIndex(where: { String($0.id) == path[1] }) else {
                return Self.error(404, "base", "Subscription \(path[1]) not found")
            }
            let item = subscriptions[index]
            if request.method == "DELETE" { subscriptions.remove(at: index) }
            return Self.envelope("subscription") { json in json.object("subscription") { item.write(to: &$0) } }
        default: return Self.error(405, "base", "Method not allowed")
        }
    }

    /// `{status, errors, ..., metadata}`.
    static func envelope(_ root: String, _ body: (inout JSONText) -> Void) -> Reply {
        .json { json in
            json.object { json in
                json.put("status", 200)
                json.object("errors") { _ in }
                body(&json)
                json.object("metadata") { $0.put("root", root) }
            }
        }
    }
}
