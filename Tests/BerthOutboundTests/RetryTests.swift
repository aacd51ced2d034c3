// What is repeated and what is not, with a real server that counts, and the pure parts by hand.

import BerthModel
import BerthSeams
import Foundation
import Synchronization
import Testing

@testable import BerthOutbound

@Suite struct RetryTests {
    private func tries(
        _ request: ProviderRequest, _ script: @escaping @Sendable (Peer, SeenRequest, Int) -> Bool, timeoutSeconds: Int = 5
    ) async throws -> (Result<ProviderResponse, AttemptFailure>, Int) {
        let server = try ScriptedServer(script)
        let broker = try outbound()
        let result = await broker.send(request, for: target(server.url) { $0.timeoutSeconds = timeoutSeconds })
        await broker.close()
        server.stop()
        return (result, server.seen.count)
    }

    @Test(arguments: [429, 502, 503, 504]) func passingTroubleIsRepeated(status: Int) async throws {
        // Without this one hiccup of a provider would fail a whole page.
        // A 429 is waited out for seconds.
        let (result, count) = try await tries(get("/x"), { peer, _, number in peer.answer(number < 3 ? status : 200) }, timeoutSeconds: 60)
        #expect(result.response?.status == 200)
        #expect(count == 3)
    }

    @Test func afterThreeTriesTheAnswerIsHandedOn() async throws {
        // Without this the plugin would not learn what the provider said.
        let (result, count) = try await tries(get("/x")) { peer, _, _ in peer.answer(503, [:], Array("busy".utf8)) }
        #expect(result.response?.status == 503)
        #expect(result.response?.body == Array("busy".utf8))
        #expect(count == 3)
    }

    @Test(arguments: [200, 301, 400, 401, 403, 404, 409, 422, 500, 501]) func otherAnswersAreNotRepeated(status: Int) async throws {
        // Without this errors that repeating cannot mend would cost three requests.
        let (result, count) = try await tries(get("/x")) { peer, _, _ in peer.answer(status) }
        #expect(result.response?.status == status)
        #expect(count == 1)
    }

    @Test func aPostIsSentOnce() async throws {
        // Without this a number could be bought twice.
        for script: @Sendable (Peer, SeenRequest, Int) -> Bool in [
            { peer, _, _ in peer.answer(503) }, { peer, _, _ in peer.answer(429) }, { _, _, _ in false },
            { peer, _, _ in
                peer.reset()
                return false
            },
        ] {
            let (_, count) = try await tries(ProviderRequest(method: "POST", url: "/buy", body: [1]), script)
            #expect(count == 1)
        }
        var safe = ProviderRequest(method: "POST", url: "/search", body: [1])
        safe.isIdempotent = true
        let (result, count) = try await tries(safe) { peer, _, number in number < 3 ? false : peer.answer(200) }
        #expect(result.response?.status == 200)
        #expect(count == 3)
    }

    @Test func aPostWithAnIdempotencyKeyIsRepeated() async throws {
        // Without it a provider's hiccup would fail what its own key makes safe to send again.
        var keyed = ProviderRequest(method: "POST", url: "/buy", body: [1])
        keyed.headers = [("Idempotency-Key", "order-7")]
        let (result, count) = try await tries(keyed) { peer, request, number in
            number < 3 ? peer.answer(503) : peer.answer(request.headers["idempotency-key"] == "order-7" ? 200 : 400)
        }
        #expect(result.response?.status == 200)
        #expect(count == 3)
    }

    @Test(arguments: ["", " ", "\"\""]) func anEmptyIdempotencyKeyIsNone(key: String) async throws {
        // Without it a plugin whose order has no number yet would buy three times.
        var keyed = ProviderRequest(method: "POST", url: "/buy", body: [1])
        keyed.headers = [("Idempotency-Key", key)]
        let (_, count) = try await tries(keyed) { peer, _, _ in peer.answer(503) }
        #expect(count == 1)
    }

