// Hooks of both mechanisms, and operations on demand.

import BerthPluginSDK
import BerthPluginTesting
import Testing
import TrackDriveAdapter

@Suite struct TrackDriveWebhookTests {
    private func harness(_ answer: @escaping (HarnessRequest) throws -> HarnessResponse = { _ in .status(599) }) throws -> PluginHarness {
        try PluginHarness(TrackDriveAdapter.self, http: answer)
    }

    @Test(arguments: [false, true])
    func takesTheCallBareOrWrapped(_ isWrapped: Bool) throws {
        // Breaks when the envelope, which TrackDrive's documents leave open, is expected or forbidden.
        let call = try Fixture.text("hook-call-ended.json")
        let event = HarnessEvent(kind: "call_ended", query: "event=call_ended", body: isWrapped ? "{\"call\":\(call)}" : call)
        let outcome = try harness().handle(event)
        #expect(outcome.error == nil)
        let record = try #require(outcome.records.first)
        #expect(record.key == "0f4d3a52-6c0b-4d8c-b4f3-5a1f9a0c77e2")
        #expect(record["status"] == "completed" && record["revenue"] == "25.0" && record["converted"] == "true")
        #expect(record.sourceTime?.rfc3339 == "2026-03-04T15:24:55.999Z")
    }

    @Test func countsReceiptWhereNoUpdateTimeIsGiven() throws {
        // Breaks when a templated webhook has no time, so that order is lost, or wipes what it does not name.
        let body = #"{"event":"call_completed","uuid":"u1","caller":"+12025550143","number":"+18885550199","duration":12,"secret":"hush"}"#
        let record = try #require(try harness().handle(HarnessEvent(kind: "call_completed", body: body)).records.first)
        #expect(record.sourceTime == ProviderTime(milliseconds: 1_772_700_000_000))
        #expect(record.fields == ["direction", "status", "tracking_number", "caller_number", "duration_seconds"])
        #expect(!String(decoding: record.raw, as: UTF8.self).contains("hush"))
    }

    @Test(
        arguments: [
            ("new_call", "ringing"), ("call_ringing", "ringing"), ("call_forwarded", "in_progress"), ("call_ended", "completed"),
            ("call_changed", nil),
        ] as [(String, String?)])
    func readsTheStatusOffTheEvent(_ kind: String, _ status: String?) throws {
        // Breaks when a lifecycle event does not move the call, or a change of an old call invents a status.
        let body = #"{"uuid":"u1","created_at":"2026-03-04 10:21:07 -0500","revenue":"3"}"#
        let record = try #require(try harness().handle(HarnessEvent(kind: kind, body: body)).records.first)
        #expect(record["status"] == status)
    }

    @Test func aLateRingingDoesNotOverwriteTheEnd() throws {
        // Breaks when a delivery of an earlier state that comes after the end's calls the call back to life.
        let late = ProviderTime(milliseconds: 1_772_700_060_000)
        func seen(_ kind: String, _ query: String, at time: ProviderTime = late) throws -> ProviderTime {
            let event = HarnessEvent(kind: kind, query: "event=\(kind)&\(query)", receivedAt: time)
            let record = try #require(try harness().handle(event).records.first)
            return try #require(record.sourceTime)
        }
        let end = try seen("call_ended", "uuid=u1", at: ProviderTime(milliseconds: 1_772_700_000_000))
        #expect(try seen("call_ringing", "uuid=u1") < end && seen("call_forwarded", "uuid=u1") < end)
        #expect(try seen("call_ringing", "uuid=u1&created_at=2026-03-04T15:21:07Z") < end)
    }

    @Test(arguments: ["new_lead", "lead_ended", "lead_changed", "incoming_text_message"])
    func marksWhatIsNoCall(_ kind: String) throws {
        // Breaks when a lead is stored as a call, or retried for ever.
        let outcome = try harness().handle(HarnessEvent(kind: kind, body: #"{"uuid":"u1","caller_id":"+12025550143"}"#))
        #expect(outcome.failure?.status == .unsupported)
        #expect(outcome.records.isEmpty)
    }

    @Test func parksACallWithoutId() throws {
        // Breaks when a hopeless delivery is retried for ever.
        #expect(try harness().handle(HarnessEvent(kind: "call_ended", body: #"{"call":{}}"#)).failure?.status == .invalidEvent)
        #expect(try harness().handle(HarnessEvent(kind: "", query: "uuid=[call_uuid]")).failure?.status == .invalidEvent)
    }

    @Test func performsActions() throws {
        // Breaks when an action asks the wrong address or forgets what it learned.
        let plugin = try harness { request in
            switch (request.method, request.path) {
            case ("GET", "/api/v1/calls"): .json(#"{"calls":[],"metadata":{"next_cursor":0}}"#)
            case ("GET", "/api/v1/calls/u1"): .json(#"{"status":200,"errors":{},"call":{"uuid":"u1","revenue":"3.10"},"checksum":"x"}"#)
            case ("POST", "/api/v1/calls/update_call/u1"): .json(#"{"status":200,"errors":{},"call":{"uuid":"u1","revenue":"4.20"}}"#)
            case ("POST", "/api/v1/subscriptions"): .json(#"{"status":200,"errors":{},"subscription":{"id":7}}"#)
            case ("DELETE", "/api/v1/subscriptions/7"): .status(204)
            default: .status(404)
            }
        }
        #expect(plugin.checkCredentials().error == nil)
        #expect(plugin.requests[0].query("per_page") == "1")
        #expect(plugin.perform("get_call", #"{"call_id":"u1"}"#).records.first?["revenue"] == "3.10")
        let updated = plugin.perform("update_call", #"{"call_id":"u1","revenue":"4.20","buyer_converted":true}"#)
        #expect(updated.records.first?["revenue"] == "4.20")
        #expect(plugin.requests.last?.json?["revenue"]?.numberText == "4.20")
        #expect(plugin.requests.last?.json?["offer_converted"] == nil)
        let hook = plugin.perform("register_webhook", #"{"target_url":"https://b.test/h/1","event":"call_ended"}"#)
        #expect(hook.reply?.at("/subscription/id")?.int64 == 7)
        #expect(plugin.requests.last?.json?["target_url"]?.string == "https://b.test/h/1?event=call_ended")
        #expect(plugin.perform("unregister_webhook", #"{"subscription_id":7}"#).error == nil)
    }
}
