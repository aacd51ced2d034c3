// One request on the wire: what arrives there, what comes back, and how each kind of bad answer ends.

import BerthModel
import BerthSeams
import Foundation
import Logging
import Testing

@testable import BerthOutbound

@Suite struct ExchangeTests {
    @Test func methodPathHeadersAndBodyArriveAsAsked() async throws {
        // Without this a provider would see another request than the plugin made.
        let server = try ScriptedServer { peer, _, _ in peer.answer(201, ["X-Answer": "yes"], Array("done".utf8)) }
        let broker = try outbound()
        var request = ProviderRequest(method: "POST", url: "/v2/things?a=1&b=c%20d", body: Array("{\"x\":1}".utf8))
        request.headers = [("Content-Type", "application/json"), ("X-Empty", ""), ("Accept", "application/json")]
        let response = try #require(await broker.send(request, for: target(server.url + "/base/")).response)
        #expect(response.status == 201)
        #expect(String(decoding: response.body, as: UTF8.self) == "done")
        #expect(response.headers.contains { $0.name == "x-answer" && $0.value == "yes" })
        let seen = try #require(server.seen.first)
        #expect(seen.method == "POST")
        #expect(seen.target == "/base/v2/things?a=1&b=c%20d")
        #expect(seen.headers["content-type"] == "application/json")
        #expect(seen.headers["x-empty"] == "")
        #expect(seen.headers["expect"] == nil)
        #expect(seen.body == "{\"x\":1}")
        await broker.close()
        server.stop()
    }

