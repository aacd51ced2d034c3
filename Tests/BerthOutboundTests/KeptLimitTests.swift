// What counts against a provider's limit outlives the process that counted it, also one that was killed.

import BerthModel
import BerthSeams
import Synchronization
import Testing

@testable import BerthOutbound

/// Keeps marks in memory, as a store keeps them on disk.
final class MarkStore: RateLimitStore {
    private let kept = Mutex<[RateLimitMark.Key: RateLimitMark]>([:])
    private let writes = Mutex(0)
    var marks: [RateLimitMark] { kept.withLock { Array($0.values) } }
    var writeCount: Int { writes.withLock { $0 } }
    func keepLimits(_ marks: [RateLimitMark]) async throws(BerthError) {
        writes.withLock { $0 += 1 }
        kept.withLock { kept in for mark in marks { kept[mark.key] = mark } }
    }
    func keptLimits(now: Timestamp) async throws(BerthError) -> [RateLimitMark] {
        kept.withLock { $0.values.filter { $0.until > now } }
    }
    private let boot = Mutex<(id: String, began: Timestamp)?>(nil)
    func began(boot id: String, believed: Timestamp) async throws(BerthError) -> Timestamp {
        boot.withLock { boot in
            if boot?.id != id { boot = (id, believed) }
            return boot?.began ?? believed
        }
    }
    /// As an older version kept them.
    func forgetServers() {
        kept.withLock { kept in
            let marks = kept.values
            kept = [:]
            for var mark in marks {
                mark.key.origin = ""
                kept[mark.key] = mark
            }
        }
    }
    /// As if the machine had been started again.
    func reboot() { boot.withLock { $0 = ("another", Timestamp(milliseconds: 0)) } }
}

@Suite struct KeptLimitTests {
    private func at(_ milliseconds: Int64) -> Monotonic { Monotonic(nanoseconds: milliseconds * 1_000_000) }

    /// One daemon after another against the machine with time by hand: each is killed in the middle of whatever it does,
    /// and the next begins with what was on disk. Answers when requests were sent.
    private func lives(_ limit: PluginManifest.RateLimit, connections: Int, kills: Int, seed: UInt64, until end: Int64) async -> [Int64] {
        var random = seed
        func next(_ below: UInt64) -> UInt64 {
            random ^= random << 13
            random ^= random >> 7
            random ^= random << 17
            return random % below
        }
        let ids = (0..<connections).map { connectionID(UInt64($0 + 1)) }
        var http = PluginManifest.HTTP()
        http.rateLimits = [limit]
        http.maxConcurrent = 4
        var disk: [ConnectionID?: (written: Int64, kept: LimitSet.Kept)] = [:]
        var sent: [Int64] = []
        var now: Int64 = 0
        var number: UInt64 = 0
        for life in 0...kills {
            let death = life == kills ? end : now + Int64(next(UInt64(end) / UInt64(kills + 1) * 2))
            var machine = RequestAdmission(keptSince: at(now))
            for (connection, entry) in disk {
                let key = RateLimitMark.Key(
                    provider: provider, origin: "https://a:443", connection: connection, requestClass: entry.kept.requestClass,
                    windowSeconds: entry.kept.windowSeconds)
                let sent = entry.kept.sent.map {
                    RateLimitMark.Sent(at: Timestamp(milliseconds: entry.written - $0.age / 1_000_000), count: $0.count)
                }
                let mark = RateLimitMark(key: key, sent: sent, ahead: entry.kept.ahead, until: Timestamp(milliseconds: .max))
                machine.remember(RestoredMark(mark, keptNow: Timestamp(milliseconds: now), now: at(now)))
            }
            for id in ids {
                machine.configure(id, http, now: at(now))
                for _ in 0..<60 {
                    number += 1
                    machine.enqueue(Ticket(id: number, connection: id, requestClass: ""))
                }
            }
            var running: [(finish: Int64, ticket: Ticket)] = []
            var writing: [(done: Int64, begun: Int64, kept: RequestAdmission.Kept)] = []
            while now < min(death, end) {
                // Others, whose time is real, shall not wait for this.
                await Task.yield()
                for write in writing where write.done <= now {
                    disk[write.kept.connection] = (write.begun, write.kept.limit)
                    machine.claim(write.kept)
                }
                writing.removeAll { $0.done <= now }
                for done in running where done.finish <= now { machine.finish(done.ticket, wasSent: true) }
                running.removeAll { $0.finish <= now }
                while let ticket = machine.next(at(now)) {
                    if next(20) == 0 {
                        machine.finish(ticket, wasSent: false)
                        machine.enqueue(ticket)
                        break
                    }
                    machine.sending(ticket, isFirst: true, now: at(now))
                    sent.append(now)
                    running.append((now + Int64(next(400)), ticket))
                }
                for kept in machine.claimsDue(at(now)) { writing.append((now + Int64(next(30)), now, kept)) }
                let opening = machine.nextOpening(at(now)).map { $0.nanoseconds / 1_000_000 + 1 } ?? .max
                now = max(now + 1, min(opening, min(running.map(\.finish).min() ?? .max, writing.map(\.done).min() ?? .max)))
            }
            // The kill: a write under way reaches the disk, or does not.
            for write in writing where next(2) == 0 { disk[write.kept.connection] = (write.begun, write.kept.limit) }
            now += Int64(next(3000))
        }
        return sent
    }