    @Test func aPostOnADyingKeptConnectionIsSentOnce() async throws {
        // Without the check before each sending libcurl itself repeats a request when a kept connection dies.
        let server = try ScriptedServer { peer, request, _ in request.method == "GET" ? peer.answer(200) : false }
        let broker = try outbound()
        let target = target(server.url)
        #expect(await broker.send(get("/x"), for: target).response?.status == 200)
        let failure = await broker.send(ProviderRequest(method: "POST", url: "/buy", body: [1]), for: target).failure
        #expect(failure?.status == .remoteDown)
        #expect(server.seen.filter { $0.method == "POST" }.count == 1)
        await broker.close()
        server.stop()
    }

    @Test func whatLibcurlRepeatsCountsAsATry() async throws {
        // Without it a provider that closes kept connections would get each request once more than the policy allows, budget or not.
        let server = try ScriptedServer { peer, request, _ in request.target == "/first" ? peer.answer(200) : false }
        let observer = Observations()
        let broker = try outbound(observer: observer)
        let target = target(server.url)
        #expect(await broker.send(get("/first"), for: target).response?.status == 200)
        #expect(await broker.send(get("/x"), for: target).failure?.status == .remoteDown)
        #expect(server.seen.filter { $0.target == "/x" }.count == 3)
        #expect(observer.exchanges.map(\.tries) == [1, 3])
        await broker.close()
        server.stop()
    }

    @Test func whatLibcurlRepeatsIsTakenFromTheBudget() async throws {
        // Without it a provider whose connections die would get every request twice, however long it lasts.
        let server = try ScriptedServer { peer, request, _ in request.target == "/first" ? peer.answer(200) : false }
        let broker = try outbound()
        let target = target(server.url) { $0.rateLimits = [] }
        for _ in 0..<12 {
            #expect(await broker.send(get("/first"), for: target).response?.status == 200)
            await broker.resetCircuit(of: target)
            _ = await broker.send(get("/x"), for: target)
        }
        // One each, the ten retries saved up, and a fifth of one for each of 24 requests.
        #expect(server.seen.filter { $0.target == "/x" }.count <= 12 + 10 + 5)
        await broker.close()
        server.stop()
    }

    @Test func whatLibcurlRepeatsNeedsRoomUnderTheLimit() async throws {
        // Without it the provider sees one request more than its limit allows, each time a kept connection dies.
        let server = try ScriptedServer { peer, request, _ in request.target == "/first" ? peer.answer(200) : false }
        let broker = try outbound()
        let target = target(server.url) { $0.rateLimits = [.init(requests: 2, windowSeconds: 60)] }
        #expect(await broker.send(get("/first"), for: target).response?.status == 200)
        #expect(await broker.send(get("/x"), for: target).failure?.status == .remoteDown)
        #expect(server.seen.count == 2)
        await broker.close()
        server.stop()
    }

    @Test func aRefusedConnectionIsRepeatedForEveryMethod() async throws {
        // Without this a provider that restarts would fail actions that it never saw.
        let server = try ScriptedServer { _, _, _ in false }
        server.stop()
        let observer = Observations()
        let broker = try outbound(observer: observer)
        _ = await broker.send(ProviderRequest(method: "POST", url: "/buy"), for: target(server.url))
        #expect(observer.exchanges.map(\.tries) == [3])
        await broker.close()
    }

    @Test func retryAfterIsHonouredWhenItFits() async throws {
        // Without this the daemon would hammer a provider that asked for a second.
        let clock = ContinuousClock()
        var begun = clock.now
        let patient = 60
        var (result, count) = try await tries(
            get("/x"), { peer, _, number in number == 1 ? peer.answer(429, ["Retry-After": "1"]) : peer.answer(200) },
            timeoutSeconds: patient)
        #expect(result.response?.status == 200)
        #expect(count == 2)
        #expect(clock.now - begun >= .seconds(1))

        begun = clock.now
        (result, count) = try await tries(get("/x"), { peer, _, _ in peer.answer(429, ["Retry-After": "3600"]) }, timeoutSeconds: patient)
        #expect(result.response?.status == 429)
        #expect(count == 1)
        #expect(clock.now - begun < .seconds(patient))
    }

