// Reading TrackDrive against its documented answers, through the real function tables.

import BerthPluginSDK
import BerthPluginTesting
import Testing
import TrackDriveAdapter

@Suite struct TrackDriveReadTests {
    let until = ProviderTime(milliseconds: 1_772_700_000_000)

    private func harness(_ answer: @escaping (HarnessRequest) throws -> HarnessResponse) throws -> PluginHarness {
        try PluginHarness(TrackDriveAdapter.self, settings: #"{"page_size":2}"#, http: answer)
    }

    @Test func mapsCalls() throws {
        // Breaks when a column lands in the wrong field, or a time with a zone is taken as UTC.
        let body = try Fixture.text("calls.json")
        let read = try harness { _ in .json(body) }.read("calls", until: until)
        #expect(read.error == nil)
        let call = try #require(read.records.first)
        let expected = [
            "direction": "inbound", "status": "completed", "tracking_number": "+18885550199", "caller_number": "+12025550143",
            "campaign_id": "10002145", "publisher_id": "1007", "buyer_id": "312", "started_at": "2026-03-04T15:21:07.000Z",
            "duration_seconds": "228", "talk_seconds": "201", "converted": "true", "revenue": "25.0", "payout": "18.0", "currency": "USD",
        ]
        for (field, value) in expected { #expect(call[field] == value, "\(field)") }
        #expect(Set(call.fields) == Set(expected.keys))
        #expect(call.key == "0f4d3a52-6c0b-4d8c-b4f3-5a1f9a0c77e2")
        let missed = read.records[1]
        #expect(missed["status"] == "missed" && missed["duration_seconds"] == "12" && missed["revenue"] == "1.50")
        #expect(missed["started_at"] == "2026-03-04T15:30:00.250Z" && missed["ended_at"] == "2026-03-04T15:30:12.650Z")
        #expect(missed["caller_number"] == "+12025550144" && missed["destination_number"] == "+12025550111")
        #expect(missed["converted"] == "false" && !missed.fields.contains("payout") && !missed.fields.contains("recording_url"))
    }

    @Test func takesBackWhatBecameEmpty() throws {
        // Breaks when a revenue that TrackDrive took back stays, or a column that its rows do not have wipes a webhook's fact.
        let empty = #""revenue":null,"payout":"","buyer_converted":null,"buyer_id":null"#
        let row = #"{"uuid":"u1",\#(empty),"total_duration":60,"answered_duration":5}"#
        let call = try #require(harness { _ in .json(#"{"calls":[\#(row)],"metadata":{}}"#) }.read("calls", until: until).records.first)
        #expect(call.cleared == ["buyer_id", "converted", "revenue", "payout"])
        #expect(call["status"] == "completed" && !call.fields.contains("currency"))
    }

    @Test func followsCursorsBetweenTheirSentinels() throws {
        // Breaks when -1 does not begin, 0 does not end, or a sentinel is kept as a position.
        let plugin = try harness { request in
            let cursor = Int(request.query("cursor") ?? "") ?? 99
            let next = cursor == -1 ? 500 : cursor == 500 ? 400 : 0
            return .json(#"{"calls":[{"uuid":"c\#(cursor)"}],"metadata":{"next_cursor":\#(next)}}"#)
        }
        let since = ProviderTime(milliseconds: until.milliseconds - 259_200_000)
        let read = plugin.read("calls", .incremental, since: since, until: until)
        #expect(read.error == nil)
        #expect(read.records.map(\.key) == ["c-1", "c500", "c400"])
        #expect(plugin.requests[0].query("created_at_from") == "2026-03-02 08:40:00 +0000")
        #expect(plugin.requests[0].url.contains("%2B0000"))
        #expect(plugin.requests[0].query("created_at_to") == nil)
        #expect(read.pages.allSatisfy { !$0.checkpoint.state.contains("\"0\"") && !$0.checkpoint.state.contains("-1") })
        let rest = try harness { .json(#"{"calls":[{"uuid":"r\#($0.query("cursor") ?? "")"}],"metadata":{"next_cursor":0}}"#) }
            .read("calls", until: until, state: read.pages[0].checkpoint)
        #expect(rest.records.map(\.key) == ["r500"])
    }

    @Test func noticesACursorThatStandsStill() throws {
        // Breaks when the same cursor for ever keeps a sync running for ever.
        let plugin = try harness { _ in .json(#"{"calls":[{"uuid":"c"}],"metadata":{"next_cursor":7}}"#) }
        #expect(plugin.read("calls", until: until).failure?.remoteCode == "cursor_stalled")
        #expect(plugin.requests.count <= 4)
    }

    @Test func readsNumbersWhetherPagedOrNot() throws {
        // Breaks when a server that ignores `page` is asked for ever, or a paged list is cut at its first page.
        func numbers(_ from: Int, _ count: Int) -> String {
            let rows = (from..<from + count).map { #"{"id":\#($0),"plain_number":"1888555010\#($0)","offer_id":5,"country":"US"}"# }
            return #"{"phone_numbers":[\#(rows.joined(separator: ","))]}"#
        }
        let pages = ["1": numbers(1, 2), "2": numbers(3, 1)]
        let paged = try harness { .json(pages[$0.query("page") ?? ""] ?? numbers(1, 0)) }
        #expect(paged.read("numbers", until: until).records.map { $0["number"] } == ["+18885550101", "+18885550102", "+18885550103"])
        // A server that caps pages below what was asked for gives short ones of a long list.
        let capped = try harness { request in
            let page = Int(request.query("page") ?? "") ?? 9
            return .json(numbers(page, page < 6 ? 1 : 0))
        }
        #expect(capped.read("numbers", until: until).records.map(\.key) == ["1", "2", "3", "4", "5"])
        let whole = try harness { _ in .json(numbers(1, 4)) }
        let read = whole.read("numbers", until: until)
        #expect(read.error == nil)
        #expect(read.records.map(\.key) == ["1", "2", "3", "4"])
        #expect(whole.requests.count == 2)
    }

    @Test func aPageThatComesAgainIsNotTheWholeList() throws {
        // Breaks when a server that gives its first page for ever has all other numbers taken for deleted.
        let rows = #"{"phone_numbers":[{"id":1,"number":"+18885550101"},{"id":2,"number":"+18885550102"}]}"#
        let looping = try harness { _ in .json(rows) }
        #expect(looping.read("numbers", until: until).failure?.remoteCode == "cursor_stalled")
        let round = try harness { request in
            let first = (Int(request.query("page") ?? "") ?? 0) % 2
            return .json(#"{"phone_numbers":[{"id":\#(first),"number":"+18885550101"}]}"#)
        }
        #expect(round.read("numbers", until: until).failure?.remoteCode == "cursor_stalled")
        #expect(round.requests.count < 10)
    }

    @Test func findsCampaignsWithAndWithoutTheirList() throws {
        // Breaks when accounts without GET /offers have no campaigns at all.
        let listed = try harness { _ in .json(#"{"offers":[{"id":10002145,"name":"Auto Insurance"}],"metadata":{}}"#) }
        #expect(listed.read("campaigns", until: until).records.map { $0["name"] } == ["Auto Insurance"])
        let calls = try Fixture.text("calls.json")
        let unlisted = try harness { $0.path == "/api/v1/offers" ? .status(404) : .json(calls) }
        let read = unlisted.read("campaigns", until: until)
        #expect(read.error == nil)
        #expect(read.records.map(\.key) == ["10002145", "10002146"])
        #expect(read.records.map { $0["name"] } == ["Auto Insurance", "Solar"])
    }

    @Test func tellsErrorsApart() throws {
        // Breaks when another company's key looks like an outage, or an error envelope under 200 like an empty page.
        func failure(_ response: HarnessResponse) throws -> ProviderError? {
            try harness { _ in response }.read("calls", until: until).failure
        }
        #expect(try failure(.status(401))?.status == .authDenied)
        #expect(try failure(.json(#"{"status":404,"errors":{"id":["not found"]}}"#))?.status == .notFound)
        #expect(try failure(.status(429))?.status == .throttled)
        #expect(try failure(.json(#"{"status":200,"errors":{}}"#))?.message.contains("calls") == true)
        #expect(throws: ProviderError.self) {
            try PluginHarness(TrackDriveAdapter.self, baseURL: "https://{subdomain}.trackdrive.com")
        }
    }
}
