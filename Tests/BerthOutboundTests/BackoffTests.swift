// A 429 that says nothing more holds back all the same.

import BerthModel
import BerthSeams
import Testing

@testable import BerthOutbound

@Suite struct BackoffTests {
    private func at(_ seconds: Double) -> Monotonic { Monotonic(nanoseconds: Int64(seconds * 1e9)) }

    @Test func pausesGrowAndEndWithTheFirstAnswer() {
        // Without growth a provider that is asked too much would be asked once a second for ever; without an end, once a minute.
        var backoff = RefusalBackoff()
        var now = at(0)
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let pause = backoff.refused(sent: now, now: now, random: .random(in: 0 ... .max)) ?? 0
            #expect(Double(pause) >= Double(seconds) * 1e9 && Double(pause) <= Double(seconds) * 1.25e9)
            // What was on its way meanwhile makes it no longer, and does not end it.
            let early = backoff.refused(sent: now + pause / 2, now: now + pause / 2, random: 0)
            #expect(early == nil)
            backoff.accepted(sent: now + pause / 2)
            now = now + pause
        }
        backoff.accepted(sent: now)
        #expect(backoff.refused(sent: now, now: now, random: 0) == 1_000_000_000)
    }

    /// How many of many reach a server that refuses all, and what an operator sees then.
    private func flood(
        _ method: String, _ limits: [PluginManifest.RateLimit] = [], connections: Int = 1
    ) async throws -> (count: Int, pauses: [String: Double]) {
        let server = try ScriptedServer { peer, _, _ in peer.answer(429) }
        let broker = try outbound()
        await withTaskGroup { group in
            for number in 0..<200 {
                var request = ProviderRequest(method: method, url: "/x")
                request.timeout = .seconds(1)
                let target = target(server.url, connection: connectionID(UInt64(number % connections + 1))) { $0.rateLimits = limits }
                group.addTask { [request] in _ = await broker.send(request, for: target) }
            }
        }
        let pauses = await broker.traffic(of: target(server.url) { $0.rateLimits = limits }).pauses
        await broker.close()
        server.stop()
        return (server.seen.count, pauses)
    }

    @Test(arguments: ["GET", "POST"]) func aServerThatRefusesAllIsAskedSeldom(method: String) async throws {
        // Without it all two hundred would go out, and a provider that counts them would lock the account.
        let (count, pauses) = try await flood(method)
        // As many as were under way at once.
        #expect(count <= 16 && count > 0, "\(count)")
        #expect(pauses[""] ?? 0 > 0)
    }

    @Test func whoSharesALimitSharesThePause() async throws {
        // Without it twelve connections would each try a wall that all know.
        let shared = [PluginManifest.RateLimit(requests: 20, windowSeconds: 60, scope: .provider)]
        let (count, pauses) = try await flood("POST", shared, connections: 12)
        #expect(count <= 20 && pauses[""] ?? 0 > 0)
        let server = try ScriptedServer { peer, _, _ in peer.answer(429) }
        let broker = try outbound()
        for number in 1...12 {
            var request = ProviderRequest(method: "POST", url: "/x")
            request.timeout = .milliseconds(100)
            _ = await broker.send(request, for: target(server.url, connection: connectionID(UInt64(number))) { $0.rateLimits = shared })
        }
        #expect(server.seen.count < 6, "\(server.seen.count)")
        await broker.close()
        server.stop()
    }
}