    @Test func aFarRetryAfterHoldsTheConnectionBack() async throws {
        // Without learning from it the next request would be sent into the same wall.
        let server = try ScriptedServer { peer, _, _ in peer.answer(429, ["Retry-After": "3600"]) }
        let broker = try outbound()
        #expect(await broker.send(get("/x"), for: target(server.url)).response?.status == 429)
        let failure = await broker.send(get("/x"), for: target(server.url)).failure
        #expect(failure?.status == .throttled)
        let wait = failure?.retryAfterMilliseconds ?? 0
        #expect((3_500_000...3_600_000).contains(wait))
        #expect(failure?.message.contains("asked not to be called") == true)
        #expect(await broker.longPauses().keys.map(\.description) == [connectionID().description])
        #expect(await broker.send(get("/x"), for: target(server.url, connection: connectionID(2))).response?.status == 429)
        // An operator who knows better need not wait.
        await broker.resetCircuit(of: target(server.url))
        #expect(await broker.send(get("/x"), for: target(server.url)).response?.status == 429)
        #expect(server.seen.count == 3)
        await broker.close()
        server.stop()
    }

    @Test func aPauseOfOneClassLeavesOthersAlone() async throws {
        // Without this a throttled report would stop the call list.
        let server = try ScriptedServer { peer, request, _ in
            request.target == "/report" ? peer.answer(429, ["Retry-After": "3600"]) : peer.answer(200)
        }
        let broker = try outbound()
        var report = get("/report")
        report.requestClass = "reports"
        #expect(await broker.send(report, for: target(server.url)).response?.status == 429)
        #expect(await broker.send(report, for: target(server.url)).failure?.status == .throttled)
        #expect(await broker.send(get("/calls"), for: target(server.url)).response?.status == 200)
        await broker.close()
        server.stop()
    }

    @Test func retriesAreBudgeted() async throws {
        // Without the budget an outage would triple the load on the provider that is down.
        let server = try ScriptedServer { peer, _, _ in peer.answer(503) }
        let broker = try outbound { $0.circuitThreshold = 1_000_000 }
        for _ in 0..<200 { _ = await broker.send(get("/x"), for: target(server.url)) }
        #expect(server.seen.count <= 200 + 10 + 40 + 1)
        #expect(server.seen.count >= 240)
        await broker.close()
        server.stop()
    }

    @Test func delaysGrowAndStayRandomAndBounded() {
        // Without jitter all callers of a provider would come back at the same moment.
        let policy = RetryPolicy(maxTries: 30, baseDelay: .milliseconds(100), maxDelay: .seconds(2))
        func delay(_ tries: Int, _ random: UInt64, after: RetryPolicy.Ending = .broken(wasSent: true), left: Int64 = .max) -> Int64? {
            policy.delay(after: after, tries: tries, isIdempotent: true, remainingNanoseconds: left, random: random)
        }
        for tries in 1..<30 {
            let ceiling = min(2_000_000_000, Int64(100_000_000) << Int64(min(tries - 1, 20)))
            let delays = (0..<100).map { _ in delay(tries, .random(in: 0 ... .max)) ?? -1 }
            #expect(delays.allSatisfy { (0..<ceiling).contains($0) })
            #expect(Set(delays).count > 90)
        }
        #expect(delay(30, 0) == nil)
        #expect(delay(1, 50_000_000, left: 50_000_000) == nil)
        #expect(delay(1, 0, after: .answered(status: 429, retryAfterNanoseconds: 7)) == 7)
        #expect(delay(1, 0, after: .final) == nil)
    }

