// Webhooks in every form, and operations on demand.

import BerthPluginSDK
import BerthPluginTesting
import RetreaverAdapter
import Testing

@Suite struct RetreaverWebhookTests {
    private func harness(_ answer: @escaping (HarnessRequest) throws -> HarnessResponse = { _ in .status(599) }) throws -> PluginHarness {
        try PluginHarness(RetreaverAdapter.self, settings: RetreaverReadTests.settings, http: answer)
    }

    static let query =
        "event=call_end&call_uuid=3b0f&caller=%2B12025550143&tracking=%2B18885550199&zip=20001&lead_id=[lead_id]&call_key=hush"

    @Test(arguments: ["GET", "POST", "form", "json"])
    func readsEveryForm(_ form: String) throws {
        // Breaks when one of the ways Retreaver sends data is not read, or the call's key is kept.
        let json = #"{"event":"call_end","call_uuid":"3b0f","caller":"+12025550143","tracking":"+18885550199","call_key":"hush"}"#
        let event =
            switch form {
            case "form": HarnessEvent(kind: "call_end", headers: [("content-type", "application/x-www-form-urlencoded")], body: Self.query)
            case "json": HarnessEvent(kind: "call_end", body: json)
            default: HarnessEvent(kind: "call_end", method: form, query: Self.query)
            }
        let outcome = try harness().handle(event)
        #expect(outcome.error == nil)
        let call = try #require(outcome.records.first)
        #expect(call.key == "3b0f")
        #expect(call["tracking_number"] == "+18885550199" && call["caller_number"] == "+12025550143" && call["status"] == "completed")
        #expect(!String(decoding: call.raw, as: UTF8.self).contains("hush"))
    }

    @Test func writesOnlyWhatIsThere() throws {
        // Breaks when a start webhook wipes what a read told.
        let event = HarnessEvent(
            kind: "start", method: "GET", query: "event=start&call_uuid=u1&revenue=&payout=[payout]&nanp_caller_number=2025550143")
        let call = try #require(try harness().handle(event).records.first)
        #expect(call.fields == ["direction", "status", "caller_number"])
        #expect(call["status"] == "ringing" && call["caller_number"] == "+12025550143")
    }

    @Test func endsMayBeMissedCalls() throws {
        // Breaks when every ended call counts as answered.
        func status(_ extra: String) throws -> String? {
            try harness().handle(HarnessEvent(kind: "call_end", query: "call_uuid=u1&\(extra)")).records.first?["status"]
        }
        #expect(try status("connected=false") == "missed")
        #expect(try status("dialed_call_duration=0") == "missed")
        #expect(try status("dialed_call_duration=12") == "completed")
    }

    @Test func takesTheAPIsOwnObject() throws {
        // Breaks when a configurator that posts the whole call loses its fields.
        let body = #"{"call":{"uuid":"u9","status":"finished","connected":true,"number":"+18885550199","total_duration":5}}"#
        let call = try #require(try harness().handle(HarnessEvent(kind: "end", body: body)).records.first)
        #expect(call.key == "u9" && call["duration_seconds"] == "5" && call["status"] == "completed")
        #expect(call.cleared == [], "a part of a call wipes nothing")
    }

    @Test func aLateStartDoesNotOverwriteTheEnd() throws {
        // Breaks when a webhook of an earlier state that comes after the end's calls the call back to life.
        func seen(_ kind: String, _ body: String = "", at milliseconds: Int64 = 1_772_700_060_000) throws -> ProviderTime {
            let event = HarnessEvent(
                kind: kind, query: "call_uuid=u1", body: body, receivedAt: ProviderTime(milliseconds: milliseconds))
            let record = try #require(try harness().handle(event).records.first)
            return try #require(record.sourceTime)
        }
        let end = try seen("call_end", at: 1_772_700_000_000)
        #expect(try seen("start") < seen("answered") && seen("answered") < end)
        #expect(try seen("start", #"{"call":{"uuid":"u1","status":"ringing"}}"#) < end)
        let updated = #"{"call":{"uuid":"u1","updated_at":"2026-03-05T08:39:59.000Z"}}"#
        #expect(try seen("call_end", updated).rfc3339 == "2026-03-05T08:39:59.000Z")
    }

    @Test func parksAWebhookWithoutItsCall() throws {
        // Breaks when a hopeless delivery is retried for ever.
        let outcome = try harness().handle(HarnessEvent(kind: "start", query: "event=start&call_uuid=[call_uuid]"))
        #expect(outcome.failure?.status == .invalidEvent)
    }

    @Test func performsActions() throws {
        // Breaks when an action asks the wrong address or forgets what it learned.
        let plugin = try harness { request in
            switch (request.method, request.path) {
            case ("GET", "/company.json"): .json(#"{"company":{"id":4242,"name":"Acme"}}"#)
            case ("GET", "/api/v2/calls/u1.json"): .json(#"{"call":{"uuid":"u1","revenue":3.10}}"#)
            case ("POST", "/numbers.json"): .json(#"{"number":{"id":9,"number":"+18885550100","cid":"1007","afid":"P9","toll_free":true}}"#)
            case ("DELETE", "/numbers/9.json"): .status(204)
            case ("GET", "/campaigns/cid/1007.json"): .json(#"{"campaign":{"cid":"1007","name":"Auto"}}"#)
            default: .status(404)
            }
        }
        #expect(plugin.checkCredentials().reply?["name"]?.string == "Acme")
        #expect(plugin.perform("get_call", #"{"call_id":"u1"}"#).records.first?["revenue"] == "3.10")
        let bought = plugin.perform("provision_number", #"{"campaign_id":"1007","publisher_id":"P9"}"#)
        #expect(bought.records.first?.key == "9" && bought.reply?["number"]?.string == "+18885550100")
        let sent = try #require(plugin.requests.last?.json?["number"])
        #expect(sent["type"]?.string == "Toll-free" && sent["cid"]?.string == "1007" && sent["afid"]?.string == "P9")
        #expect(plugin.perform("release_number", #"{"number_id":9}"#).records.first?.isDelete == true)
        #expect(plugin.perform("get_campaign", #"{"campaign_id":"1007"}"#).reply?["name"]?.string == "Auto")
        #expect(plugin.perform("get_call", #"{"call_id":"none"}"#).failure?.status == .notFound)
        #expect(plugin.requests.allSatisfy { $0.query("company_id") == "4242" })
    }
}
