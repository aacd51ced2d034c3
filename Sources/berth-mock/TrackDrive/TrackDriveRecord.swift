// A call as TrackDrive shows it. The full column list of the real one is unknown; these are the columns seen in public.

/// Columns and records of calls.
enum TrackDriveRecord {
    /// Where a recording lies.
    static func recordingURL(_ call: MockCall) -> String { "https://recordings.trackdrive.example/\(call.externalID).mp3" }

    /// Writes the members of one call. - Parameter isGrid: the grid serializer shows conversions as words.
    static func write(_ call: MockCall, isGrid: Bool, catalog: Catalog, to json: inout JSONText) {
        let target = call.target.map { catalog.targets[$0] }
        let number = catalog.numbers[call.number], offer = catalog.campaigns[call.campaign]
        json.put("id", call.numericID)
        json.put("uuid", call.externalID)
        json.put("created_at", call.startedAt.trackDriveText)
        json.put("updated_at", call.updatedAt.trackDriveText)
        json.put("ended_at", call.endedAt?.trackDriveText)
        json.put("caller_number", call.caller.e164)
        json.put("caller_city", call.caller.place.city)
        json.put("caller_state", call.caller.place.state)
        json.put("caller_country", "US")
        json.put("number", number.e164)
        json.put("number_called", number.e164)
        json.put("number_id", number.numericID)
        json.put("connected_to", call.isConnected ? target?.number : nil)
        json.put("offer_id", offer.numericID)
        json.put("offer", offer.name)
        json.put("traffic_source_id", catalog.publishers[call.publisher].numericID)
        json.put("traffic_source", catalog.publishers[call.publisher].name)
        json.put("schedule_id", 88)
        json.put("buyer_id", target.map { catalog.buyers[$0.buyer].numericID })
        json.put("buyer", target.map { catalog.buyers[$0.buyer].name })
        json.put("total_duration", call.totalSeconds)
        json.put("answered_duration", call.talkSeconds)
        let revenue = (call.revenue ?? .zero).floatText, payout = (call.payout ?? .zero).floatText
        json.put("revenue", revenue)
        json.put("buyer_revenue", revenue)
        json.put("payout", payout)
        json.put("traffic_source_payout", payout)
        if isGrid {
            json.put("buyer_converted", call.isConverted ? "Converted" : "Not Converted")
            json.put("offer_converted", call.payout != nil ? "Converted" : "Not Converted")
        } else {
            json.put("buyer_converted", call.isConverted)
            json.put("offer_converted", call.payout != nil)
        }
        json.put("has_recording", call.hasRecording)
        json.put("recording_url", call.hasRecording ? recordingURL(call) : nil)
        json.put("in_progress", call.isLive)
    }
}
