// A call as Ringba's call log shows it: epoch milliseconds, keys left out when empty.

/// Columns and records of the call log.
enum RingbaRecord {
    /// Every column: id, title, type.
    static let columns: [(id: String, title: String, type: String)] = [
        ("campaignName", "Campaign", "String"), ("publisherName", "Publisher", "String"), ("targetName", "Target", "String"),
        ("targetNumber", "Target Number", "String"), ("buyer", "Buyer", "String"), ("campaignId", "Campaign ID", "String"),
        ("publisherId", "Publisher ID", "String"), ("publisherSubId", "Publisher Sub ID", "String"), ("targetId", "Target ID", "String"),
        ("inboundCallId", "Inbound Call ID", "String"), ("callDt", "Call Date", "DateTime"),
        ("callConnectionDt", "Connection Date", "DateTime"), ("callCompletedDt", "Call Complete Timestamp", "DateTime"),
        ("inboundPhoneNumber", "Caller ID", "String"), ("number", "Number", "String"), ("numberId", "Number ID", "String"),
        ("isFromNumberPool", "Is From Number Pool", "Boolean"), ("numberPoolId", "Number Pool ID", "String"),
        ("numberPoolName", "Number Pool", "String"), ("timeToCallInSeconds", "Time To Call", "Integer"),
        ("timeToConnectInSeconds", "Time To Connect", "Integer"), ("callLengthInSeconds", "Duration", "Integer"),
        ("connectedCallLengthInSeconds", "Connected Duration", "Integer"), ("endCallSource", "Hangup", "String"),
        ("hasConnected", "Connected", "Boolean"), ("hasPreviouslyConnected", "Previously Connected", "Boolean"),
        ("hasPayout", "Paid Out", "Boolean"), ("hasConverted", "Converted", "Boolean"), ("hasRecording", "Has Recording", "Boolean"),
        ("isLive", "Live", "Boolean"), ("isDuplicate", "Duplicate", "Boolean"), ("noPayoutReason", "No Payout Reason", "String"),
        ("noConversionReason", "No Conversion Reason", "String"), ("blockReason", "Block Reason", "String"),
        ("incompleteCallReason", "Incomplete Call Reason", "String"), ("conversionAmount", "Revenue", "Decimal"),
        ("payoutAmount", "Payout", "Decimal"), ("profitNet", "Profit", "Decimal"), ("profitGross", "Gross Profit", "Decimal"),
        ("totalCost", "Total Cost", "Decimal"), ("telcoCost", "Telco Cost", "Decimal"), ("recordingUrl", "Recording", "String"),
    ]

    /// Where the recording of a call plays, without authentication.
    static func recordingURL(_ call: MockCall) -> String {
        "https://media.ringba.com/recording-public?v=v1&k=\(percentEncoded(String(call.externalID.dropFirst(7)) + "="))"
    }

    /// Writes the members of one record.
    static func write(_ call: MockCall, catalog: Catalog, to json: inout JSONText) {
        let campaign = catalog.campaigns[call.campaign]
        let publisher = catalog.publishers[call.publisher]
        let number = catalog.numbers[call.number]
        json.put("campaignName", campaign.name)
        json.put("publisherName", publisher.name)
        if let target = call.target.map({ catalog.targets[$0] }) {
            json.put("targetName", target.name)
            json.put("targetNumber", target.number)
            json.put("buyer", catalog.buyers[target.buyer].name)
            json.put("targetId", target.code)
        }
        json.put("campaignId", campaign.code)
        json.put("publisherId", publisher.code)
        json.put("publisherSubId", "")
        json.put("inboundCallId", call.externalID)
        json.put("callDt", milliseconds: call.startedAt)
        if let answered = call.answeredAt { json.put("callConnectionDt", milliseconds: answered) }
        if let ended = call.endedAt { json.put("callCompletedDt", milliseconds: ended) }
        json.put("inboundPhoneNumber", call.caller.e164)
        json.put("number", number.e164)
        json.put("numberId", number.code)
        json.put("isFromNumberPool", false)
        json.put("numberPoolId", "")
        json.put("numberPoolName", "")
        json.put("timeToCallInSeconds", call.ivrSeconds)
        if call.isConnected { json.put("timeToConnectInSeconds", call.secondsToConnect) }
        if !call.isLive {
            json.put("callLengthInSeconds", call.totalSeconds)
            json.put("connectedCallLengthInSeconds", call.talkSeconds)
            json.put("endCallSource", call.ending.rawValue)
        }
        json.put("hasConnected", call.isConnected)
        json.put("hasPreviouslyConnected", call.isDuplicate)
        json.put("hasPayout", call.payout != nil)
        json.put("hasConverted", call.isConverted)
        json.put("hasRecording", call.hasRecording)
        json.put("isLive", call.isLive)
        json.put("isDuplicate", call.isDuplicate)
        writeReasons(call, to: &json)
        writeMoney(call, to: &json)
        if call.hasRecording { json.put("recordingUrl", recordingURL(call)) }
    }

