// From TrackDrive's rows to the canonical entities. The complete list of columns is not public: what clients of real
// accounts were seen to read (`number_called`, `connected_to`, `recording_url`, `ended_at`) is read too. So a column that a
// row does not have says nothing, and only one that is there and empty takes a value back. Money is number or text;
// `buyer_converted` may be the word "Converted".

import BerthPluginSDK

extension TrackDriveAdapter {
    /// One call, of a read or of a hook that posts the call itself. `seen`: it was so then or later.
    func emit(
        call row: JSONNode, seen: ProviderTime, status: CallStatus? = nil, coverage: RowCoverage = .members, to context: Context
    ) throws {
        guard let id = row.first("uuid", "id")?.scalarText, !id.isEmpty else {
            context.log.warning("a call has no uuid; it was left out")
            return
        }
        try context.upsert("calls", key: id, sourceTime: seen, raw: row, coverage: coverage) { call in
            call.set(.direction, CallDirection.inbound)
            call.set(.status, status ?? Self.status(row))
            call.set(.trackingNumber, row.first("number", "number_called"))
            call.set(.callerNumber, row.first("caller_number", "caller_id"))
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
            if let converted = Self.converted(row) {
                call.set(.converted, converted)
            } else {
                call.set(.converted, row.first("buyer_converted", "offer_converted"))
            }
            let revenue = row.first("revenue", "buyer_revenue")
            let payout = row.first("payout", "traffic_source_payout")
            call.set(.revenue, revenue)
            call.set(.payout, payout)
            if revenue?.isPresent == true || payout?.isPresent == true { call.set(.currency, currency) }
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

    /// One number.
    func emit(number row: JSONNode, seen: ProviderTime, to context: Context) throws {
        guard let id = row["id"]?.scalarText, !id.isEmpty else {
            context.log.warning("a number has no id; it was left out")
            return
        }
        try context.upsert("numbers", key: id, sourceTime: seen, raw: row, coverage: .members) { number in
            number.set(.number, row.first("plain_number", "number"))
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