    @Test(arguments: 1...4) func killsLetNothingThrough(seed: Int) async {
        // Without claims written ahead, a kill would let the next life send again what this one had sent since the last snapshot.
        let shared = PluginManifest.RateLimit(requests: 100, windowSeconds: 60, scope: .provider)
        let times = await lives(shared, connections: 12, kills: 5, seed: UInt64(seed * 131), until: 240_000)
        for index in times.indices where index >= 100 { #expect(times[index] - times[index - 100] >= 60_000, "seed \(seed)") }
        #expect(times.count > 200, "the limit is used: \(times.count)")
    }

    @Test(arguments: 1...4) func aKillLosesLittle(seed: Int) async {
        // Without small blocks a restart would cost a good part of the provider's window.
        let shared = PluginManifest.RateLimit(requests: 100, windowSeconds: 60, scope: .provider)
        let times = await lives(shared, connections: 12, kills: 1, seed: UInt64(seed * 977), until: 50_000)
        #expect(times.count >= 95 && times.count <= 100, "\(times.count)")
    }

    /// Sends through twelve connections until the limits leave no room.
    private func exhaust(_ broker: CurlOutbound, _ url: String, _ limits: [PluginManifest.RateLimit], requests: Int) async -> Int {
        var answered = 0
        for number in 0..<requests {
            let target = target(url, connection: connectionID(UInt64(number % 12 + 1))) { $0.rateLimits = limits }
            answered += await broker.send(get("/x"), for: target).response == nil ? 0 : 1
        }
        return answered
    }

    @Test(arguments: [true, false]) func twoLivesOfTheDaemonKeepOneLimit(isRegular: Bool) async throws {
        // Without the stored counts a restart in the middle of a window would double what is sent in it.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let store = MarkStore()
        let limits = [
            PluginManifest.RateLimit(requests: 200, windowSeconds: 3600, scope: .provider), .init(requests: 40, windowSeconds: 60),
        ]
        let first = try outbound(limits: store)
        try await first.restoreLimits()
        #expect(await exhaust(first, server.url, limits, requests: 120) == 120)
        // A kill leaves the store as it is; an end by the book writes what was claimed and not used.
        if isRegular { await first.close() }
        let second = try outbound(limits: store)
        try await second.restoreLimits()
        let more = await exhaust(second, server.url, limits, requests: 120)
        #expect(isRegular ? more == 80 : (71...80).contains(more), "\(more)")
        #expect(server.seen.count <= 200)
        #expect(store.writeCount < 300, "claims of two limits come in blocks: \(store.writeCount) writes for 200 requests")
        await second.close()
        await first.close()
        server.stop()
    }

    /// Wall time that somebody has set.
    private struct WrongTime: WallClock {
        let hours: Int64
        func now() -> Timestamp { SystemTime().now().adding(seconds: hours * 3600) }
    }

    @Test(arguments: [-26, -1, 2, 26]) func aClockThatIsSetBuysNoRequests(hours: Int64) async throws {
        // Without it a window is over as soon as somebody mends the clock and restarts the daemon; or lasts a day longer.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let store = MarkStore()
        let limits = [PluginManifest.RateLimit(requests: 40, windowSeconds: 3600, scope: .provider)]
        let first = try outbound(limits: store)
        try await first.restoreLimits()
        #expect(await exhaust(first, server.url, limits, requests: 40) == 40)
        await first.close()
        let second = try outbound(limits: store, clock: WrongTime(hours: hours))
        try await second.restoreLimits()
        #expect(await exhaust(second, server.url, limits, requests: 10) == 0)
        await second.close()
        // A start of the machine later only the wall clock can tell how long that took.
        store.reboot()
        let third = try outbound(limits: store, clock: WrongTime(hours: hours))
        try await third.restoreLimits()
        #expect(await exhaust(third, server.url, limits, requests: 10) == (hours > 0 ? 10 : 0))
        await third.close()
        server.stop()
    }

    @Test(arguments: [0, -1, 1]) func aPauseOutlivesTheProcess(hoursSet: Int64) async throws {
        // Without it a restart would be the way to ignore a provider's Retry-After, or a clock that is set meanwhile.
        let server = try ScriptedServer { peer, _, _ in peer.answer(429, ["Retry-After": "120"]) }
        let store = MarkStore()
        let first = try outbound(limits: store)
        try await first.restoreLimits()
        _ = await first.send(get("/x"), for: target(server.url))
        await first.close()
        let second = try outbound(limits: store, clock: WrongTime(hours: hoursSet))
        try await second.restoreLimits()
        let failure = await second.send(get("/x"), for: target(server.url)).failure
        #expect(failure?.status == .throttled && (100_000...120_001).contains(failure?.retryAfterMilliseconds ?? 0))
        #expect(server.seen.count == 1)
        await second.close()
        server.stop()
    }

    @Test func aSecondsWindowIsWaitedOutAtStart() async throws {
        // Without it two lives within a second would send twice what a second allows.
        let times = Times()
        let server = try ScriptedServer { peer, _, _ in
            times.add()
            return peer.answer(200)
        }
        let store = MarkStore()
        for _ in 0..<2 {
            let broker = try outbound(limits: store)
            try await broker.restoreLimits()
            let target = target(server.url) { $0.rateLimits = [.init(requests: 5, windowSeconds: 1)] }
            for _ in 0..<5 { _ = await broker.send(get("/x"), for: target) }
            await broker.close()
        }
        let sent = times.all
        for index in sent.indices where index >= 5 { #expect(sent[index] - sent[index - 5] >= 900_000_000) }
        server.stop()
    }

    @Test func aLimitOfTheProviderHoldsAllItsConnectionsBack() async throws {
        // Without it the 429 of one connection would be asked for again by eleven others.
        let server = try ScriptedServer { peer, _, _ in peer.answer(429, ["Retry-After": "60"]) }
        let broker = try outbound()
        let limits = [PluginManifest.RateLimit(requests: 1000, windowSeconds: 60, requestClass: "reports", scope: .provider)]
        for number in 1...12 {
            var request = get("/x")
            request.requestClass = "reports"
            _ = await broker.send(request, for: target(server.url, connection: connectionID(UInt64(number))) { $0.rateLimits = limits })
        }
        #expect(server.seen.count == 1)
        // What is not under that limit goes on.
        _ = await broker.send(get("/y"), for: target(server.url) { $0.rateLimits = limits })
        #expect(server.seen.count == 2)
        await broker.close()
        server.stop()
    }

    private func paused(_ broker: CurlOutbound, _ number: UInt64, _ url: String, _ limits: [PluginManifest.RateLimit]) async -> Bool {
        await broker.send(get("/x"), for: target(url, connection: connectionID(number)) { $0.rateLimits = limits }).failure?.status
            == .throttled
    }

    @Test func aServerOfOnesOwnHoldsNobodyElseBack() async throws {
        // Without it one workspace's server, which its base_url names, silences the provider's connections of all others for a day.
        let evil = try ScriptedServer { peer, _, _ in peer.answer(429, ["Retry-After": "86400"]) }
        let good = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let limits = [PluginManifest.RateLimit(requests: 1000, windowSeconds: 60, scope: .provider)]
        let store = MarkStore()
        var broker = try outbound(limits: store)
        try await broker.restoreLimits()
        #expect(await paused(broker, 1, evil.url, limits) == false)
        #expect(await paused(broker, 2, evil.url, limits))
        #expect(await paused(broker, 3, good.url, limits) == false)
        await broker.close()
        broker = try outbound(limits: store)
        try await broker.restoreLimits()
        #expect(await paused(broker, 2, evil.url, limits))
        #expect(await paused(broker, 3, good.url, limits) == false)
        // Who goes to another server leaves the pause behind, and so do the words of it.
        #expect(await paused(broker, 1, good.url, limits) == false)
        #expect(await broker.longPauses().keys.sorted { $0.description < $1.description } == [connectionID(2)])
        let there = target(evil.url, connection: connectionID(2)) { $0.rateLimits = limits }
        #expect(await broker.traffic(of: there).pauses.keys.map(\.self) == [""])
        await broker.resetCircuit(of: there)
        #expect(await broker.traffic(of: there).pauses.isEmpty)
        await broker.close()
        evil.stop()
        good.stop()
    }

    @Test func whatWasKeptWithoutAServerHoldsAtEach() async throws {
        // Without it the upgrade would be the way to a second window of a daily limit, or past a pause.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let store = MarkStore()
        let limits = [PluginManifest.RateLimit(requests: 40, windowSeconds: 86_400, scope: .provider)]
        let first = try outbound(limits: store)
        try await first.restoreLimits()
        #expect(await exhaust(first, server.url, limits, requests: 30) == 30)
        await first.close()
        store.forgetServers()
        let second = try outbound(limits: store)
        try await second.restoreLimits()
        #expect(await exhaust(second, server.url, limits, requests: 30) == 10)
        await second.close()
        server.stop()
    }

    @Test func runningRequestsOfOtherClassesHoldNoPlaceForever() {
        // Without counting by class, a limit that a reload brings would stay reserved by requests it never concerned.
        var machine = RequestAdmission()
        var http = PluginManifest.HTTP()
        http.maxConcurrent = 10
        machine.configure(connectionID(), http, now: at(0))
        let other = Ticket(id: 1, connection: connectionID(), requestClass: "details")
        machine.enqueue(other)
        #expect(machine.next(at(0)) == other)
        http.rateLimits = [.init(requests: 1, windowSeconds: 60, requestClass: "reports")]
        machine.configure(connectionID(), http, now: at(0))
        machine.sending(other, isFirst: true, now: at(0))
        machine.finish(other, wasSent: true)
        let report = Ticket(id: 2, connection: connectionID(), requestClass: "reports")
        machine.enqueue(report)
        #expect(machine.next(at(1)) == report)
    }
}
