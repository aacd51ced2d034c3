// The circuit's three states, by hand and against a server that fails and recovers.

import BerthModel
import BerthSeams
import Synchronization
import Testing

@testable import BerthOutbound

@Suite struct CircuitTests {
    /// `#expect` itself cannot hold a call that changes its subject.
    private func expect(_ value: Bool, _ wanted: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(value == wanted, sourceLocation: sourceLocation)
    }
    private func at(_ seconds: Int64) -> Monotonic { Monotonic(nanoseconds: seconds * 1_000_000_000) }

    @Test func opensAfterFiveInARowAndProbesAfterAMinute() {
        // Without this a dead provider would cost every caller a timeout.
        var breaker = CircuitBreaker()
        for request in 1...4 { expect(breaker.fail(UInt64(request), at(0)), false) }
        expect(breaker.succeed(5), false)
        for request in 6...9 { expect(breaker.fail(UInt64(request), at(1)), false) }
        #expect(breaker.refusal(at(1)) == nil)
        expect(breaker.fail(10, at(1)), true)
        #expect(breaker.state(at(1)) == .open)
        #expect(breaker.refusal(at(31)) == 30_000_000_000)
        expect(breaker.enter(11, at(60)) == nil, false)
        #expect(breaker.state(at(61)) == .halfOpen)
        expect(breaker.enter(12, at(61)) == nil, true)
        expect(breaker.enter(13, at(61)) == nil, false)
        // An older request's answer neither closes nor extends it.
        expect(breaker.succeed(3), false)
        expect(breaker.fail(4, at(62)), false)
        expect(breaker.fail(12, at(70)), true)
        expect(breaker.enter(14, at(129)) == nil, false)
        expect(breaker.enter(15, at(130)) == nil, true)
        breaker.leave(15)
        expect(breaker.enter(16, at(131)) == nil, true)
        expect(breaker.succeed(16), true)
        #expect(breaker.state(at(131)) == .closed)
        #expect(breaker.failures == 0)
    }

    @Test func aFailingProviderIsLeftAloneUntilAProbeSucceeds() async throws {
        // Without this the plugin would wait for each of its requests to fail.
        let status = Mutex(500)
        let server = try ScriptedServer { peer, _, _ in peer.answer(status.withLock { $0 }) }
        let observer = Observations()
        let broker = try outbound(observer: observer) { $0.circuitOpenTime = .seconds(1) }
        let target = target(server.url)
        for _ in 0..<5 { #expect(await broker.send(get("/x"), for: target).response?.status == 500) }
        for _ in 0..<50 {
            let failure = await broker.send(get("/x"), for: target).failure
            #expect(failure?.status == .remoteDown)
            #expect(failure?.message.contains("circuit open") == true)
            #expect(failure?.retryAfterMilliseconds ?? 0 > 0)
        }
        #expect(server.seen.count == 5)
        #expect(await broker.circuits().map(\.state) == [.open])
        #expect(await broker.send(get("/x"), for: self.other(server)).response?.status == 500)

        status.withLock { $0 = 200 }
        while await broker.circuits().first(where: { $0.connection == target.connection })?.state == .open { await Task.yield() }
        #expect(await broker.send(get("/x"), for: target).response?.status == 200)
        #expect(await broker.circuits().allSatisfy { $0.connection != target.connection })
        #expect(observer.circuits.map(\.state) == [.open, .closed])
        await broker.close()
        server.stop()
    }

    private func other(_ server: ScriptedServer) -> OutboundTarget { target(server.url, connection: connectionID(2)) }

    @Test func anOperatorMayCloseIt() async throws {
        // Without this a repaired provider would stay shut for a minute.
        let status = Mutex(500)
        let server = try ScriptedServer { peer, _, _ in peer.answer(status.withLock { $0 }) }
        let broker = try outbound()
        for _ in 0..<5 { _ = await broker.send(get("/x"), for: target(server.url)) }
        #expect(await broker.send(get("/x"), for: target(server.url)).failure?.status == .remoteDown)
        status.withLock { $0 = 200 }
        await broker.resetCircuit(of: target(server.url))
        #expect(await broker.send(get("/x"), for: target(server.url)).response?.status == 200)
        await broker.close()
        server.stop()
    }

    @Test func anotherServerBeginsWithAClosedOne() async throws {
        // Without it who mends a wrong base_url would go on reading of the old server's failures for a minute.
        let dead = try ScriptedServer { peer, _, _ in peer.answer(500) }
        let alive = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let observer = Observations()
        let broker = try outbound(observer: observer)
        for _ in 0..<5 { _ = await broker.send(get("/x"), for: target(dead.url)) }
        // Another path of the same server is the same server.
        #expect(await broker.send(get("/x"), for: target(dead.url + "/v2")).failure?.status == .remoteDown)
        #expect(await broker.send(get("/x"), for: target(alive.url)).response?.status == 200)
        #expect(observer.circuits.map(\.state) == [.open, .closed])
        await broker.close()
        dead.stop()
        alive.stop()
    }

    @Test func theProvidersRefusalsDoNotOpenIt() async throws {
        // Without this a wrong credential would look like an outage.
        let server = try ScriptedServer { peer, _, _ in peer.answer(401) }
        let broker = try outbound()
        for _ in 0..<12 { #expect(await broker.send(get("/x"), for: target(server.url)).response?.status == 401) }
        #expect(await broker.circuits().isEmpty)
        await broker.close()
        server.stop()
    }
}
