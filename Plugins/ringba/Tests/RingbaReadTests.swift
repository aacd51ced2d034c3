// Reading Ringba against its documented answers, through the real function tables.

import BerthPluginSDK
import BerthPluginTesting
import RingbaAdapter
import Testing

@Suite struct RingbaReadTests {
    static let settings = #"{"account_id":"RA1","page_size":2}"#
    let until = ProviderTime(milliseconds: 1_772_700_000_000)

    private func harness(_ answer: @escaping (HarnessRequest) throws -> HarnessResponse) throws -> PluginHarness {
        try PluginHarness(RingbaAdapter.self, settings: Self.settings, http: answer)
    }

    @Test func mapsCallLogRows() throws {
        // Breaks when a Ringba column lands in the wrong field: the caller is inboundPhoneNumber, number is the tracking number.
        let page = try Fixture.text("calllogs.json")
        let plugin = try harness { _ in .json(page) }
        let read = plugin.read("calls", until: until)
        #expect(read.error == nil)
        #expect(read.records.map(\.key) == ["v2demo_AAAA", "v2demo_BBBB"])
        let call = try #require(read.records.first)
        let expected = [
            "direction": "inbound", "status": "completed", "tracking_number": "+18885550199", "caller_number": "+12025550143",
            "destination_number": "+12025550111", "campaign_id": "CA00000000000000000000000000000001",
            "publisher_id": "AF00000000000000000000000000000002", "buyer_id": "TA00000000000000000000000000000003",
            "started_at": "2026-03-04T15:21:07.000Z", "answered_at": "2026-03-04T15:21:15.000Z", "ended_at": "2026-03-04T15:24:36.000Z",
            "duration_seconds": "209", "talk_seconds": "201", "converted": "true", "revenue": "25", "payout": "18.50", "cost": "0.08",
            "currency": "USD", "duplicate": "false", "recording_url": "https://media.ringba.com/recording-public?v=v1&k=demo%3d",
        ]
        for (field, value) in expected { #expect(call[field] == value, "\(field)") }
        #expect(Set(call.fields) == Set(expected.keys))
        #expect(try JSONDocument(call.raw).root["telcoCost"]?.numberText == "0.08")
        let unconnected = read.records[1]
        #expect(unconnected["status"] == "failed")
        #expect(unconnected["tracking_number"] == "+18885550199")
        #expect(unconnected["caller_number"] == "anonymous")
        #expect(!unconnected.fields.contains("answered_at") && !unconnected.fields.contains("revenue"))
    }

    @Test func takesBackWhatIsOmitted() throws {
        // Breaks when a revenue or a recording that Ringba took back stays: it leaves empty keys out.
        let row = #"{"inboundCallId":"c1","callDt":1772637667000,"hasConnected":true,"hasConverted":false,"targetId":""}"#
        let read = try harness { _ in .json(#"{"report":{"records":[\#(row)],"totalCount":1}}"#) }.read("calls", until: until)
        let call = try #require(read.records.first)
        for field in ["revenue", "payout", "cost", "recording_url", "destination_number", "buyer_id", "ended_at"] {
            #expect(call.cleared.contains(field), "\(field)")
        }
        #expect(call["converted"] == "false" && !call.cleared.contains("duplicate"))
    }

    @Test func readsOnWithoutATotal() throws {
        // Breaks when a server that caps pages and tells no total loses all calls after the first page.
        let plugin = try harness { request in
            let offset = request.json?["offset"]?.int64 ?? 9
            return .json(#"{"report":{"records":[\#(offset < 4 ? #"{"inboundCallId":"c\#(offset)"}"# : "")]}}"#)
        }
        #expect(plugin.read("calls", until: until).records.map(\.key) == ["c0", "c1", "c2", "c3"])
    }

    @Test func pagesByRecordOffsetToTheTotal() throws {
        // Breaks when offset counts pages instead of records, or the walk stops at the first page.
        let plugin = try harness { request in
            let offset = request.json?["offset"]?.int64 ?? -1
            let rows = (offset..<min(5, offset + 2)).map { #"{"inboundCallId":"c\#($0)","callDt":1772637667000}"# }
            let list = rows.joined(separator: ",")
            return .json(#"{"isSuccessful":true,"report":{"partialResult":false,"records":[\#(list)],"totalCount":5}}"#)
        }
        let since = ProviderTime(milliseconds: until.milliseconds - 1000)
        let read = plugin.read("calls", .incremental, since: since, until: until)
        #expect(read.error == nil)
        #expect(read.records.map(\.key) == ["c0", "c1", "c2", "c3", "c4"])
        #expect(plugin.requests.map { $0.json?["offset"]?.int64 } == [0, 2, 4])
        let first = try #require(plugin.requests.first)
        #expect(first.method == "POST" && first.url == "/v2/RA1/calllogs" && first.requestClass == "reports" && first.isIdempotent)
        #expect(first.json?["reportStart"]?.string == since.rfc3339)
        #expect(first.json?["reportEnd"]?.string == until.rfc3339)
        #expect(first.json?.at("/orderByColumns/0/column")?.string == "callDt")
        #expect(first.json?.at("/orderByColumns/0/direction")?.string == "asc")
        #expect(read.pages.count == 3)
    }

    @Test func resumesAtItsCheckpoint() throws {
        // Breaks when an interrupted read begins again at the first page.
        let answer: (HarnessRequest) throws -> HarnessResponse = { request in
            let offset = request.json?["offset"]?.int64 ?? -1
            let list = #"[{"inboundCallId":"c\#(offset)"},{"inboundCallId":"c\#(offset + 1)"}]"#
            return .json(#"{"isSuccessful":true,"report":{"records":\#(list),"totalCount":4}}"#)
        }
        let whole = try harness(answer).read("calls", until: until)
        #expect(whole.pages.count == 2)
        let rest = try harness(answer).read("calls", until: until, state: whole.pages[0].checkpoint)
        #expect(rest.records.map(\.key) == ["c2", "c3"])
        #expect(try harness(answer).read("calls", until: until, state: whole.pages[1].checkpoint).records.isEmpty)
    }

    @Test func splitsTheWindowOnAPartialResult() throws {
        // Breaks when partialResult:true is taken for the whole: calls would be missing for ever.
        let hour: Int64 = 3_600_000
        let plugin = try harness { request in
            let from = ProviderTime(request.json?["reportStart"]), to = ProviderTime(request.json?["reportEnd"])
            guard let from, let to else { return .json(#"{"message":"dates"}"#, status: 400) }
            if to.milliseconds - from.milliseconds > hour {
                return .json(#"{"isSuccessful":true,"report":{"partialResult":true,"records":[{"inboundCallId":"part"}],"totalCount":9}}"#)
            }
            return .json(#"{"isSuccessful":true,"report":{"records":[{"inboundCallId":"\#(from.rfc3339)"}],"totalCount":1}}"#)
        }
        let read = plugin.read("calls", .range, since: ProviderTime(milliseconds: until.milliseconds - 4 * hour), until: until)
        #expect(read.error == nil)
        #expect(read.records.map(\.key) == (1...4).reversed().map { ProviderTime(milliseconds: until.milliseconds - $0 * hour).rfc3339 })
    }

    @Test(arguments: [200, 400, 429, 503])
    func recognisesThrottlingAtAnyStatus(_ status: Int) throws {
        // Breaks when a throttle body under 200 is taken for an empty page, or under 400 for a defect.
        let body = try Fixture.text("throttled.json")
        let failure = try harness { _ in .json(body, status: status) }.read("calls", until: until).failure
        #expect(failure?.status == .throttled)
        let wait = try #require(failure?.retryAfter)
        #expect(wait > .zero && wait <= .seconds(60))
    }

    @Test func tellsErrorsApart() throws {
        // Breaks when a wrong token looks like an outage, or an HTML page like an empty list.
        func failure(_ response: HarnessResponse) throws -> ProviderError? {
            try harness { _ in response }.read("campaigns", until: until).failure
        }
        #expect(try failure(.json(#"{"message":"no"}"#, status: 401))?.status == .authDenied)
        #expect(try failure(.json(#"{"message":"no"}"#, status: 403))?.status == .authDenied)
        let missing = try failure(.json(#"{"transactionId":"T","message":"CA9 not found","messageCode":101,"errors":[]}"#, status: 404))
        #expect(missing?.status == .notFound && missing?.remoteCode == "101" && missing?.message.contains("CA9 not found") == true)
        #expect(try failure(.status(500, "<html>"))?.status == .remoteDown)
        #expect(try failure(.status(200, "<html>"))?.message.contains("HTML") == true)
        #expect(try failure(.status(200, #"{"campaigns":[{"id""#))?.status == .remoteDown)
        #expect(try failure(.status(400, "phone must be 1NNNNNNNNNN"))?.message.contains("1NNNNNNNNNN") == true)
        #expect(try failure(.json("{}"))?.message.contains("campaigns") == true)
    }

    @Test func readsWholeLists() throws {
        // Breaks when numbers or campaigns lose status, the never-date reads as released, or a quote breaks a name.
        let numbers = try Fixture.text("numbers.json"), campaigns = try Fixture.text("campaigns.json")
        let plugin = try harness { .json($0.url.hasSuffix("/numbers") ? numbers : campaigns) }
        let read = plugin.read("numbers", until: until).records
        #expect(read.map { $0["status"] } == ["active", "released"])
        #expect(read.map { $0["number"] } == ["+18885550199", "+12025550150"])
        #expect(read[0]["publisher_id"] == "AF00000000000000000000000000000002" && read[0]["toll_free"] == "true")
        #expect(!read[1].fields.contains("campaign_id"))
        let listed = plugin.read("campaigns", until: until)
        #expect(listed.records.map { $0["name"] } == ["Auto Insurance US", "Solar \"West\""])
        #expect(listed.records.map { $0["status"] } == ["active", "paused"])
        #expect(listed.pages.count == 1)
    }

    @Test func noticesThatPagingStandsStill() throws {
        // Breaks when a server that ignores the offset, under a new transactionId each time, is asked up to its total.
        let page = try Fixture.text("calllogs.json").replacing("\"totalCount\":2", with: "\"totalCount\":200000")
        var number = 1
        let plugin = try harness { _ in
            number += 1
            return .json(page.replacing("TR0001", with: "TR000\(number)"))
        }
        let read = plugin.read("calls", until: until)
        #expect(read.failure?.remoteCode == "cursor_stalled" && read.failure?.status == .internal)
        #expect(plugin.requests.count == 3)
    }

    @Test func stopsWhenCancelled() throws {
        // Breaks when a cancelled read goes on asking the provider.
        let page = try Fixture.text("calllogs.json").replacing("\"totalCount\":2", with: "\"totalCount\":200000")
        var row = 0
        let plugin = try harness { _ in
            row += 1
            return .json(page.replacing("v2demo_AAAA", with: "v2demo_\(row)"))
        }
        plugin.isCancelled = { $0.requests.count >= 3 }
        let read = plugin.read("calls", until: until)
        #expect(read.error is CancelledError)
        #expect(plugin.requests.count == 3)
    }

    @Test func refusesUnusableSettings() {
        // Breaks when a connection without an account is accepted and fails only at its first sync.
        #expect(throws: ProviderError.self) { try PluginHarness(RingbaAdapter.self) }
        #expect(throws: ProviderError.self) { try PluginHarness(RingbaAdapter.self, settings: #"{"account_id":"RA1","page_size":5000}"#) }
    }
}
