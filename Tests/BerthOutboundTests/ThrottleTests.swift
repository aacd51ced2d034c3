// Answers that say "too many requests" in a provider's own way are a 429 to everybody here.

import BerthModel
import BerthSeams
import Testing

@testable import BerthOutbound

@Suite struct ThrottleTests {
    private let now = Timestamp(milliseconds: 1_790_000_030_000)

    private func wait(_ specs: [ThrottleSpec], _ status: Int, _ body: String, _ headers: [(name: String, value: String)] = []) -> Int64? {
        ThrottleNotice.milliseconds(specs, status: status, headers: headers, body: Array(body.utf8), now: now)
    }

    @Test func noticesAreToldFromData() {
        // Without the conditions a page of data would stop a connection, or a notice pass as an empty page.
        let flag = ThrottleSpec(bodyPointer: "/isRateLimited", equals: .bool(true), wait: .init(boundarySeconds: 60))
        #expect(wait([flag], 200, #"{"isRateLimited":true}"#) == 60_000 - now.milliseconds % 60_000 + 50)
        #expect(wait([flag], 503, #"{"isRateLimited":true}"#) != nil)
        #expect(wait([flag], 200, #"{"isRateLimited":false}"#) == nil)
        #expect(wait([flag], 200, #"{"rows":[{"isRateLimited":true}]}"#) == nil)
        #expect(wait([flag], 200, "<html>isRateLimited</html>") == nil)
        #expect(wait([flag], 200, "") == nil)
        let code = ThrottleSpec(status: 400, bodyPointer: "/error/code", equals: .string("limit"), wait: .init(bodyPointer: "/error/wait"))
        #expect(wait([code], 400, #"{"error":{"code":"limit","wait":7}}"#) == 7000)
        #expect(wait([code], 400, #"{"error":{"code":"limit"}}"#) == 60_000)
        #expect(wait([code], 403, #"{"error":{"code":"limit"}}"#) == nil)
        #expect(wait([code], 400, #"{"error":{"code":"other"}}"#) == nil)
        let header = ThrottleSpec(header: "x-throttled", wait: .init(header: "x-wait", seconds: 5))
        #expect(wait([header], 200, "", [("x-throttled", "1"), ("x-wait", "3")]) == 3000)
        #expect(wait([header], 200, "", [("x-throttled", "1")]) == 5000)
        #expect(wait([header], 200, "", [("x-throttled", "1"), ("retry-after", "9")]) == 9000)
        let both = [ThrottleSpec(bodyPointer: "/window", equals: .string("Second"), wait: .init(boundarySeconds: 1)), flag]
        #expect(wait(both, 200, #"{"isRateLimited":true,"window":"Second"}"#) == 1050)
        #expect(wait(both, 200, #"{"isRateLimited":true,"window":"Minute"}"#) ?? 0 > 2000)
    }

    @Test func aNoticeIsRepeatedLikeA429() async throws {
        // Without it a plugin would take the notice for an answer, or each would need a waiting loop of its own.
        let server = try ScriptedServer { peer, _, number in
            number == 1 ? peer.answer(200, [:], Array(#"{"isRateLimited":true,"wait":1}"#.utf8)) : peer.answer(200, [:], Array("{}".utf8))
        }
        let broker = try outbound()
        let spec = ThrottleSpec(bodyPointer: "/isRateLimited", equals: .bool(true), wait: .init(bodyPointer: "/wait"))
        let clock = ContinuousClock()
        let begun = clock.now
        let response = await broker.send(
            get("/x"),
            for: target(server.url) {
                $0.throttles = [spec]
                $0.timeoutSeconds = 60
            }
        ).response
        #expect(response?.status == 200 && response?.body == Array("{}".utf8))
        #expect(clock.now - begun >= .seconds(1) && server.seen.count == 2)
        await broker.close()
        server.stop()
    }

    @Test func aLongWaitIsHandedOnAndHoldsTheClassBack() async throws {
        // Without the pause every caller would ask the provider for its own refusal.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200, [:], Array(#"{"isRateLimited":true}"#.utf8)) }
        let broker = try outbound()
        let target = target(server.url) {
            $0.throttles = [ThrottleSpec(status: 200, bodyPointer: "/isRateLimited", wait: .init(seconds: 90))]
        }
        let response = await broker.send(get("/x"), for: target).response
        #expect(response?.status == 429 && response?.headers.first { $0.name == "retry-after" }?.value == "90")
        let failure = await broker.send(get("/x"), for: target).failure
        #expect(failure?.status == .throttled && failure?.retryAfterMilliseconds ?? 0 > 80_000)
        #expect(server.seen.count == 1)
        await broker.close()
        server.stop()
    }
}
