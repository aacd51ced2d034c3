// Webhooks: what they carry, that the API agrees, how they are signed and repeated, and the ledger.

import Crypto
import Foundation
import Testing

@Suite struct WebhookTests {
    /// Sends `count` webhooks now; the outcomes.
    static func send(_ mock: MockProcess, _ provider: String, _ count: Int) throws -> [[String: Any]] {
        let answer = try mock.json("POST", "/_mock/send", ["provider": provider, "count": count])
        return answer.object["outcomes"] as? [[String: Any]] ?? []
    }

    // Without this, webhook and API could tell different stories of one call.
    @Test func webhooksAndAPIAgree() throws {
        let sink = try WebhookSink()
        let urls = ["ringba", "retreaver", "trackdrive"].flatMap { ["--webhooks", "\($0)=\(sink.url)/\($0)"] }
        let mock = try MockProcess(["ringba", "retreaver", "trackdrive", "--calls", "20", "--rate", "0.01", "--late-after", "9999"] + urls)
        for provider in ["ringba", "retreaver", "trackdrive"] {
            let outcomes = try Self.send(mock, provider, 40)
            #expect(outcomes.count == 40 && outcomes.allSatisfy { $0["state"] as? String == "acked" })
        }
        let pixels = sink.deliveries.filter { $0.target.hasPrefix("/ringba") && $0.object["event"] as? String == "finalized" }
        let truth = try mock.truth("ringba")
        #expect(!pixels.isEmpty)
        for pixel in pixels {
            let call = try #require(truth[pixel.object["call_id"] as? String ?? ""])
            #expect(pixel.object["revenue"] as? String == call["revenue"] as? String ?? "")
            #expect(pixel.object["duration"] as? String == String(call["duration"] as? Int ?? -1))
        }
        let hits = sink.deliveries.filter { $0.target.hasPrefix("/retreaver") }
        #expect(hits.allSatisfy { $0.body.isEmpty } && Set(hits.map(\.method)) == ["GET", "POST"])
        for hit in hits.prefix(5) {
            let path = "/api/v2/calls/\(hit.query["call_uuid"] ?? "").json?\(MockProcess.retreaverKeys)"
            let call = try mock.request("GET", path).object["call"] as? [String: Any]
            #expect(call?["caller"] as? String == hit.query["caller"])
        }
        let ended = try #require(sink.deliveries.first { $0.target == "/trackdrive?event=call_ended" })
        let uuid = try #require(ended.object["uuid"] as? String)
        let single = try mock.request("GET", "/api/v1/calls/\(uuid)", headers: MockProcess.trackDriveHeaders).object
        #expect((single["call"] as? [String: Any])?["total_duration"] as? Int == ended.object["total_duration"] as? Int)
        #expect(single["checksum"] is String)
    }

    // Without this, the stream on a timer could stand still although sending on demand works.
    @Test func streamSendsByItself() async throws {
        let sink = try WebhookSink()
        let mock = try MockProcess(["ringba", "--calls", "5", "--rate", "500", "--webhook-count", "60", "--webhooks", "\(sink.url)/p"])
        var summary: [String: Any] = [:]
        for _ in 0..<20_000 {
            summary = try mock.request("GET", "/_mock/ledger").object["ringba"] as? [String: Any] ?? [:]
            if summary["acked"] as? Int == 60 { break }
            await Task.yield()
        }
        #expect(summary["acked"] as? Int == 60)
        #expect(sink.deliveries.count == 60)
    }

