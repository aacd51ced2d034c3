// Pixels in every form Ringba lets a user write them.

import BerthPluginSDK
import BerthPluginTesting
import RingbaAdapter
import Testing

@Suite struct RingbaPixelTests {
    private func harness() throws -> PluginHarness { try PluginHarness(RingbaAdapter.self, settings: RingbaReadTests.settings) }

    @Test func mapsTheTemplatedBody() throws {
        // Breaks when quoted numbers and booleans are not read as such, or the user's own fields are lost.
        let body = try Fixture.text("pixel-finalized.json")
        let outcome = try harness().handle(HarnessEvent(kind: "finalized", headers: [("content-type", "application/json")], body: body))
        #expect(outcome.error == nil)
        let call = try #require(outcome.records.first)
        #expect(call.key == "v2demo_AAAA" && call.stream == "calls")
        #expect(call["status"] == "completed" && call["duration_seconds"] == "209" && call["duplicate"] == "false")
        #expect(call["revenue"] == "25" && call["payout"] == "18" && call["currency"] == "USD")
        #expect(call["caller_number"] == "+12025550143")
        #expect(call.sourceTime == ProviderTime(milliseconds: 1_772_700_000_000))
        #expect(try JSONDocument(call.raw).root["click_id"]?.string == "abc-771")
    }

    @Test(arguments: ["query", "form"])
    func readsQueryAndFormAlike(_ place: String) throws {
        // Breaks when a GET pixel, or a POST of a form, is refused or decoded wrongly.
        let text = "event=connected&call_id=c1&caller=%2B12025550143&number=%28888%29%20555-0199&campaign_id=CA1&note=a+b%26c&token=hush"
        let event = HarnessEvent(
            kind: "connected", method: place == "query" ? "GET" : "POST", query: place == "query" ? text : "token=hush",
            headers: place == "query" ? [] : [("content-type", "application/x-www-form-urlencoded")], body: place == "query" ? "" : text)
        let call = try #require(try harness().handle(event).records.first)
        #expect(call["status"] == "in_progress" && call["caller_number"] == "+12025550143" && call["tracking_number"] == "+18885550199")
        let raw = try JSONDocument(call.raw).root
        #expect(raw["note"]?.string == "a b&c")
        #expect(raw["token"] == nil)
    }

    @Test func writesOnlyWhatIsThere() throws {
        // Breaks when an early pixel with empty or unresolved values wipes what the call log told.
        let empty = #""revenue":"","payout":"[Call:ConversionPayout]","duration":null,"caller":"  ""#
        let body = #"{"event":"recording","call_id":"c1",\#(empty),"recording":"https://r.test/1"}"#
        let call = try #require(try harness().handle(HarnessEvent(kind: "recording", body: body)).records.first)
        #expect(call.fields == ["direction", "recording_url"])
    }

    @Test(
        arguments: [
            ("incoming", "ringing"), ("Connected", "in_progress"), ("call_completed", "completed"), ("error", "failed"), ("payout", nil),
            ("my_own_name", nil),
        ] as [(String, String?)])
    func readsTheStatusOffTheTrigger(_ event: String, _ status: String?) throws {
        // Breaks when a trigger's name is not understood, or one that says nothing invents a status.
        let call = try #require(try harness().handle(HarnessEvent(kind: event, query: "event=\(event)&call_id=c1")).records.first)
        #expect(call["status"] == status)
    }

    @Test func aLateIncomingPixelDoesNotOverwriteTheEnd() throws {
        // Breaks when a pixel of an earlier state that comes after Completed's makes the call ring again.
        func seen(_ kind: String, _ more: String = "", at milliseconds: Int64 = 1_772_700_060_000) throws -> ProviderTime {
            let event = HarnessEvent(
                kind: kind, query: "event=\(kind)&call_id=c1\(more)", receivedAt: ProviderTime(milliseconds: milliseconds))
            let record = try #require(try harness().handle(event).records.first)
            return try #require(record.sourceTime)
        }
        let end = try seen("completed", at: 1_772_700_000_000)
        let connected = try seen("connected")
        #expect(try seen("incoming") < connected && connected < end)
        #expect(try seen("connected", "&answered_at=1772699000000") == ProviderTime(milliseconds: 1_772_699_000_000))
    }

    @Test func readsMoneyWithADecimalComma() throws {
        // Breaks when 25,50 becomes 2550, or an amount that could be two becomes one of them.
        let form = HarnessEvent(
            kind: "converted", headers: [("content-type", "application/x-www-form-urlencoded")],
            body: "event=converted&call_id=f1&revenue=25%2C50&payout=1%2C23%2C4")
        let call = try #require(try harness().handle(form).records.first)
        #expect(call["revenue"] == "25.50" && !call.fields.contains("payout") && call["converted"] == "true")
    }

    @Test func parksWhatCannotBeProcessed() throws {
        // Breaks when a hopeless pixel is retried for ever, or takes its batch with it.
        let events = [
            HarnessEvent(kind: "completed", query: "event=completed&call_id=[Call:InboundCallId]"),
            HarnessEvent(kind: "completed", headers: [("content-type", "application/json")], body: #"{"call_id":"c2""#),
            HarnessEvent(kind: "completed", body: #"{"call_id":"c3"}"#),
            HarnessEvent(kind: "completed", body: "[1]"),
        ]
        let outcomes = try harness().handle(events)
        #expect(outcomes.map { $0.failure?.status } == [.invalidEvent, .invalidEvent, nil, .invalidEvent])
        #expect(outcomes[0].failure?.message.contains("call_id=[Call:InboundCallId]") == true)
        #expect(outcomes[2].records.map(\.key) == ["c3"])
    }
}