    private static func writeReasons(_ call: MockCall, to json: inout JSONText) {
        guard !call.isLive else { return }
        if call.payout == nil { json.put("noPayoutReason", call.isConnected ? "Payout not enough call length" : "Call Not Connected") }
        if !call.isConverted { json.put("noConversionReason", call.isConnected ? "Not enough call length" : "Call Not Connected") }
        if call.isBlocked {
            json.put("blockReason", "Blocked caller")
        } else if !call.isConnected {
            json.put("incompleteCallReason", call.target == nil ? "NoAvailableTargets" : "CallerHungUpBeforeTargetAnswered")
        }
    }

    private static func writeMoney(_ call: MockCall, to json: inout JSONText) {
        let gross = (call.revenue ?? .zero) - (call.payout ?? .zero)
        if let revenue = call.revenue { json.put("conversionAmount", verbatim: revenue.shortText) }
        if let payout = call.payout { json.put("payoutAmount", verbatim: payout.shortText) }
        json.put("profitNet", verbatim: (gross - call.cost).shortText)
        json.put("profitGross", verbatim: gross.shortText)
        json.put("totalCost", verbatim: call.cost.shortText)
        json.put("telcoCost", verbatim: call.cost.shortText)
    }

    /// Value of a column as text, for filters and sorting; empty when the call has none. Booleans are `yes` and `no`.
    static func value(_ column: String, of call: MockCall, catalog: Catalog) -> String {
        func flag(_ value: Bool) -> String { value ? "yes" : "no" }
        switch column {
        case "inboundCallId": return call.externalID
        case "campaignName": return catalog.campaigns[call.campaign].name
        case "campaignId": return catalog.campaigns[call.campaign].code
        case "publisherName": return catalog.publishers[call.publisher].name
        case "publisherId": return catalog.publishers[call.publisher].code
        case "targetName": return call.target.map { catalog.targets[$0].name } ?? ""
        case "targetId": return call.target.map { catalog.targets[$0].code } ?? ""
        case "targetNumber": return call.target.map { catalog.targets[$0].number } ?? ""
        case "buyer": return call.target.map { catalog.buyers[catalog.targets[$0].buyer].name } ?? ""
        case "inboundPhoneNumber": return call.caller.e164
        case "number": return catalog.numbers[call.number].e164
        case "numberId": return catalog.numbers[call.number].code
        case "callDt": return String(call.startedAt)
        case "callLengthInSeconds": return String(call.totalSeconds)
        case "connectedCallLengthInSeconds": return String(call.talkSeconds)
        case "timeToConnectInSeconds": return String(call.secondsToConnect)
        case "endCallSource": return call.ending.rawValue
        case "hasConnected": return flag(call.isConnected)
        case "hasPayout": return flag(call.payout != nil)
        case "hasConverted": return flag(call.isConverted)
        case "hasRecording": return flag(call.hasRecording)
        case "isLive": return flag(call.isLive)
        case "isDuplicate": return flag(call.isDuplicate)
        case "conversionAmount": return call.revenue?.shortText ?? ""
        case "payoutAmount": return call.payout?.shortText ?? ""
        case "totalCost", "telcoCost": return call.cost.shortText
        default: return ""
        }
    }
}
