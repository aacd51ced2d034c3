// Limits hold exactly, in every window, however requests come; and nobody starves.

import BerthModel
import BerthSeams
import Testing

@testable import BerthOutbound

@Suite struct LimitTests {
    private func at(_ milliseconds: Int64) -> Monotonic { Monotonic(nanoseconds: milliseconds * 1_000_000) }

    private func http(_ limits: [PluginManifest.RateLimit], concurrent: Int = 1000) -> PluginManifest.HTTP {
        var http = PluginManifest.HTTP()
        http.rateLimits = limits
        http.maxConcurrent = concurrent
        return http
    }

    /// Runs callers against the machine with time by hand; returns when each was sent, by connection.
    private func simulate(
        _ limits: [PluginManifest.RateLimit], connections: Int, callers: Int, seed: UInt64,
        until end: Int64
    ) -> [(time: Int64, connection: Int)] {
        var random = seed
        func next(_ below: UInt64) -> UInt64 {
            random ^= random << 13
            random ^= random >> 7
            random ^= random << 17
            return random % below
        }
        var machine = RequestAdmission()
        let ids = (0..<connections).map { connectionID(UInt64($0 + 1)) }
        for id in ids { machine.configure(id, http(limits), now: at(0)) }
        var sent: [(Int64, Int)] = []
        var number: UInt64 = 0
        for id in ids {
            for _ in 0..<callers {
                number += 1
                machine.enqueue(Ticket(id: number, connection: id, requestClass: ""))
            }
        }
        var now: Int64 = 0
        var running: [(finish: Int64, ticket: Ticket)] = []
        while now <= end {
            for done in running where done.finish <= now { machine.finish(done.ticket, wasSent: true) }
            running.removeAll { $0.finish <= now }
            while let ticket = machine.next(at(now)) {
                if next(20) == 0 {
                    machine.finish(ticket, wasSent: false)
                    machine.enqueue(ticket)
                    break
                }
                machine.sending(ticket, isFirst: true, now: at(now))
                sent.append((now, ids.firstIndex(of: ticket.connection)!))
                running.append((now + Int64(next(400)), ticket))
            }
            let opening = machine.nextOpening(at(now)).map { $0.nanoseconds / 1_000_000 + 1 } ?? .max
            now = max(now + 1, min(opening, running.map(\.finish).min() ?? .max))
        }
        return sent
    }

