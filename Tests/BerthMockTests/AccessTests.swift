// Credentials, limits, and late changes.

import Foundation
import Testing

@Suite struct AccessTests {
    // Without this, a plugin that sends the wrong scheme word or no company would still pass.
    @Test func wrongCredentialsAreRefused() throws {
        let mock = try MockProcess(["ringba", "retreaver", "trackdrive", "--calls", "5"])
        let accounts = "/v2/ringbaaccounts"
        #expect(try mock.request("GET", accounts).status == 401)
        #expect(try mock.request("GET", accounts, headers: ["Authorization": "Bearer mock-ringba-token"]).status == 401)
        #expect(try mock.request("GET", accounts, headers: MockProcess.ringbaHeaders).status == 200)
        #expect(try mock.request("GET", "/v2/RAOTHER/campaigns", headers: MockProcess.ringbaHeaders).status == 403)
        let form = ["Content-Type": "application/x-www-form-urlencoded"]
        let session = try mock.request("POST", "/v2/token", headers: form, body: "grant_type=password&username=a&password=b").object
        let bearer = try #require(session["access_token"] as? String)
        #expect(try mock.request("GET", accounts, headers: ["Authorization": "Bearer \(bearer)"]).status == 200)
        #expect(try mock.request("GET", "/campaigns.json?api_key=no&company_id=4242").status == 401)
        #expect(try mock.request("GET", "/campaigns.json?api_key=mock-retreaver-key").status == 403)
        #expect(try mock.request("GET", "/campaigns?\(MockProcess.retreaverKeys)").status == 406)
        #expect(try mock.request("GET", "/campaigns.json?\(MockProcess.retreaverKeys)").status == 200)
        #expect(try mock.request("GET", "/api/v1/calls").status == 401)
        #expect(try mock.request("GET", "/api/v1/calls", headers: ["Authorization": "Token mock-trackdrive-token"]).status == 200)
    }

    // Without this, nothing would show whether a client knows Ringba's throttle by its body, whatever the status.
    @Test(arguments: [(["--rate-limit", "ringba=3/min"], 429), (["--rate-limit", "ringba=3/min", "--fault", "throttle-200"], 200)])
    func ringbaThrottles(_ arguments: [String], status: Int) throws {
        let mock = try MockProcess(["ringba", "--calls", "5"] + arguments)
        let answers = try (0..<8).map { _ in try mock.ringbaLog() }
        let throttled = answers.filter { $0.object["isRateLimited"] as? Bool == true }
        // The minute may turn once in between.
        #expect((2...5).contains(throttled.count))
        #expect(throttled.allSatisfy { $0.status == status && $0.object["exceedingRateLimit"] as? String == "Minute" })
    }

    // Without this, a sync's overlap window could not be tested: nothing would ever change behind it.
    @Test func lateChangesAreVisible() throws {
        let mock = try MockProcess(["ringba", "retreaver", "--calls", "50"])
        let before = Date()
        let changed = try #require(
            try mock.json("POST", "/_mock/late-changes", ["provider": "retreaver", "count": 3]).object["changed"] as? [String])
        #expect(changed.count == 3)
        let since = before.addingTimeInterval(-1).formatted(.iso8601)
        let path = "/api/v2/calls.json?\(MockProcess.retreaverKeys)&sort_by=updated_at&updated_at_start=\(since)"
        let calls = (try mock.request("GET", path).json as? [[String: Any]] ?? []).compactMap { $0["call"] as? [String: Any] }
        #expect(Set(calls.compactMap { $0["uuid"] as? String }) == Set(changed))
        #expect(calls.allSatisfy { $0["revenue"] is Double && $0["converted"] as? Bool == true })
        let id = try #require(MockProcess.records(try mock.ringbaLog()).first?["inboundCallId"] as? String)
        let payment: [String: Any] = [
            "inboundCallId": id, "reason": "test", "adjustConversion": true, "newConversionAmount": 12.34, "adjustPayout": false,
        ]
        let reply = try mock.json("POST", MockProcess.account + "/calls/payments/override", headers: MockProcess.ringbaHeaders, payment)
        #expect((reply.object["result"] as? [String: Any])?.count == 1, "only what was adjusted")
        let detail = try mock.json(
            "POST", MockProcess.account + "/calllogs/detail", headers: MockProcess.ringbaHeaders, ["InboundCallIds": [id]])
        #expect(MockProcess.records(detail).first?["conversionAmount"] as? Double == 12.34)
    }

    // Without this, Retreaver's versions could be mixed up: the same key means another number.
    @Test func retreaverVersionsDiffer() throws {
        let mock = try MockProcess(["retreaver", "--calls", "40"])
        let id = try #require(try mock.truth("retreaver").values.first { $0["connected"] as? Bool == true })
        let calls = try (1...4).map { version in
            let path = "/api/v\(version)/calls/\(id["external_id"] ?? "").json?\(MockProcess.retreaverKeys)"
            return try mock.request("GET", path).object["call"] as? [String: Any] ?? [:]
        }
        #expect(calls[0]["dialed_number"] as? String == id["number"] as? String && calls[0]["revenue"] == nil)
        #expect(calls[1]["number"] as? String == id["number"] as? String && calls[1]["campaign_id"] is Int)
        #expect((calls[2]["number"] as? [String: Any])?["number"] as? String == id["number"] as? String)
        #expect((calls[3]["campaign"] as? [String: Any])?["id"] is String && calls[3]["campaign_id"] == nil)
    }

    // Without this, provisioning actions would have nothing to buy from.
    @Test func numbersAreBoughtAndReleased() throws {
        let mock = try MockProcess(["ringba", "retreaver", "--calls", "5"])
        let numbers = MockProcess.account + "/numbers"
        let bought = try mock.json("POST", numbers, headers: MockProcess.ringbaHeaders, ["countryCode": "US", "isTollFree": true]).object
        let id = try #require(bought["numberId"] as? String)
        #expect(String(decoding: try mock.request("GET", numbers, headers: MockProcess.ringbaHeaders).body, as: UTF8.self).contains(id))
        #expect(try mock.request("DELETE", "\(numbers)/\(id)?unlink=true", headers: MockProcess.ringbaHeaders).status == 200)
        let buy: [String: Any] = ["number": ["type": "Toll-free", "afid": "af-101", "cid": "7001"]]
        let number = try mock.json("POST", "/numbers.json?\(MockProcess.retreaverKeys)", buy).object["number"] as? [String: Any]
        let path = "/numbers/\(number?["id"] as? Int ?? 0).json?\(MockProcess.retreaverKeys)"
        #expect(try mock.request("DELETE", path).status == 204)
        #expect(try mock.request("GET", path).status == 410)
    }
}
