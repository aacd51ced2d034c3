// Tracking pixels: a text the user wrote, with tokens replaced. Every value is text, and empty when the call has none yet.

/// Renders pixel templates.
enum RingbaPixel {
    /// The body the mock sends when no template was registered.
    static func defaultTemplate(_ event: String) -> String {
        #"{"event":"\#(event)","call_id":"[Call:InboundCallId]","caller":"[tag:InboundNumber:Number]","campaign":"[tag:Campaign:Name]","#
            + #""publisher":"[tag:Publisher:Name]","target":"[tag:Target:Name]","duration":"[tag:CallLength:Total]","#
            + #""revenue":"[Call:ConversionAmount]","payout":"[Call:ConversionPayout]","dup":"[tag:CallInfo:IsDuplicate]","#
            + #""recording":"[Call:RecordingUrl]","click_id":"[tag:User:click_id]"}"#
    }

    /// Replaces the tokens. - Parameter escape: how a value is written into the text around it.
    static func render(_ template: String, call: MockCall, catalog: Catalog, escape: (String) -> String) -> String {
        var result = ""
        var rest = template[...]
        while let open = rest.firstIndex(of: "["), let close = rest[open...].firstIndex(of: "]") {
            let token = String(rest[rest.index(after: open)..<close])
            result += rest[..<open]
            if let value = value(token, call, catalog) { result += escape(value) } else { result += rest[open...close] }
            rest = rest[rest.index(after: close)...]
        }
        return result + rest
    }

    /// Value of a token; empty when unknown to the call, nil when Ringba has no such token and leaves it as it stands.
    private static func value(_ token: String, _ call: MockCall, _ catalog: Catalog) -> String? {
        let target = call.target.map { catalog.targets[$0] }
        switch token {
        case "Call:InboundCallId": return call.externalID
        case "tag:InboundNumber:Number", "tag:InboundNumber:NumberE164": return call.caller.e164
        case "tag:InboundNumber:Number-NoPlus": return String(call.caller.e164.dropFirst())
        case "tag:InboundNumber:State": return call.caller.place.state
        case "tag:Geo:ZipCode", "tag:Address:Zip 5": return call.caller.place.zip
        case "tag:Campaign:Name": return catalog.campaigns[call.campaign].name
        case "tag:Publisher:Name": return catalog.publishers[call.publisher].name
        case "tag:Publisher:Id": return catalog.publishers[call.publisher].code
        case "tag:Target:Name": return target?.name ?? ""
        case "tag:Target:Id": return target?.code ?? ""
        case "tag:Buyer:Name": return target.map { catalog.buyers[$0.buyer].name } ?? ""
        case "tag:CallLength:Total": return call.isLive ? "" : String(call.totalSeconds)
        case "Call:ConversionAmount": return call.revenue?.shortText ?? ""
        case "Call:ConversionPayout": return call.payout?.shortText ?? ""
        case "tag:CallInfo:IsDuplicate": return call.isDuplicate ? "True" : "False"
        case "Call:RecordingUrl", "tag:Recording:RecordingUrl": return call.hasRecording ? RingbaRecord.recordingURL(call) : ""
        case "Call:CallDateTime": return call.startedAt.rfc3339
        case "Call:CallConnectionDt", "Call:CallConnectedTimestamp": return call.answeredAt.map(String.init) ?? ""
        case "tag:EndCall:EndCallSource": return call.isLive ? "" : call.ending.rawValue
        default: return token.hasPrefix("tag:User:") ? call.tags[String(token.dropFirst(9))] ?? "" : nil
        }
    }

    /// Escapes a value for a JSON text.
    static func jsonEscaped(_ value: String) -> String {
        var json = JSONText()
        json.put(nil, value)
        return String(decoding: json.bytes.dropFirst().dropLast(), as: UTF8.self)
    }
}
