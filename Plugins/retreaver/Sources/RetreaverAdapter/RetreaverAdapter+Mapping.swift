// From Retreaver's rows to the canonical entities, of API version 2 and, where 3 and 4 differ, of those too. Money comes
// as numbers, text or null; `target_group` is `{}` rather than null; `recording_url` is absent without a recording: a row
// tells all of its record, and what it does not hold was taken back.

import BerthPluginSDK

extension RetreaverAdapter {
    /// One call. `asked` is when the request for it was sent: the row was so then or later.
    func emit(call row: JSONNode, at asked: ProviderTime, coverage: RowCoverage = .whole, to context: Context) throws {
        guard let id = row["uuid"]?.scalarText, !id.isEmpty else {
            context.log.warning("a call has no uuid; it was left out")
            return
        }
        try context.upsert("calls", key: id, sourceTime: asked, raw: row, coverage: coverage) { call in
            call.set(.direction, CallDirection.inbound)
            call.set(.status, Self.status(row))
            call.set(.trackingNumber, row["number"].flatMap { $0.kind == .object ? $0["number"] : $0 })
            call.set(.callerNumber, row["caller"])
            call.set(.destinationNumber, row["dialed_number"])
            // The campaign list knows campaigns by cid only; the internal id serves where a call has none.
            let campaign = row.first("cid", "campaign_id")
            call.set(.campaignID, campaign?.isPresent == true ? campaign : row.at("/campaign/id"))
            call.set(.publisherID, row.first("afid", "system_affiliate_id"))
            call.set(.buyerID, row.first("target_id", "system_target_id", "tid"))
            call.set(.startedAt, row["start_time"])
            call.set(.answeredAt, row["forwarded_time"])
            call.set(.endedAt, row["end_time"])
            call.set(.duration, row["total_duration"])
            call.set(.talk, row["dialed_call_duration"])
            call.set(.recordingURL, row["recording_url"])
            call.set(.converted, row["converted"])
            call.set(.revenue, row["revenue"])
            call.set(.payout, row["payout"])
            call.set(.cost, row.first("total_cost", "charge_total"))
            call.set(.currency, currency)
            call.set(.duplicate, row["duplicate"])
            call.set(.tags, row["tags"])
        }
    }

    static func status(_ row: JSONNode) -> CallStatus {
        let isConnected = row["connected"].flatMap(Truth.value) ?? (row["forwarded_time"]?.isPresent == true)
        let isOver = row["status"]?.string == "finished" || row["end_time"]?.isPresent == true
        if isOver { return isConnected ? .completed : .missed }
        return isConnected ? .inProgress : .ringing
    }

    /// One number, wrapped in `{"number":{...}}`.
    func emit(number wrapped: JSONNode, at asked: ProviderTime, to context: Context) throws {
        let row = wrapped["number"].flatMap { $0.kind == .object ? $0 : nil } ?? wrapped
        guard let id = row["id"]?.scalarText else {
            context.log.warning("a number has no id; it was left out")
            return
        }
        try context.upsert("numbers", key: id, sourceTime: asked, raw: row, coverage: .members) { number in
            number.set(.number, row["number"])
            number.set(.tollFree, row["toll_free"])
            number.set(.country, row["country"])
            number.set(.campaignID, row["cid"])
            number.set(.publisherID, row["afid"])
            number.set(.numberStatus, NumberStatus.active)
        }
    }

    /// One campaign, wrapped in `{"campaign":{...}}`; its key is the customer's id, which calls and numbers carry too.
    func emit(campaign wrapped: JSONNode, at asked: ProviderTime, to context: Context) throws {
        let row = wrapped["campaign"] ?? wrapped
        guard let id = row.first("cid", "id")?.scalarText, !id.isEmpty else {
            context.log.warning("a campaign has no cid; it was left out")
            return
        }
        try context.upsert("campaigns", key: id, sourceTime: asked, raw: row, coverage: .members) { campaign in
            campaign.set(.name, row["name"])
            campaign.set(.campaignStatus, CampaignStatus.active)
        }
    }
}