    @Test func retryAfterAndLimitHeadersAreRead() {
        // Without reading each form the daemon would come back too early, or never.
        let now = Timestamp("2026-03-04T10:00:00.000Z")!
        func after(_ value: String) -> Int64? { RateLimitSignals.retryAfterMilliseconds([("retry-after", value)], now: now) }
        #expect(after("0") == 0)
        #expect(after("120") == 120_000)
        #expect(after("1.5") == 1_500)
        #expect(after("Wed, 04 Mar 2026 10:00:30 GMT") == 30_000)
        #expect(after("Wednesday, 04-Mar-26 10:00:30 GMT") == 30_000)
        #expect(after("Wed Mar  4 10:00:30 2026") == 30_000)
        #expect(after("Wed, 04 Mar 2020 10:00:30 GMT") == 0)
        #expect(after("99999999999") == 86_400_000)
        for bad in [
            "", "soon", "-5", "nan", "inf", "\u{0}", "Sun, 06 Nov 300000000 08:49:37 GMT", "Sun, 06 Nov 9999999 08:49:37 GMT",
        ] { #expect(after(bad) == nil, "\(bad)") }
        func exhausted(_ headers: [(name: String, value: String)]) -> Int64? { RateLimitSignals.exhaustedMilliseconds(headers, now: now) }
        #expect(exhausted([("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")]) == 30_000)
        #expect(exhausted([("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "\(now.milliseconds / 1000 + 12)")]) == 12_000)
        #expect(exhausted([("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "\(now.milliseconds + 1234)")]) == 1234)
        #expect(exhausted([("ratelimit", "limit=100, remaining=0, reset=7")]) == 7_000)
        #expect(exhausted([("ratelimit", "\"default\";r=0;t=9")]) == 9_000)
        #expect(exhausted([("ratelimit", "\"default\";r=5;t=9")]) == nil)
        #expect(exhausted([("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "30")]) == nil)
        #expect(exhausted([("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "Wed, 04 Mar 2026 10:00:30 GMT")]) == 30_000)
        #expect(exhausted([("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2026-03-04T10:00:30Z")]) == 30_000)
        #expect(exhausted([("x-ratelimit-remaining", "0")]) == nil)
        // Without bounds one header would end the daemon, and every next one that goes on where it stopped.
        let far = (name: "date", value: "Sun, 06 Nov 300000000 08:49:37 GMT")
        #expect(exhausted([("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "\(now.milliseconds + 1234)"), far]) == 1234)
        #expect(exhausted([("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9e300"), far]) == 86_400_000)
        let soon = ("retry-after", "Wed, 04 Mar 2026 10:00:30 GMT")
        #expect(RateLimitSignals.retryAfterMilliseconds([soon, far], now: now) == 30_000)
        #expect(CacheDirectives.freshSeconds([("expires", far.value), far], now: now) == 0)
    }

    @Test func ofSeveralPoliciesTheLongestPauseCounts() {
        // Without it a daily limit that is used up would be asked again after the second of the limit named beside it.
        let now = Timestamp("2026-03-04T10:00:00.000Z")!
        func exhausted(_ lines: String...) -> Int64? {
            RateLimitSignals.exhaustedMilliseconds(lines.map { ("ratelimit", $0) }, now: now)
        }
        #expect(exhausted(#""daily";r=0;t=3600, "burst";r=9;t=1"#) == 3_600_000)
        #expect(exhausted(#""burst";r=9;t=1,"daily";r=0;t=3600"#) == 3_600_000)
        #expect(exhausted(#""daily";r=0;t=3600, "burst";r=0;t=1"#) == 3_600_000)
        #expect(exhausted(#""daily";r=0;t=3600"#, #""burst";r=9;t=1"#) == 3_600_000)
        #expect(exhausted(#""a;r=0;t=3000, b";r=50;t=1"#) == nil)
        #expect(exhausted(#""a\"";r=0 ; t=9"#) == 9000)
        #expect(exhausted(#""day";r=0, "burst";r=9;t=5"#) == nil)
        #expect(exhausted("limit=100", "remaining=0", "reset=30") == 30_000)
        #expect(exhausted(#""unfinished;r=0;t=9"#) == nil)
        let both = [("ratelimit", #""burst";r=0;t=1"#), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "60")]
        #expect(RateLimitSignals.exhaustedMilliseconds(both, now: now) == 60_000)
        // The longest that can be read: an empty one says nothing.
        #expect(RateLimitSignals.retryAfterMilliseconds([("retry-after", ""), ("retry-after", "600")], now: now) == 600_000)
        #expect(RateLimitSignals.retryAfterMilliseconds([("retry-after", "600"), ("retry-after", "1")], now: now) == 600_000)
    }

    @Test func momentsListsAndUnitsAreRead() {
        // Would break: a provider that writes the moment instead of the wait is left alone for a day; one that tells two windows, or the
        // end of its window alone, is asked on while it refuses.
        let now = Timestamp("2026-03-04T10:00:00.000Z")!
        let unix = now.milliseconds / 1000
        for (value, wait) in [
            ("\(unix + 20)", 20_000), ("\(now.milliseconds + 20_000)", 20_000), ("\(unix - 20)", 0), ("999999999", 86_400_000),
            ("1000000000", 0), ("2026-03-04T10:00:20Z", 20_000), ("2026-03-04T10:00:20", 20_000), ("2026-03-04T10:01Z", 60_000),
            ("2026-03-04T12:00:20+02:00", 20_000), ("600, 600", 600_000), ("1, 600", 600_000), ("600s", 600_000), (" 7 ", 7000),
            ("Wed, 04 Mar 2026 10:00:30 GMT", 30_000),
        ] { #expect(RateLimitSignals.retryAfterMilliseconds([("retry-after", value)], now: now) == Int64(wait), "\(value)") }
        for value in ["-5", "600 600", "s", ",", "1h", "2026-03-04T10"] {
            #expect(RateLimitSignals.retryAfterMilliseconds([("retry-after", value)], now: now) == nil, "\(value)")
        }
        let (rest, end) = ("x-ratelimit-remaining", "x-ratelimit-reset")
        let windows: [(told: [(name: String, value: String)], wait: Int64?, ofRefusal: Int64?)] = [
            ([(rest, "0, 4999"), (end, "\(unix + 600)")], 600_000, 600_000),
            ([(rest, "4999, 0"), (end, "600")], 600_000, 600_000),
            ([(rest, "0, 4999"), (end, "1, 600")], 1000, 1000),
            ([(rest, "4999, 0"), (end, "1, 600")], 600_000, 600_000),
            ([(rest, "0"), (rest, "50"), (end, "600"), (end, "1")], 600_000, 600_000),
            ([(rest, "0, 9"), (end, "soon, 600")], nil, nil),
            ([(rest, "-1"), (end, "600s")], 600_000, 600_000),
            ([(rest, "0"), (end, "2026-03-04T10:10Z")], 600_000, 600_000),
            ([(end, "\(unix + 600)")], nil, 600_000),
            ([(end, "2026-03-04T10:10:00Z")], nil, 600_000),
            ([(end, "600")], nil, 600_000),
            ([("ratelimit", "limit=100, reset=600")], nil, 600_000),
            // Another limit refused it than the one told of.
            ([(rest, "5"), (end, "600")], nil, nil),
            // What is left out of the draft's newer form is far away.
            ([("ratelimit", #""default";t=600"#)], nil, nil),
        ]
        for (told, wait, ofRefusal) in windows {
            #expect(RateLimitSignals.exhaustedMilliseconds(told, now: now) == wait, "\(told)")
            #expect(RateLimitSignals.exhaustedMilliseconds(told, now: now, isRefusal: true) == ofRefusal, "\(told)")
        }
    }

    @Test func aRefusalWithTheEndOfItsWindowAloneIsHeardOfByAll() async throws {
        // Would break: a gateway's 429 without Retry-After is asked again at once, and the plugin is not told how long to wait.
        let server = try ScriptedServer { peer, _, _ in
            peer.answer(429, ["X-RateLimit-Reset": "\(SystemTime().now().milliseconds / 1000 + 600)"])
        }
        let broker = try outbound()
        let response = await broker.send(get("/x"), for: target(server.url)).response
        let told = response?.headers.first { $0.name == "retry-after" }.flatMap { Int($0.value) }
        #expect((500...600).contains(told ?? 0))
        #expect(await broker.send(get("/x"), for: target(server.url)).failure?.status == .throttled)
        #expect(server.seen.count == 1)
        await broker.close()
        server.stop()
    }

    @Test(arguments: [(403, true), (413, true), (500, true), (502, true), (202, false), (301, false), (404, false), (409, false)])
    func whatRetryAfterIsSaidOf(status: Int, isHeldBack: Bool) async throws {
        // Without it a provider that refuses with 403 would be asked on, or one record that is not ready yet stop a connection.
        let server = try ScriptedServer { peer, _, _ in peer.answer(status, ["Retry-After": "600"]) }
        let broker = try outbound()
        #expect(await broker.send(get("/x"), for: target(server.url)).response?.status == status)
        #expect(await broker.send(get("/x"), for: target(server.url)).failure?.status == (isHeldBack ? .throttled : nil))
        await broker.close()
        server.stop()
    }
}