    // Without this, the ledger could claim an acknowledgement that was never on disk, or lose one.
    @Test func ledgerHoldsEveryDelivery() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "ledger-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }  // Left behind at worst.
        let sink = try WebhookSink(statuses: [401, 500, 503, 202])
        let mock = try MockProcess(["ringba", "--calls", "5", "--rate", "0.01", "--webhooks", sink.url, "--ledger", path])
        #expect(try Self.send(mock, "ringba", 1).first?["state"] as? String == "refused")
        let repeated = try Self.send(mock, "ringba", 1)
        #expect(repeated.first?["state"] as? String == "acked" && repeated.first?["attempt"] as? Int == 3)
        let (status, summary) = try mock.stop()
        #expect(status == 0)
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
        }
        #expect(lines.compactMap { $0["state"] as? String } == ["sent", "refused", "sent", "refused", "sent", "refused", "sent", "acked"])
        #expect(Set(lines.compactMap { $0["id"] as? String }).count == 2, "a repeat keeps its delivery id")
        let ringba = summary["ringba"] as? [String: Any]
        #expect(ringba?["acked"] as? Int == 1 && ringba?["refused"] as? Int == 1 && ringba?["attempts"] as? Int == 4)
    }

    // Without this, a receiver could verify signatures against a sender that signs something else.
    @Test func signaturesVerify() throws {
        let sink = try WebhookSink()
        let key = Data("0123456789abcdef0123456789abcdef".utf8)
        let mock = try MockProcess([
            "ringba", "retreaver", "--calls", "5", "--rate", "0.01", "--webhooks", "ringba=\(sink.url)/r", "--webhooks",
            "retreaver=\(sink.url)/v",
            "--scheme", "ringba=standard-webhooks:whsec_\(key.base64EncodedString())", "--scheme", "retreaver=hmac:s3cret:X-Sig:query+body",
        ])
        _ = try Self.send(mock, "ringba", 1)
        _ = try Self.send(mock, "retreaver", 1)
        let first = sink.deliveries[0], second = sink.deliveries[1]
        let signed = Data("\(first.headers["webhook-id"] ?? "").\(first.headers["webhook-timestamp"] ?? "").".utf8) + first.body
        let code = Data(HMAC<SHA256>.authenticationCode(for: signed, using: SymmetricKey(data: key)))
        #expect(first.headers["webhook-signature"] == "v1," + code.base64EncodedString())
        let query = Data((second.target.split(separator: "?").last ?? "").utf8)
        let hex = HMAC<SHA256>.authenticationCode(for: query, using: SymmetricKey(data: Data("s3cret".utf8))).map {
            ($0 < 16 ? "0" : "") + String($0, radix: 16)
        }
        #expect(second.headers["x-sig"] == hex.joined())
        _ = try mock.json("PUT", "/_mock/faults", ["faults": ["bad-signature"]])
        _ = try Self.send(mock, "retreaver", 1)
        #expect(sink.deliveries[2].headers["x-sig"] == String(repeating: "0", count: 64))
    }

    // Without this, registering a webhook through the API would be a form without effect.
    @Test func trackDriveSubscriptionsAreDelivered() throws {
        let sink = try WebhookSink()
        let mock = try MockProcess(["trackdrive", "--calls", "5", "--rate", "100"])
        let body: [String: Any] = ["target_url": "\(sink.url)/hook", "event": "call_changed", "trigger_fields": ["buyer_converted": true]]
        let answer = try mock.json("POST", "/api/v1/subscriptions", headers: MockProcess.trackDriveHeaders, body)
        let id = try #require((answer.object["subscription"] as? [String: Any])?["id"] as? Int)
        let uuid = try #require(try mock.truth("trackdrive").keys.first)
        let update: [String: Any] = ["buyer_converted": true, "revenue": "77.5"]
        #expect(try mock.json("POST", "/api/v1/calls/update_call/\(uuid)", headers: MockProcess.trackDriveHeaders, update).status == 200)
        _ = try Self.send(mock, "trackdrive", 1)
        let delivery = try #require(sink.delivery { $0.object["uuid"] as? String == uuid })
        #expect(delivery.target == "/hook?event=call_changed" && delivery.object["revenue"] as? String == "77.5")
        #expect(try mock.request("DELETE", "/api/v1/subscriptions/\(id)", headers: MockProcess.trackDriveHeaders).status == 200)
    }

    // Without this, nothing would exercise a receiver's duplicate detection.
    @Test func duplicatesAreSentAndMarked() throws {
        let sink = try WebhookSink()
        let mock = try MockProcess(["ringba", "--calls", "5", "--rate", "0.01", "--webhooks", sink.url, "--fault", "duplicate-webhooks"])
        _ = try Self.send(mock, "ringba", 5)
        #expect(sink.deliveries.count == 10)
        #expect(Set(sink.deliveries.map(\.body)).count == 5)
        let counts = try mock.request("GET", "/_mock/ledger").object["ringba"] as? [String: Any]
        #expect(counts?["sent"] as? Int == 5 && counts?["acked"] as? Int == 5 && counts?["attempts"] as? Int == 10)
    }

    // Without this, a typing error could send made-up calls to a machine out there.
    @Test func targetsBeyondThisMachineAreRefused() throws {
        let mock = try MockProcess(["ringba", "--calls", "5"])
        #expect(try mock.json("POST", "/_mock/webhooks", ["provider": "ringba", "url": "http://192.0.2.1/x"]).status == 400)
    }
}
