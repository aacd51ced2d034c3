// Reading Retreaver against its documented answers, through the real function tables.

import BerthPluginSDK
import BerthPluginTesting
import RetreaverAdapter
import Testing

@Suite struct RetreaverReadTests {
    static let settings = #"{"company_id":"4242","page_size":2}"#
    let until = ProviderTime(milliseconds: 1_772_700_000_000)

    private func harness(_ answer: @escaping (HarnessRequest) throws -> HarnessResponse) throws -> PluginHarness {
        try PluginHarness(RetreaverAdapter.self, settings: Self.settings, http: answer)
    }

    private func link(_ page: Int) -> [(name: String, value: String)] {
        let base = "https://api.retreaver.com/api/v2/calls.json?api_key=SECRET&company_id=4242"
        return [("link", "<\(base)&page=1>; rel=\"prev\", <\(base)&page=\(page)&a=1,2>; rel=\"next\", <\(base)&page=9>; rel=\"last\"")]
    }

    @Test func mapsCallsOfAllVersions() throws {
        // Breaks when a Retreaver field lands in the wrong place: number is the tracking number, dialed_number the buyer's.
        let body = try Fixture.text("calls.json")
        let read = try harness { _ in .json(body) }.read("calls", until: until)
        #expect(read.error == nil)
        let call = try #require(read.records.first)
        let expected = [
            "direction": "inbound", "status": "completed", "tracking_number": "+18885550199", "caller_number": "+12025550143",
            "destination_number": "+12025550111", "campaign_id": "1007", "publisher_id": "P9", "buyer_id": "501",
            "started_at": "2026-03-04T15:21:07.120Z", "answered_at": "2026-03-04T15:21:24.000Z", "ended_at": "2026-03-04T15:24:28.120Z",
            "duration_seconds": "201", "talk_seconds": "184", "recording_url": "https://recordings.test/1.mp3", "converted": "true",
            "revenue": "25.5", "payout": "18.0", "cost": "0.0850", "currency": "USD", "duplicate": "false",
            "tags": #"{"geo":"US,DC","lead_id":"L-5512"}"#,
        ]
        for (field, value) in expected { #expect(call[field] == value, "\(field)") }
        #expect(Set(call.fields) == Set(expected.keys))
        let missed = read.records[1]
        #expect(missed["status"] == "missed" && missed["tracking_number"] == "+18885550199" && missed["campaign_id"] == "77")
        for absent in ["revenue", "payout", "answered_at", "recording_url", "publisher_id", "buyer_id"] {
            #expect(!missed.fields.contains(absent) && missed.cleared.contains(absent), "null or absent takes back: \(absent)")
        }
    }

    @Test func followsPagesWithoutTheEchoedKey() throws {
        // Breaks when paging stops early, or the key that the Link header echoes is sent on or kept in a checkpoint.
        let plugin = try harness { request in
            let page = Int(request.query("page") ?? "") ?? 0
            return .json(#"[{"call":{"uuid":"c\#(page)"}}]"#, headers: page < 3 ? link(page + 1) : [])
        }
        let read = plugin.read("calls", until: until)
        #expect(read.error == nil)
        #expect(read.records.map(\.key) == ["c1", "c2", "c3"])
        #expect(plugin.requests.allSatisfy { $0.path == "/api/v2/calls.json" && $0.query("company_id") == "4242" })
        #expect(plugin.requests.allSatisfy { !$0.url.contains("SECRET") })
        #expect(read.pages.allSatisfy { !$0.checkpoint.state.contains("SECRET") })
        #expect(plugin.requests[0].query("sort_by") == "created_at" && plugin.requests[0].query("order") == "asc")
        let rest = try harness { request in .json(#"[{"call":{"uuid":"p\#(request.query("page") ?? "")"}}]"#) }
            .read("calls", until: until, state: read.pages[0].checkpoint)
        #expect(rest.records.map(\.key) == ["p2"])
    }

    @Test func readsChangesOfTheWindowOnly() throws {
        // Breaks when an incremental read bounds the walk above (rows would be skipped while others change), or never ends
        // because updated_at_start is ignored.
        let since = ProviderTime(milliseconds: until.milliseconds - 3_600_000)
        let plugin = try harness { request in
            let page = Int64(request.query("page") ?? "") ?? 0
            let updated = ProviderTime(milliseconds: until.milliseconds - page * 2_000_000)
            return .json(#"[{"call":{"uuid":"c\#(page)","updated_at":"\#(updated.rfc3339)"}}]"#, headers: link(Int(page) + 1))
        }
        let read = plugin.read("calls", .incremental, since: since, until: until)
        #expect(read.error == nil)
        #expect(read.records.map(\.key) == ["c1", "c2"])
        let first = try #require(plugin.requests.first)
        #expect(first.query("sort_by") == "updated_at" && first.query("updated_at_start") == since.rfc3339)
        #expect(first.query("updated_at_end") == nil && first.query("created_at_start") == nil)
    }

    @Test func noticesThatPagingStandsStill() throws {
        // Breaks when a provider that answers the same page for ever keeps a sync running for ever.
        let stuck = try harness { _ in .json(#"[{"call":{"uuid":"c"}}]"#, headers: link(2)) }
        let read = stuck.read("calls", until: until)
        #expect(read.failure?.remoteCode == "cursor_stalled")
        #expect(stuck.requests.count <= 4)
        let ignoring = try harness { .json(#"[{"call":{"uuid":"c"}}]"#, headers: link((Int($0.query("page") ?? "") ?? 0) + 1)) }
        #expect(ignoring.read("calls", until: until).failure?.remoteCode == "cursor_stalled")
        #expect(ignoring.requests.count <= 4)
    }

    @Test func readsLists() throws {
        // Breaks when the wrapping objects are not taken off, or references do not match the campaigns' keys.
        let numbers = try Fixture.text("numbers.json"), campaigns = try Fixture.text("campaigns.json")
        let plugin = try harness { .json($0.path == "/numbers.json" ? numbers : campaigns) }
        let read = plugin.read("numbers", until: until).records
        #expect(read.map(\.key) == ["4411", "4412"])
        #expect(read.map { $0["toll_free"] } == ["true", "false"])
        let campaignKeys = plugin.read("campaigns", until: until).records.map(\.key)
        #expect(campaignKeys == ["1007", "1008"])
        #expect(read.map { $0["campaign_id"] } == campaignKeys)
    }

    @Test func tellsErrorsApart() throws {
        // Breaks when a wrong company looks like an outage, or a 429 without a body like a defect.
        func failure(_ response: HarnessResponse) throws -> ProviderError? {
            try harness { _ in response }.read("calls", until: until).failure
        }
        #expect(try failure(.status(401))?.status == .authDenied)
        #expect(try failure(.status(403))?.message.contains("company_id") == true)
        #expect(try failure(.status(429))?.status == .throttled)
        #expect(try failure(.status(429, headers: [("retry-after", "7")]))?.retryAfter == .seconds(7))
        #expect(try failure(.status(503, "maintenance"))?.status == .remoteDown)
        #expect(try failure(.json(#"{"calls":[]}"#))?.status == .remoteDown)
        #expect(throws: ProviderError.self) { try PluginHarness(RetreaverAdapter.self) }
    }
}
