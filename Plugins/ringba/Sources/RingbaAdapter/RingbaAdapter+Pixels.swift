// Tracking pixels: whatever the user templated, under one of the names below, in a query, a form or JSON. Every value
// may be text; empty text and a literal `[token]` mean that Ringba had nothing to say. Only what is there is written, so
// that a pixel never wipes what the call log told; and a late Incoming or Connected pixel does not call back to life what
// is over: `CallTrigger.sourceTime` says how.

public import BerthPluginSDK

extension RingbaAdapter: EventHandler {
    /// Maps a pixel to its call. Without a call id it can never be processed.
    public func handle(_ event: Event, _ context: Context) throws {
        let fields = try event.fields(omitting: ["token"])
        guard let id = fields.text("call_id", "inboundCallId", "inbound_call_id", "callId", "call_uuid") else {
            throw ProviderError.invalidEvent("the pixel carries no call id: put call_id=[Call:InboundCallId] into its URL or body")
        }
        let kind = PixelKind(event.kind.isEmpty || event.kind == "unknown" ? fields.text("event") ?? "" : event.kind)
        let answered = fields.first("answered_at", "connected_at", "connected_dt", "callConnectionDt", "connection_dt")
        let seen = kind.trigger.sourceTime(receivedAt: event.receivedAt, answeredAt: ProviderTime(answered))
        try context.upsert("calls", key: id, sourceTime: seen, raw: fields.root) { call in
            call.set(.direction, CallDirection.inbound)
            call.set(.status, kind.status(fields))
            call.set(.trackingNumber, fields.first("number", "tracking_number", "dialed_number"))
            call.set(.callerNumber, fields.first("caller", "caller_number", "caller_id", "inboundPhoneNumber"))
            call.set(.destinationNumber, fields.first("target_number", "targetNumber", "destination_number", "destination"))
            call.set(.campaignID, fields.first("campaign_id", "campaignId"))
            call.set(.publisherID, fields.first("publisher_id", "publisherId", "affiliate_id"))
            call.set(.buyerID, fields.first("target_id", "targetId", "buyer_id"))
            call.set(.startedAt, fields.first("started_at", "call_dt", "callDt", "call_time", "call_date"))
            call.set(.answeredAt, answered)
            call.set(.endedAt, fields.first("ended_at", "completed_at", "completed_dt", "callCompletedDt"))
            call.set(.duration, fields.first("duration", "call_length", "callLengthInSeconds", "duration_seconds"))
            call.set(.talk, fields.first("talk_seconds", "connected_duration", "connected_length", "connectedCallLengthInSeconds"))
            call.set(.recordingURL, fields.first("recording", "recording_url", "recordingUrl"))
            call.set(.converted, fields.first("converted", "hasConverted").flatMap(Truth.value) ?? kind.trigger.converted)
            let revenue = fields.first("revenue", "conversion_amount", "conversionAmount")
            let payout = fields.first("payout", "conversion_payout", "payout_amount", "payoutAmount")
            call.set(.revenue, revenue)
            call.set(.payout, payout)
            if revenue != nil || payout != nil { call.set(.currency, currency) }
            call.set(.duplicate, fields.first("dup", "duplicate", "is_duplicate", "isDuplicate"))
        }
    }
}

/// What a pixel's event says about its call: the eight triggers Ringba offers, by the user's own names.
struct PixelKind {
    let trigger: CallTrigger
    private let isFinalized: Bool

    init(_ name: String) {
        trigger = CallTrigger(name)
        isFinalized = ["finalized", "finalised"].contains(CallTrigger.word(name))
    }

    /// A Completed pixel needs a connection. Converted, Payout and Recording may come at any time of a call, and a
    /// Finalized one does not say how it went unless a field does: they leave the status alone.
    func status(_ fields: DeliveryFields) -> CallStatus? {
        guard isFinalized else { return trigger.status }
        return fields.first("connected", "has_connected", "hasConnected").flatMap(Truth.value).map { $0 ? .completed : .missed }
            ?? (fields.first("target", "target_id", "target_number", "buyer") == nil ? nil : .completed)
    }
}
