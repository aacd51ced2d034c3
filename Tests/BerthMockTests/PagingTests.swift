// Each provider's paging brings every call once, with its own rules.

import Foundation
import Testing

@Suite struct PagingTests {
    // Without this, Ringba's offset paging could skip or repeat calls, or calls could share an id.
    @Test func ringbaPagesBringEveryCallOnce() throws {
        let mock = try MockProcess(["ringba", "--calls", "530"])
        var ids: [String] = []
        var total = Int.max
        while ids.count < total {
            let answer = try mock.ringbaLog(["size": 200, "offset": ids.count])
            total = try #require((answer.object["report"] as? [String: Any])?["totalCount"] as? Int)
            let page = MockProcess.records(answer).compactMap { $0["inboundCallId"] as? String }
            try #require(!page.isEmpty)
            ids += page
        }
        #expect(ids.count == 530 && Set(ids).count == 530)
        #expect(Set(ids) == Set(try mock.truth("ringba").keys))
        #expect(MockProcess.records(try mock.ringbaLog()).count == 100, "the default size")
        #expect(try mock.ringbaLog(["size": 1001]).status == 400)
    }

    // Without this, a Ringba filter or column list would be ignored, and a plugin that uses them pass by luck.
    @Test func ringbaFiltersAndColumns() throws {
        let mock = try MockProcess(["ringba", "--calls", "300"])
        let connected = try mock.truth("ringba").values.filter { $0["connected"] as? Bool == true }.count
        let filter: [String: Any] = [
            "anyConditionToMatch": [["column": "hasConnected", "value": "yes", "isNegativeMatch": false, "comparisonType": "EQUALS"]]
        ]
        let answer = try mock.ringbaLog([
            "size": 1000, "filters": [filter], "valueColumns": [["column": "inboundCallId"], ["column": "callConnectionDt"]],
        ])
        let records = MockProcess.records(answer)
        #expect(records.count == connected)
        #expect(records.allSatisfy { Set($0.keys) == ["inboundCallId", "callConnectionDt"] })
        let plain = MockProcess.records(try mock.ringbaLog(["size": 1000]))
        #expect(plain.contains { $0["callConnectionDt"] == nil && $0["hasConnected"] as? Bool == false }, "empty keys are left out")
    }

    // Without this, Retreaver's Link walk could lose calls or drop the key that it echoes.
    @Test func retreaverLinksBringEveryCallOnce() throws {
        let mock = try MockProcess(["retreaver", "--calls", "210"])
        var next: String? = "/api/v2/calls.json?\(MockProcess.retreaverKeys)&order=asc&per_page=1000"
        var ids: [String] = []
        while let path = next {
            let answer = try mock.request("GET", path)
            let page = try #require(answer.json as? [[String: Any]], "a bare array")
            #expect(page.count <= 100)
            ids += page.compactMap { ($0["call"] as? [String: Any])?["uuid"] as? String }
            let link = (answer.headers["link"] ?? "").components(separatedBy: ", ").first { $0.hasSuffix("rel=\"next\"") }
            next = link.map { String($0.dropFirst("<http://127.0.0.1:\(mock.port)".count).prefix { $0 != ">" }) }
            if let next { #expect(next.contains("api_key=mock-retreaver-key")) }
        }
        #expect(ids.count == 210 && Set(ids).count == 210)
        #expect(Set(ids) == Set(try mock.truth("retreaver").keys))
    }

    // Without this, TrackDrive's cursor could end early or never, or page mode differ from it.
    @Test func trackDriveCursorBringsEveryCallOnce() throws {
        let mock = try MockProcess(["trackdrive", "--calls", "130"])
        var cursor = -1
        var ids: [String] = []
        while cursor != 0 {
            let answer = try mock.request("GET", "/api/v1/calls?cursor=\(cursor)", headers: MockProcess.trackDriveHeaders).object
            let page = try #require(answer["calls"] as? [[String: Any]])
            #expect(page.count <= 25)
            ids += page.compactMap { $0["uuid"] as? String }
            cursor = try #require((answer["metadata"] as? [String: Any])?["next_cursor"] as? Int)
        }
        #expect(ids.count == 130 && Set(ids).count == 130)
        #expect(Set(ids) == Set(try mock.truth("trackdrive").keys))
        let bare = try mock.request(
            "GET", "/api/v1/calls?page=2&per_page=100&root=false&columns=uuid", headers: MockProcess.trackDriveHeaders)
        let rows = try #require(bare.json as? [[String: Any]])
        #expect(rows.count == 30)
        #expect(rows.allSatisfy { Array($0.keys) == ["uuid"] })
    }

    // Without this, a server that caps its pages could not be played, and clients that take a short page for the last would pass.
    @Test func pagesCanBeCapped() throws {
        let mock = try MockProcess(["trackdrive", "ringba", "retreaver", "--calls", "60", "--fault", "capped-pages:10"])
        func pages(_ path: String, _ key: String) throws -> [Int] {
            try (1...5).map { page in
                let answer = try mock.request("GET", "\(path)?page=\(page)&per_page=100", headers: MockProcess.trackDriveHeaders).object
                return (answer[key] as? [Any])?.count ?? -1
            }
        }
        #expect(try pages("/api/v1/phone_numbers", "phone_numbers") == [10, 10, 10, 10, 0])
        #expect(try pages("/api/v1/calls", "calls") == [10, 10, 10, 10, 10])
        #expect(MockProcess.records(try mock.ringbaLog(["size": 1000])).count == 10)
        let page = try mock.request("GET", "/api/v2/calls.json?\(MockProcess.retreaverKeys)&per_page=100")
        #expect((page.json as? [Any])?.count == 10 && page.headers["link"]?.contains("page=6>; rel=\"last\"") == true)
        #expect(try mock.json("PUT", "/_mock/faults", ["faults": []]).status == 200)
        #expect(MockProcess.records(try mock.ringbaLog(["size": 1000])).count == 60)
    }

    // Without this, time windows could drop the calls at their edges.
    @Test func windowsSelectByStart() throws {
        let mock = try MockProcess(["trackdrive", "ringba", "--calls", "200"])
        let from = Date(timeIntervalSinceNow: -10 * 86_400)
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        let expected = try mock.truth("trackdrive").values.filter { call in
            try style.parse(call["started_at"] as? String ?? "") >= Date(timeIntervalSince1970: from.timeIntervalSince1970.rounded(.down))
        }
        let text = from.formatted(.iso8601.dateSeparator(.dash).timeSeparator(.colon)).replacing("T", with: "%20").replacing(
            "Z", with: "%20%2B0000")
        let answer = try mock.request(
            "GET", "/api/v1/calls?page=1&per_page=1000&created_at_from=\(text)", headers: MockProcess.trackDriveHeaders)
        #expect((answer.object["calls"] as? [Any])?.count == expected.count)
        let ringba = MockProcess.records(try mock.ringbaLog(["size": 1000, "reportStart": from.formatted(.iso8601)]))
        #expect(ringba.count > 50 && ringba.count < 80)
    }
}
