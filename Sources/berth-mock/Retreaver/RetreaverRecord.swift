// A call as Retreaver shows it, in four versions. Money is a float, a text or null depending on the field.

/// Writes calls.
enum RetreaverRecord {
    /// Where a recording lies.
    static func recordingURL(_ call: MockCall) -> String { "https://retreaver-recordings.example/\(call.externalID).mp3" }

    /// Writes `{"call":{...}}`.
    static func write(_ call: MockCall, version: Int, withFlow: Bool, company: Int, catalog: Catalog, to json: inout JSONText) {
        json.object { json in
            json.object("call") { json in
                writeBasics(call, version, company, catalog, to: &json)
                if version >= 2 { writeMore(call, version, catalog, to: &json) }
                if version >= 2, withFlow { writeFlow(call, to: &json) }
            }
        }
    }

    private static func writeBasics(_ call: MockCall, _ version: Int, _ company: Int, _ catalog: Catalog, to json: inout JSONText) {
        let target = call.target.map { catalog.targets[$0] }
        let number = catalog.numbers[call.number]
        json.put("uuid", call.externalID)
        json.put("caller", call.caller.e164)
        json.put("caller_number_sent", call.isConnected ? call.caller.e164 : nil)
        json.put("caller_zip", call.caller.place.zip)
        json.put("caller_state", call.caller.place.state)
        json.put("caller_city", call.caller.place.city)
        json.put("caller_country", "US")
        json.put("dialed_call_duration", call.talkSeconds)
        json.put("total_duration", call.totalSeconds)
        json.put("status", call.isLive ? (call.isConnected ? "in_progress" : "ringing") : "finished")
        json.put("start_time", call.startedAt.rfc3339)
        json.put("forwarded_time", call.answeredAt?.rfc3339)
        json.put("end_time", call.endedAt?.rfc3339)
        json.put("cid", catalog.campaigns[call.campaign].code)
        json.put("afid", catalog.publishers[call.publisher].code)
        json.put("sid", Optional<String>.none)
        json.put("tid", target?.code)
        // v1 calls the tracking number so, v2 and later the buyer's; calls that never connected have one too.
        json.put("dialed_number", version == 1 ? number.e164 : target?.number ?? number.e164)
        json.put("hung_up_by", call.isLive ? nil : call.ending == .target ? "Target" : call.ending == .system ? "System" : "Caller")
        json.put("duplicate", call.isDuplicate)
        json.put("callpixels_target_id", target?.numericID)
        json.put("system_campaign_id", catalog.campaigns[call.campaign].numericID)
        json.put("system_affiliate_id", catalog.publishers[call.publisher].numericID)
        json.put("system_target_id", target?.numericID)
        json.put("fired_pixels_count", call.isConverted ? 1 : 0)
        json.put("charge_total", call.cost.floatText)
        json.array("keys_pressed", texts: call.ivrSeconds > 10 ? ["1"] : [])
        json.put("repeat", call.isDuplicate)
        json.put("visitor_url", call.tags["click_id"].map { "https://landing.example/?c=\($0)" } ?? "")
        json.put("company_id", company)
        json.put("created_at", call.startedAt.rfc3339)
        json.put("updated_at", call.updatedAt.rfc3339)
        if call.hasRecording { json.put("recording_url", recordingURL(call)) }
    }

    private static func writeMore(_ call: MockCall, _ version: Int, _ catalog: Catalog, to json: inout JSONText) {
        let target = call.target.map { catalog.targets[$0] }
        let campaign = catalog.campaigns[call.campaign], number = catalog.numbers[call.number]
        let gross = (call.revenue ?? .zero) - (call.payout ?? .zero)
        json.put("ivr_duration", call.ivrSeconds)
        json.put("hold_duration", call.holdSeconds)
        json.put("revenue", verbatim: call.revenue?.floatText ?? "null")
        json.put("payout", verbatim: call.payout?.floatText ?? "null")
        json.put("postback_value", Optional<String>.none)
        json.put("network_sale_timer_fired", Optional<Bool>.none)
        json.put("affiliate_sale_timer_fired", call.isLive ? nil : call.payout != nil)
        json.put("target_sale_timer_fired", call.isLive ? nil : call.isConverted)
        json.put("payable_duplicate", call.isDuplicate)
        json.put("receivable_duplicate", call.isDuplicate)
        json.put("affiliate_repeat", false)
        json.put("target_repeat", call.target == nil ? nil : false)
        json.put("number_repeat", call.isDuplicate)
        json.put("conversions_determined_at", call.endedAt?.rfc3339)
        json.put("billable_minutes", (call.totalSeconds + 59) / 60)
        json.put("upstream_call_uuid", Optional<String>.none)
        json.array("downstream_call_uuids") { _ in }
        json.object("target_group") { json in
            guard let target, target.buyer == 0 else { return }
            json.put("id", 61)
            json.put("name", "Preferred buyers")
        }
        if version == 2 {
            json.put("number", number.e164)
        } else {
            json.object("number") { json in
                json.put("number", number.e164)
                json.put("name", "\(campaign.name) \(number.numericID)")
            }
        }
        json.put("converted", call.isConverted)
        json.put("payable", call.payout != nil)
        json.put("receivable", call.revenue != nil)
        json.put("connected", call.isConnected)
        json.put("rescued", false)
        json.put("conversion_seconds", call.isConverted ? 45 : nil)
        json.object("tags") { json in for (key, value) in call.tags.sorted(by: { $0.key < $1.key }) { json.put(key, value) } }
        writePixels(call, to: &json)
        json.put("via", "inbound-dial")
        if version < 4 {
            json.put("campaign_id", campaign.numericID)
        } else {
            json.object("campaign") { json in
                json.put("id", String(campaign.numericID))
                json.put("name", campaign.name)
            }
        }
        json.put("campaign_name", campaign.name)
        json.put("number_id", number.numericID)
        json.put("target_id", target?.numericID)
        json.put("target_name", target?.name)
        json.put("affiliate_name", catalog.publishers[call.publisher].name)
        json.put("profit_gross", gross.floatText)
        json.put("profit_net", verbatim: (gross - call.cost).floatText)
        json.put("time_to_call_in_seconds", call.ivrSeconds)
        json.put("time_to_connect_in_seconds", call.secondsToConnect)
        json.put("total_cost", call.cost.floatText)
    }

    private static func writePixels(_ call: MockCall, to json: inout JSONText) {
        json.array("fired_pixels") { json in
            guard call.isConverted, let ended = call.endedAt else { return }
            json.object { json in
                json.object("fired_pixel") { json in
                    json.put("url", "https://postback.example/?c=\(call.tags["click_id"] ?? "")")
                    json.put("fire_order", 0)
                    json.put("batch_uuid", call.externalID)
                    json.put("created_at", ended.rfc3339)
                    json.put("fired_at", (ended + 900).rfc3339)
                    json.put("status", "fired")
                    json.put("webhook_name", Optional<String>.none)
                }
            }
        }
    }

    private static func writeFlow(_ call: MockCall, to json: inout JSONText) {
        json.array("call_flow_events") { json in
            for (name, time) in [("started", call.startedAt), ("answered", call.answeredAt), ("finished", call.endedAt)] {
                guard let time else { continue }
                json.object { json in
                    json.put("event", name)
                    json.put("created_at", time.rfc3339)
                }
            }
        }
    }
}
