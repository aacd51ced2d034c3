// Deliveries of two mechanisms. REST hooks post the call itself, bare or as {"call":{...}}, with `updated_at`: the time it
// is known to have been so. Webhooks of the UI carry what the user templated, without such a time: then the time of
// receipt counts, as `CallTrigger.sourceTime` has it. Leads and messages are none of Berth's entities yet and are answered "unsupported": kept and marked.

public import BerthPluginSDK

extension TrackDriveAdapter: EventHandler {
    /// Maps a delivery to its call.
    public func handle(_ event: Event, _ context: Context) throws {
        let fields = try event.fields(omitting: ["token", "secret", "auth_token"])
        let name = event.kind.isEmpty || event.kind == "unknown" ? fields.text("event") ?? "" : event.kind
        let kind = HookKind(name)
        guard kind.isAboutCalls else { throw ProviderError.unsupported("TrackDrive's event '\(name)' is not about a call") }
        if let call = fields.root["call"], call.kind == .object {
            try emit(hook: call, kind, event, context)
        } else if fields.text("uuid") != nil, fields.root["created_at"] != nil || fields.root["updated_at"] != nil {
            try emit(hook: fields.root, kind, event, context)
        } else {
            try emit(templated: fields, kind, event, context)
        }
    }

    private func emit(hook call: JSONNode, _ kind: HookKind, _ event: Event, _ context: Context) throws {
        guard call.first("uuid", "id")?.isPresent == true else {
            throw ProviderError.invalidEvent("the delivered call has neither uuid nor id")
        }
        try emit(call: call, seen: Self.seen(call, kind, event), status: kind.status(call), coverage: .facts, to: context)
    }

    /// `updated_at` is cut to seconds: the change was somewhere in that one, so that its end is taken; but never after the
    /// delivery's own receipt, should TrackDrive's clock be ahead.
    private static func seen(_ call: JSONNode, _ kind: HookKind, _ event: Event) -> ProviderTime {
        guard let updated = ProviderTime(call["updated_at"]) else {
            return kind.trigger.sourceTime(receivedAt: event.receivedAt, answeredAt: ProviderTime(call["answered_at"]))
        }
        let isCut = updated.milliseconds % 1000 == 0
        return min(event.receivedAt, ProviderTime(milliseconds: updated.milliseconds + (isCut ? 999 : 0)))
    }

    private func emit(templated fields: DeliveryFields, _ kind: HookKind, _ event: Event, _ context: Context) throws {
        guard let id = fields.text("uuid", "call_uuid", "call_id") else {
            throw ProviderError.invalidEvent("the webhook carries no call id: put uuid=[call_uuid] into its URL or body")
        }
        let answered = fields.first("answered_at")
        let seen = kind.trigger.sourceTime(receivedAt: event.receivedAt, answeredAt: ProviderTime(answered))
        try context.upsert("calls", key: id, sourceTime: seen, raw: fields.root) { call in
            call.set(.direction, CallDirection.inbound)
            call.set(.status, kind.status(fields.root))
            call.set(.trackingNumber, fields.first("number", "tracking_number", "trackdrive_number", "number_called"))
            call.set(.callerNumber, fields.first("caller_number", "caller_id", "caller"))
            call.set(.destinationNumber, fields.first("connected_to", "buyer_number"))
            call.set(.campaignID, fields.first("offer_id", "campaign_id"))
            call.set(.publisherID, fields.first("traffic_source_id", "publisher_id"))
            call.set(.buyerID, fields.first("buyer_id"))
            call.set(.startedAt, fields.first("created_at", "started_at"))
            call.set(.answeredAt, answered)
            call.set(.endedAt, fields.first("ended_at"))
            call.set(.duration, fields.first("total_duration", "duration"))
            call.set(.talk, fields.first("answered_duration", "talk_seconds"))
            call.set(.recordingURL, fields.first("recording_url", "recording"))
            let converted = Self.converted(fields.root) ?? fields.first("converted").flatMap(Truth.value)
            call.set(.converted, converted ?? kind.trigger.converted)
            let revenue = fields.first("revenue", "buyer_revenue")
            let payout = fields.first("payout", "traffic_source_payout")
            call.set(.revenue, revenue)
            call.set(.payout, payout)
            if revenue != nil || payout != nil { call.set(.currency, currency) }
        }
    }
}

/// What an event's name says; hooks have fixed names, webhooks of the UI the user's own.
struct HookKind {
    private let name: String
    let trigger: CallTrigger

    init(_ name: String) {
        self.name = name.lowercased()
        trigger = CallTrigger(name)
    }

    var isAboutCalls: Bool {
        !name.hasPrefix("lead") && !name.hasSuffix("_lead") && !name.contains("text_message") && !name.contains("agent")
    }

    /// nil: the durations of the call itself say it, or nobody does.
    func status(_ call: JSONNode) -> CallStatus? {
        trigger == .ended ? TrackDriveAdapter.status(call) ?? .completed : trigger.status
    }
}
