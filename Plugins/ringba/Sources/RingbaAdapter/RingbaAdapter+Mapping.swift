// From Ringba's rows to the canonical entities. Keys are omitted, not null, when empty, so that a row tells all of its
// record and what is missing was taken back; times are epoch milliseconds. `inboundPhoneNumber` is the caller, `number`
// is the tracking number.

import BerthPluginSDK

extension RingbaAdapter {
    /// One row of the call log. `asked` is when the request for it was sent: the row was so then or later.
    func emit(call row: JSONNode, at asked: ProviderTime, to context: Context) throws {
        guard let id = row["inboundCallId"]?.scalarText, !id.isEmpty else {
            context.log.warning("a call log row has no inboundCallId; it was left out")
            return
        }
        try context.upsert("calls", key: id, sourceTime: asked, raw: row, coverage: .whole) { call in
            call.set(.direction, CallDirection.inbound)
            call.set(.status, Self.status(row))
            call.set(.trackingNumber, row["number"])
            call.set(.callerNumber, row["inboundPhoneNumber"])
            call.set(.destinationNumber, row["targetNumber"])
            call.set(.campaignID, row["campaignId"])
            call.set(.publisherID, row["publisherId"])
            call.set(.buyerID, row.first("targetId", "buyer"))
            call.set(.startedAt, row["callDt"])
            call.set(.answeredAt, row["callConnectionDt"])
            call.set(.endedAt, row["callCompletedDt"])
            call.set(.duration, row["callLengthInSeconds"])
            call.set(.talk, row["connectedCallLengthInSeconds"])
            call.set(.recordingURL, row["recordingUrl"])
            // Ringba's default columns are not documented; a flag that is false is there, one that is missing was not asked for.
            if let converted = row["hasConverted"] { call.set(.converted, converted) }
            call.set(.revenue, row["conversionAmount"])
            call.set(.payout, row["payoutAmount"])
            call.set(.cost, row["totalCost"])
            call.set(.currency, currency)
            if let duplicate = row["isDuplicate"] { call.set(.duplicate, duplicate) }
        }
    }

    static func status(_ row: JSONNode) -> CallStatus {
        let hasConnected = row["hasConnected"].flatMap(Truth.value) ?? (row["callConnectionDt"] != nil)
        if row["isLive"].flatMap(Truth.value) == true { return hasConnected ? .inProgress : .ringing }
        if row["blockReason"]?.isPresent == true { return .blocked }
        if hasConnected { return .completed }
        // A caller who gave up was missed; what Ringba itself could not do has failed.
        guard let reason = row["incompleteCallReason"]?.string, !reason.isEmpty else { return .missed }
        let word = reason.lowercased()
        return word.contains("hung") || word.contains("hang") || word.contains("abandon") ? .missed : .failed
    }

    /// The list of numbers.
    func readNumbers(_ context: ReadContext) throws {
        let (root, answer) = try ask(.get(path("numbers"), class: RequestClass.reports), context)
        try emitList(root["numbers"], "numbers", context) { row in
            try emit(number: row, at: answer.askedAt, to: context)
        }
    }

    /// One number. `displayNumber` may lack the plus; a campaign may be "" or absent.
    func emit(number row: JSONNode, at asked: ProviderTime, to context: Context) throws {
        guard let id = row["id"]?.scalarText, !id.isEmpty else {
            context.log.warning("a number has no id; it was left out")
            return
        }
        try context.upsert("numbers", key: id, sourceTime: asked, raw: row, coverage: .whole) { number in
            number.set(.number, row.first("phoneNumber", "displayNumber"))
            number.set(.tollFree, row["isTollFree"])
            number.set(.campaignID, row["campaignId"])
            number.set(.publisherID, row.at("/affiliate/id") ?? row["affiliateId"])
            number.set(.numberStatus, Self.numberStatus(row, at: asked))
        }
    }

    private static func numberStatus(_ row: JSONNode, at asked: ProviderTime) -> NumberStatus {
        // 0001-01-01 means never, which reads as no time.
        if let released = ProviderTime(row["deAllocationDT"]), released <= asked { return .released }
        return row["enabled"]?.bool == false ? .inactive : .active
    }

    /// The list of campaigns.
    func readCampaigns(_ context: ReadContext) throws {
        let (root, answer) = try ask(.get(path("campaigns"), class: RequestClass.reports), context)
        try emitList(root["campaigns"], "campaigns", context) { row in
            guard let id = row["id"]?.scalarText, !id.isEmpty else { return }
            try context.upsert("campaigns", key: id, sourceTime: answer.askedAt, raw: row, coverage: .whole) { campaign in
                campaign.set(.name, row["name"])
                campaign.set(.campaignStatus, row["enabled"]?.bool == false ? CampaignStatus.paused : .active)
            }
        }
    }

    /// Ringba gives these lists whole: one page, one checkpoint.
    private func emitList(_ list: JSONNode?, _ name: StaticString, _ context: ReadContext, _ emit: (JSONNode) throws -> Void) throws {
        guard let list, list.kind == .array else {
            throw ProviderError(.remoteDown, "Ringba's answer has no list of \(name)")
        }
        for row in list.elements { try emit(row) }
        try context.checkpoint { json in
            json.key("done")
            json.value(true)
        }
    }
}
