// Webhooks: a URL the user wrote, with tokens filled in, by GET or POST, its data in the query and, with the
// configurator, in a form or JSON. Empty text and a literal `[token]` mean that there was nothing. Only what is there is
// written, so that a start webhook never wipes what a read told; and a late one does not call back to life what is over:
// `CallTrigger.sourceTime` says how.

public import BerthPluginSDK

extension RetreaverAdapter: EventHandler {
    /// Maps a webhook to its call. `call_key` lets its holder change the call: it is not kept.
    public func handle(_ event: Event, _ context: Context) throws {
        let fields = try event.fields(omitting: ["token", "call_key", "api_key", "key"])
        let trigger = CallTrigger(event.kind.isEmpty || event.kind == "unknown" ? fields.text("event") ?? "" : event.kind)
        if let call = fields.root["call"], call.kind == .object, call["uuid"] != nil {
            // A configurator may post the API's own object, or a part of it.
            let told = ProviderTime(call["updated_at"]).map { min($0, event.receivedAt) }
            let seen = told ?? trigger.sourceTime(receivedAt: event.receivedAt, answeredAt: ProviderTime(call["forwarded_time"]))
            try emit(call: call, at: seen, coverage: .facts, to: context)
            return
        }
        guard let id = fields.text("call_uuid", "uuid", "call_log_id") else {
            throw ProviderError.invalidEvent("the webhook carries no call id: put call_uuid=[call_uuid] into its URL")
        }
        let answered = fields.first("forwarded_time", "answered_at")
        let seen = trigger.sourceTime(receivedAt: event.receivedAt, answeredAt: ProviderTime(answered))
        try context.upsert("calls", key: id, sourceTime: seen, raw: fields.root) { call in
            call.set(.direction, CallDirection.inbound)
            call.set(.status, Self.status(trigger, fields))
            call.set(.trackingNumber, fields.first("tracking", "tracking_number", "number", "called_number"))
            call.set(.callerNumber, fields.first("caller", "caller_number", "caller_id", "nanp_caller_number"))
            call.set(.destinationNumber, fields.first("dialed_number", "destination_number", "forwarded_number", "target_number"))
            call.set(.campaignID, fields.first("cid", "campaign_cid", "campaign_id"))
            call.set(.publisherID, fields.first("afid", "affiliate_id", "publisher_id"))
            call.set(.buyerID, fields.first("target_id", "tid", "buyer_id"))
            call.set(.startedAt, fields.first("start_time", "started_at"))
            call.set(.answeredAt, answered)
            call.set(.endedAt, fields.first("end_time", "ended_at"))
            call.set(.duration, fields.first("total_duration", "call_duration", "duration"))
            call.set(.talk, fields.first("dialed_call_duration", "talk_seconds", "connected_duration"))
            call.set(.recordingURL, fields.first("call_recording_url", "recording_url", "recording"))
            call.set(.converted, fields.first("converted").flatMap(Truth.value) ?? trigger.converted)
            let revenue = fields.first("revenue")
            let payout = fields.first("payout")
            call.set(.revenue, revenue)
            call.set(.payout, payout)
            if revenue != nil || payout != nil { call.set(.currency, currency) }
            call.set(.duplicate, fields.first("duplicate"))
        }
    }

    /// An end does not say whether there was a connection unless a field does.
    private static func status(_ trigger: CallTrigger, _ fields: DeliveryFields) -> CallStatus? {
        guard trigger == .ended else { return trigger.status }
        if let connected = fields.first("connected").flatMap(Truth.value) { return connected ? .completed : .missed }
        if let talk = fields.first("dialed_call_duration", "talk_seconds", "connected_duration").flatMap(WholeSeconds.value) {
            return talk > 0 ? .completed : .missed
        }
        return .completed
    }
}
