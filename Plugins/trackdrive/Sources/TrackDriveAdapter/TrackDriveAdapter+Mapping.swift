// From TrackDrive's rows to the canonical entities. The complete list of columns is not public: what clients of real
// accounts were seen to read (`number_called`, `connected_to`, `recording_url`, `ended_at`) is read too. Money is number or
// text; `buyer_converted` may be the word "Converted".

import BerthPluginSDK

extension TrackDriveAdapter {
    /// One call, of a read or of a hook that posts the call itself. `seen`: it was so then or later.
    func emit(call row: JSONNode, seen: ProviderTime, status: CallStatus? = nil, to context: Context) throws {
        guard let id = row["uuid"]?.scalarText ?? row["id"]?.scalarText, !id.isEmpty else {
            context.log.warning("a call has no uuid; it was left out")
            return
        }
        try context.upsert("calls", key: id, sourceTime: seen, raw: row) { call in
            call.set(.direction, CallDirection.inbound)
            call.set(.status, status ?? Self.status(row))
            call.set(.trackingNumber, Self.first(row["number"], row["number_called"]))
            call.set(.callerNumber, Self.first(row["caller_number"], row["caller_id"]))
            call.set(.destinationNumber, row["connected_to"])
            call.set(.campaignID, row["offer_id"])
            call.set(.publisherID, row["traffic_source_id"])
            call.set(.buyerID, row["buyer_id"])
            call.set(.startedAt, row["created_at"])
            call.set(.answeredAt, row["answered_at"])
            call.set(.endedAt, row["ended_at"])
            call.set(.duration, row["total_duration"])
            call.set(.talk, row["answered_duration"])
            call.set(.recordingURL, row["recording_url"])
            call.set(.converted, Self.converted(row))
            let revenue = Self.first(row["revenue"], row["buyer_revenue"])
            let payout = Self.first(row["payout"], row["traffic_source_payout"])
            call.set(.revenue, revenue)
            call.set(.payout, payout)
            if revenue != nil || payout != nil { call.set(.currency, currency) }
            call.set(.duplicate, row["duplicate"])
        }
    }

    /// Only what durations prove; nil leaves the stored status alone.
    static func status(_ row: JSONNode) -> CallStatus? {
        guard row["in_progress"].flatMap(Truth.value) != true else {
            return (row["answered_duration"].flatMap(WholeSeconds.value) ?? 0) > 0 ? .inProgress : .ringing
        }
        guard row["total_duration"].flatMap(WholeSeconds.value) != nil || row["ended_at"]?.isPresent == true else { return nil }
        if let answered = row["answered_duration"].flatMap(WholeSeconds.value) { return answered > 0 ? .completed : .missed }
        return nil
    }

    /// Either side's conversion counts; nil when neither is told.
    static func converted(_ row: JSONNode) -> Bool? {
        let buyer = row["buyer_converted"].flatMap(Truth.value)
        let offer = row["offer_converted"].flatMap(Truth.value)
        return buyer == nil && offer == nil ? nil : buyer == true || offer == true
    }

    static func first(_ nodes: JSONNode?...) -> JSONNode? {
        for case let node? in nodes where node.isPresent { return node }
        return nil
    }

    /// One number.
    func emit(number row: JSONNode, seen: ProviderTime, to context: Context) throws {
        guard let id = row["id"]?.scalarText else {
            context.log.warning("a number has no id; it was left out")
            return
        }
        try context.upsert("numbers", key: id, sourceTime: seen, raw: row) { number in
            number.set(.number, Self.first(row["plain_number"], row["number"]))
            number.set(.country, row["country"])
            number.set(.campaignID, row["offer_id"])
            number.set(.publisherID, row["traffic_source_id"])
            number.set(.numberStatus, NumberStatus.active)
        }
    }

    /// One offer.
    func emit(campaign id: String?, name: JSONNode?, raw: JSONNode?, seen: ProviderTime, to context: Context) throws {
        guard let id, !id.isEmpty else { return }
        try context.upsert("campaigns", key: id, sourceTime: seen, raw: raw) { campaign in
            campaign.set(.name, name)
            campaign.set(.campaignStatus, CampaignStatus.active)
        }
    }
}