    @Test(arguments: ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "POST"]) func everyMethodWorks(method: String) async throws {
        // Without this one of the methods would be sent as another, or hang waiting for a body.
        let server = try ScriptedServer { peer, request, _ in
            request.method == "HEAD"
                ? peer.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") : peer.answer(200, [:], Array("hello".utf8))
        }
        let broker = try outbound()
        let response = try #require(await broker.send(ProviderRequest(method: method, url: "/x"), for: target(server.url)).response)
        #expect(response.status == 200)
        #expect(response.body.count == (method == "HEAD" ? 0 : 5))
        #expect(server.seen.map(\.method) == [method])
        await broker.close()
        server.stop()
    }

    @Test func manyRequestsShareFewConnections() async throws {
        // Without keep-alive every page of a sync would pay for a new connection.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200, [:], Array("ok".utf8)) }
        let broker = try outbound()
        for _ in 0..<50 { #expect(await broker.send(get("/x"), for: target(server.url)).response?.status == 200) }
        #expect(server.connectionCount == 1)
        #expect(server.seen.count == 50)
        await broker.close()
        server.stop()
    }

    @Test func noMoreAtOnceThanTheManifestAllows() async throws {
        // Without this a plugin could overrun a provider that allows two requests at once.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let broker = try outbound()
        let target = target(server.url) { $0.maxConcurrent = 2 }
        await withTaskGroup { group in
            for _ in 0..<40 { group.addTask { _ = await broker.send(get("/x"), for: target) } }
        }
        #expect(server.connectionCount <= 2)
        #expect(server.seen.count == 40)
        await broker.close()
        server.stop()
    }

    @Test func compressedAnswersArePlain() async throws {
        // Without this plugins would have to know compression.
        let zipped: [UInt8] = [
            31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 203, 72, 205, 201, 201, 7, 0, 134, 166, 16, 54, 5, 0, 0, 0,
        ]
        let server = try ScriptedServer { peer, _, _ in peer.answer(200, ["Content-Encoding": "gzip"], zipped) }
        let broker = try outbound()
        let response = try #require(await broker.send(get("/x"), for: target(server.url)).response)
        #expect(String(decoding: response.body, as: UTF8.self) == "hello")
        #expect(server.seen[0].headers["accept-encoding"] == "gzip, deflate")
        await broker.close()
        server.stop()
    }

    @Test func aRedirectIsAnAnswer() async throws {
        // Without this a provider could send the daemon, with its credential, anywhere.
        let inner = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let location = inner.url
        for place in [location, "http://169.254.169.254/latest/meta-data/"] {
            let server = try ScriptedServer { peer, _, _ in peer.answer(302, ["Location": place]) }
            let broker = try outbound()
            #expect(await broker.send(get("/x"), for: target(server.url)).response?.status == 302)
            await broker.close()
            server.stop()
        }
        #expect(inner.connectionCount == 0)
        inner.stop()
    }

    @Test func htmlIsAnAnswerToo() async throws {
        // Without this the plugin could not tell the operator that the provider answered a web page.
        let server = try ScriptedServer { peer, _, _ in
            peer.answer(403, ["Content-Type": "text/html"], Array("<html>no</html>".utf8))
        }
        let broker = try outbound()
        let response = try #require(await broker.send(get("/x"), for: target(server.url)).response)
        #expect(response.status == 403)
        #expect(response.body.starts(with: Array("<html>".utf8)))
        await broker.close()
        server.stop()
    }

    @Test func plainGarbageIsAFailure() async throws {
        // Without this an answer that is not HTTP would be taken for one.
        let server = try ScriptedServer { peer, _, _ in
            peer.write("SSH-2.0-OpenSSH_9\r\n\r\n")
            return false
        }
        let broker = try outbound()
        #expect(await broker.send(get("/x"), for: target(server.url)).failure?.status == .remoteDown)
        await broker.close()
        server.stop()
    }

    @Test func headersThatBreakTheMessageAreRefused() async throws {
        // Without this a plugin could smuggle a second request or another host.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let broker = try outbound()
        for (name, value) in [
            ("X-A", "b\r\nX-Evil: 1"), ("X-A", "b\nc"), ("X:A", "b"), ("", "b"), ("X A", "b"), ("Host", "evil"), ("Content-Length", "5"),
            ("transfer-encoding", "chunked"), ("Connection", "close"), ("X-A", "b\u{0}c"), ("Proxy-Authorization", "x"),
        ] {
            var request = get("/x")
            request.headers = [(name, value)]
            #expect(await broker.send(request, for: target(server.url)).failure?.status == .denied, "\(name): \(value)")
        }
        for method in ["CONNECT", "GET /evil HTTP/1.1\r\n", "", "TRACE", "G ET"] {
            #expect(await broker.send(ProviderRequest(method: method, url: "/"), for: target(server.url)).failure?.status == .denied)
        }
        #expect(server.connectionCount == 0)
        await broker.close()
        server.stop()
    }

    @Test func everyExchangeIsObserved() async throws {
        // Without this the daemon's metrics would miss requests.
        let server = try ScriptedServer { peer, _, number in peer.answer(number == 1 ? 503 : 200, [:], Array("12345".utf8)) }
        let observer = Observations()
        let broker = try outbound(observer: observer)
        var request = get("/x")
        request.requestClass = "reports"
        let target = target(server.url) { $0.rateLimits = [.init(requests: 100, windowSeconds: 1, requestClass: "reports")] }
        _ = await broker.send(request, for: target)
        _ = await broker.send(get("ftp://x/"), for: target)
        // A plugin may make up as many as it likes.
        request.requestClass = "made up"
        _ = await broker.send(request, for: target)
        server.stop()
        _ = await broker.send(ProviderRequest(method: "POST", url: "/"), for: target)
        let seen = observer.exchanges
        #expect(seen.map(\.status) == [200, nil, 200, nil])
        #expect(seen.map(\.isSent) == [true, false, true, true])
        #expect(seen[2].requestClass == "other")
        #expect(seen.map(\.tries).prefix(3) == [2, 0, 1])
        #expect(seen[0].bytes == 5)
        #expect(seen[0].requestClass == "reports")
        #expect(seen[1].failure == .denied)
        await broker.close()
    }

    @Test func theLogTellsWhereAndWhyAndNothingOfPeople() async throws {
        // Without the place and the reason an operator sees that something was refused and not what; a bare number where a name
        // should be is somebody's.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let store = LoggedRequests()
        let log = RequestLog(store: store, logger: .init(label: "test"))
        let broker = try outbound(requestLog: log)
        let key = CredentialSpec(kind: .apiKey, placements: [.init(field: "token", place: .header("X-Key"))])
        let elsewhere = "https://elsewhere.example/v1?filter%5Bfrom%5D=1&15551234567&a%40b.example=1&_page[size]=2"
        _ = await broker.send(get(elsewhere), for: target(server.url))
        _ = await broker.send(get("/secret"), for: target(server.url, credential: key))
        _ = await broker.send(get("/x?n15551234567=1"), for: target(server.url))
        await log.flush()
        let entries = store.all
        #expect(entries.map(\.host) == ["elsewhere.example", "127.0.0.1", "127.0.0.1"])
        #expect(entries.map(\.path) == ["/v1?filter%5Bfrom%5D=***&***=***&***=***&_page[size]=***", "/secret", "/x?***=***"])
        #expect(entries.map(\.failure) == [.denied, .authDenied, nil])
        #expect(entries[0].reason?.contains("allowed_hosts") == true && entries[1].reason?.isEmpty == false && entries[2].reason == nil)
        await broker.close()
        server.stop()
    }

    @Test func closingAnswersEverybodyAndEndsTheThread() async throws {
        // Without this a stopping daemon would wait for its slowest provider.
        let server = try ScriptedServer { peer, _, _ in
            peer.awaitClose()
            return false
        }
        let broker = try outbound()
        let hanging = (0..<20).map { _ in
            Task { await broker.send(get("/x"), for: target(server.url) { $0.maxConcurrent = 5 }) }
        }
        while server.seen.count < 5 { await Task.yield() }
        await broker.close()
        for task in hanging { #expect(await task.value.failure?.status == .cancelled) }
        #expect(await broker.send(get("/x"), for: target(server.url)).failure?.status == .cancelled)
        server.stop()
    }

    @Test func cancellingEndsTheExchange() async throws {
        // Without this a cancelled sync would keep its connection and its place under the limit.
        let server = try ScriptedServer { peer, _, _ in
            peer.awaitClose()
            return false
        }
        let broker = try outbound()
        let target = target(server.url) {
            $0.timeoutSeconds = 600
            $0.maxConcurrent = 1
        }
        let running = Task { await broker.send(get("/x"), for: target) }
        while server.seen.isEmpty { await Task.yield() }
        let waiting = Task { await broker.send(get("/y"), for: target) }
        waiting.cancel()
        #expect(await waiting.value.failure?.status == .cancelled)
        running.cancel()
        #expect(await running.value.failure?.status == .cancelled)
        #expect(server.seen.count == 1)
        await broker.close()
        server.stop()
    }
}