    @Test(arguments: 1...20) func neverMoreThanTheLimitInAnyWindow(seed: Int) {
        // Without exactness the provider would answer 429, or lock the account.
        let sent = simulate(
            [.init(requests: 5, windowSeconds: 1), .init(requests: 80, windowSeconds: 60)], connections: 3, callers: 300,
            seed: UInt64(seed * 77),
            until: 125_000)
        for connection in 0..<3 {
            let times = sent.filter { $0.connection == connection }.map(\.time)
            for (count, window) in [(5, 1000), (80, 60_000)] {
                for index in times.indices where index >= count { #expect(times[index] - times[index - count] >= window) }
            }
            // And the limit is used: two windows and a bit allow 160 and more.
            #expect(times.count >= 160)
        }
    }

    @Test func twelveConnectionsShareAProvidersLimit() {
        // Without a shared limit twelve connections would send twelve times what the provider allows.
        let sent = simulate(
            [.init(requests: 100, windowSeconds: 60, scope: .provider)], connections: 12, callers: 100, seed: 9, until: 60_000)
        let times = sent.map(\.time)
        for index in times.indices where index >= 100 { #expect(times[index] - times[index - 100] >= 60_000) }
        #expect(times.count >= 95 && times.count <= 100)
        let shares = (0..<12).map { connection in sent.filter { $0.connection == connection }.count }
        #expect(shares.min()! >= 7 && shares.max()! <= 10, "\(shares)")
    }

    @Test func classesHaveTheirOwnLimitsAndQueues() {
        // Without this reports that wait for their minute would hold up everything else.
        var machine = RequestAdmission()
        machine.configure(
            connectionID(), http([.init(requests: 1, windowSeconds: 60, requestClass: "reports"), .init(requests: 3, windowSeconds: 60)]),
            now: at(0))
        for (number, name) in ["reports", "reports", "", ""].enumerated() {
            machine.enqueue(Ticket(id: UInt64(number), connection: connectionID(), requestClass: name))
        }
        var order: [UInt64] = []
        while let ticket = machine.next(at(0)) {
            machine.sending(ticket, isFirst: true, now: at(0))
            order.append(ticket.id)
        }
        #expect(order == [0, 2, 3])
        let wasWaiting = machine.withdraw(Ticket(id: 1, connection: connectionID(), requestClass: "reports"))
        let opening = machine.nextOpening(at(0))
        #expect(wasWaiting)
        #expect(opening == nil)
    }

    @Test func aLargeWindowStaysSmallInMemoryAndExact() {
        // Without merging a million requests a day would keep a million times.
        var window = SlidingWindow(limit: 100_000, windowSeconds: 3600)
        var sent: [Int64] = []
        var now: Int64 = 0
        while sent.count < 150_000 {
            let opening = window.opening(at(now))
            if opening <= at(now) {
                window.reserve()
                window.send(at(now))
                sent.append(now)
                now += 20
            } else {
                now = opening.nanoseconds / 1_000_000 + 1
            }
        }
        for index in sent.indices where index >= 100_000 { #expect(sent[index] - sent[index - 100_000] >= 3_600_000) }
        #expect(sent[149_999] < 3_600_000 + 2_100_000)
    }

    @Test func requestsAtARealServerKeepTheLimit() async throws {
        // Without the driver obeying the machine the limits above would hold on paper only.
        let times = Times()
        let server = try ScriptedServer { peer, _, _ in
            times.add()
            return peer.answer(200)
        }
        let broker = try outbound()
        let target = target(server.url) {
            $0.rateLimits = [.init(requests: 10, windowSeconds: 1)]
            $0.timeoutSeconds = 60
        }
        let begun = Monotonic.now().nanoseconds
        await withTaskGroup { group in
            for _ in 0..<35 { group.addTask { #expect(await broker.send(get("/x"), for: target).response?.status == 200) } }
        }
        let arrivals = times.all
        #expect(arrivals.count == 35)
        // Measured from the beginning, not between arrivals: a busy machine may see an arrival late, never early.
        for index in arrivals.indices { #expect(arrivals[index] - begun >= Int64(index / 10) * 1_000_000_000) }
        await broker.close()
        server.stop()
    }

    @Test func whoCannotBeServedInTimeIsToldAtOnce() async throws {
        // Without this callers would wait for a turn that comes after their deadline.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let broker = try outbound()
        let target = target(server.url) { $0.rateLimits = [.init(requests: 1, windowSeconds: 60)] }
        #expect(await broker.send(get("/x"), for: target).response?.status == 200)
        let clock = ContinuousClock()
        let begun = clock.now
        let failure = await broker.send(get("/x"), for: target).failure
        #expect(failure?.status == .throttled)
        #expect((55_000...62_000).contains(failure?.retryAfterMilliseconds ?? 0))
        #expect(clock.now - begun < .seconds(1))
        await broker.close()
        server.stop()
    }

    @Test func forgettingBuysNoRequests() async throws {
        // Without keeping the counts, changing a setting would reset the provider's limit in our eyes only.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let broker = try outbound()
        let target = target(server.url) { $0.rateLimits = [.init(requests: 2, windowSeconds: 60)] }
        for _ in 0..<5 {
            _ = await broker.send(get("/x"), for: target)
            await broker.forget(target.connection)
        }
        #expect(server.seen.count == 2)
        await broker.close()
        server.stop()
    }
}
