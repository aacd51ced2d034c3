// Kept answers: when one is given, when the provider is asked again, and what is never kept.

import BerthModel
import BerthSeams
import BerthStoreSQLite
import Foundation
import Testing

@testable import BerthOutbound

@Suite struct CacheTests {
    @Test func aFreshAnswerCostsNoRequest() async throws {
        // Without this every page view of an operator's tool would be a request to the provider.
        let rig = try CacheRig()
        rig.shelf.put(
            "/a", "one", ["X-Kind": "k", "Set-Cookie": "s=1", "X-RateLimit-Remaining": "9", "Date": "Mon, 21 Sep 2026 14:13:20 GMT"])
        #expect(await rig.text("/a") == "one")
        rig.shelf.put("/a", "two")
        rig.clock.advance(seconds: 3599)
        let hit = try #require(await rig.read("/a").response)
        #expect(hit.status == 200 && String(decoding: hit.body, as: UTF8.self) == "one")
        let names = hit.headers.map(\.name)
        #expect(
            names.contains("x-kind") && !names.contains("set-cookie") && !names.contains("x-ratelimit-remaining") && !names.contains("date")
        )
        #expect(hit.headers.first { $0.name == "age" }?.value == "3599")
        #expect(rig.asked == 1)
        rig.clock.advance(seconds: 1)
        #expect(await rig.text("/a") == "two")
        #expect((rig.asked, rig.counts[.hit], rig.counts[.miss], rig.counts[.stored]) == (2, 1, 2, 2))
        await rig.end()
    }

    @Test func classesDecideAndOthersGoPast() async throws {
        // Without this answers that the manifest did not name would grow old unseen.
        let rig = try CacheRig()
        rig.shelf.put("/a", "one")
        for name in [nil, "", "others", "others"] { _ = await rig.text("/a", class: name) }
        #expect(rig.asked == 4 && rig.counts[.miss] == 0)
        _ = await rig.text("/a", class: "things")
        rig.clock.advance(seconds: 60)
        // The shorter lifetime of the other class counts from the same moment.
        #expect(await rig.text("/a", class: "things") == "one" && rig.asked == 5)
        _ = await rig.text("/a", class: "brief")
        #expect(rig.asked == 6)
        await rig.end()
    }

    @Test func aFreshAnswerNeedsNeitherTurnNorClosedCircuit() async throws {
        // Without this a tool would stand still while the provider is down, or while its limit is used up.
        let rig = try CacheRig { $0.circuitThreshold = 1 }
        rig.shelf.put("/a", "one")
        rig.shelf.put("/broken", "", status: 500)
        let target = rig.acme { $0.rateLimits = [.init(requests: 2, windowSeconds: 3600)] }
        #expect(await rig.text("/a", of: target) == "one")
        _ = await rig.read("/broken", of: target, class: nil)
        #expect(await rig.read("/a", of: target, class: nil).failure != nil)
        for _ in 0..<50 { #expect(await rig.text("/a", of: target) == "one") }
        #expect(rig.asked == 2)
        await rig.end()
    }

    @Test(arguments: [["ETag": "\"v1\""], ["ETag": "W/\"v1\""], ["Last-Modified": "Mon, 21 Sep 2026 14:13:20 GMT"]])
    func aStaleAnswerIsAskedForOnCondition(_ validator: [String: String]) async throws {
        // Without this the whole body would come again each hour, changed or not.
        let rig = try CacheRig()
        rig.shelf.put("/a", "one", validator)
        _ = await rig.text("/a")
        rig.clock.advance(seconds: 3600)
        let renewed = try #require(await rig.read("/a").response)
        #expect(renewed.status == 200 && renewed.body == Array("one".utf8) && rig.counts[.revalidated] == 1)
        let asked = try #require(rig.server.seen.last)
        #expect(asked.headers["if-none-match"] == validator["ETag"] && asked.headers["if-modified-since"] == validator["Last-Modified"])
        rig.clock.advance(seconds: 3599)
        #expect(await rig.text("/a") == "one" && rig.asked == 2, "the 304 made it fresh")
        rig.clock.advance(seconds: 1)
        rig.shelf.put("/a", "two", ["ETag": "\"v2\""])
        #expect(await rig.text("/a") == "two" && rig.asked == 3)
        #expect(await rig.text("/a") == "two" && rig.asked == 3)
        await rig.end()
    }

    @Test func a304OfAnotherAnswerIsNotBelieved() async throws {
        // Without this a provider's own broken cache would freeze an answer here.
        let rig = try CacheRig()
        let server = try ScriptedServer { peer, request, _ in
            request.headers["if-none-match"] != nil
                ? peer.answer(304, ["ETag": "\"other\""])
                : peer.answer(200, ["ETag": "\"v\(request.headers.count)\"", "Cache-Control": "no-cache"], Array("full".utf8))
        }
        let target = target(server.url) { $0.cache = .init(secondsByClass: ["things": 60]) }
        for _ in 0..<2 { #expect(await rig.text("/a", of: target) == "full") }
        #expect(server.seen.map { $0.headers["if-none-match"] != nil } == [false, true, false])
        server.stop()
        await rig.end()
    }

    @Test func theProvidersStricterWordCounts() async throws {
        // Without this an answer that the provider forbids to keep would be kept, or kept longer than it says.
        let rig = try CacheRig()
        rig.shelf.put("/never", "n", ["Cache-Control": "No-Store", "ETag": "\"1\""])
        rig.shelf.put("/brief", "b", ["Cache-Control": "private, max-age=10"])
        rig.shelf.put("/long", "l", ["Cache-Control": "max-age=999999"])
        rig.shelf.put("/checked", "c", ["Cache-Control": "no-cache", "ETag": "\"1\""])
        rig.shelf.put("/past", "p", ["Expires": "0"])
        rig.shelf.put("/aged", "a", ["Cache-Control": "max-age=100", "Age": "95"])
        rig.shelf.put("/expires", "e", ["Date": "Mon, 21 Sep 2026 14:00:00 GMT", "Expires": "Mon, 21 Sep 2026 14:00:20 GMT"])
        rig.shelf.put("/star", "s", ["Vary": "*"])
        rig.shelf.put("/gone", "g", status: 404)
        rig.shelf.put("/moved", "m", status: 301)
        let paths = ["/never", "/brief", "/long", "/checked", "/past", "/aged", "/expires", "/star", "/gone", "/moved"]
        func round() async -> [String] {
            let before = rig.asked
            for path in paths { _ = await rig.read(path) }
            return rig.server.seen[before...].map(\.target)
        }
        #expect(await round() == paths)
        #expect(await round() == ["/never", "/checked", "/past", "/star", "/gone", "/moved"])
        rig.clock.advance(seconds: 5)
        #expect(await round() == ["/never", "/checked", "/past", "/aged", "/star", "/gone", "/moved"])
        rig.clock.advance(seconds: 15)
        #expect(await round() == ["/never", "/brief", "/checked", "/past", "/aged", "/expires", "/star", "/gone", "/moved"])
        rig.clock.advance(seconds: 3590)
        #expect(await round() == paths, "the class's lifetime ends what the provider would allow for longer")
        await rig.end()
    }

    @Test func anAnswerThatMayNoLongerBeKeptEndsTheOneBefore() async throws {
        // Without this a deleted thing would come back when the provider cannot be reached for its new state.
        let rig = try CacheRig()
        rig.shelf.put("/a", "one", ["ETag": "\"1\""])
        _ = await rig.text("/a")
        rig.shelf.put("/a", "", status: 404)
        #expect(await rig.read("/a", [("Cache-Control", "no-cache")]).response?.status == 404)
        #expect(await rig.read("/a").response?.status == 404)
        #expect(await rig.cache.bytes() == 0)
        await rig.end()
    }

    @Test func thePluginMayAskPastTheCache() async throws {
        // Without this a plugin could not read what it has just been told has changed.
        let rig = try CacheRig()
        rig.shelf.put("/a", "one", ["ETag": "\"1\""])
        _ = await rig.text("/a")
        #expect(await rig.text("/a", [("cache-control", "no-cache")]) == "one" && rig.counts[.revalidated] == 1)
        #expect(rig.server.seen.last?.headers["if-none-match"] == "\"1\"")
        #expect(await rig.text("/a", [("Cache-Control", "no-store")]) == "one" && rig.server.seen.last?.headers["if-none-match"] == nil)
        #expect(await rig.read("/a", [("If-None-Match", "\"1\"")]).response?.status == 304, "its own condition, its own 304")
        _ = await rig.read("/a", [("Range", "bytes=0-1")])
        _ = await rig.read("/a", [("Authorization", "Bearer of-somebody-else")])
        #expect(rig.asked == 6)
        rig.clock.advance(seconds: 30)
        _ = await rig.read("/a", [("Cache-Control", "max-age=30")])
        #expect(rig.asked == 7)
        _ = await rig.read("/a", [("Cache-Control", "max-age=31")])
        #expect(rig.asked == 7)
        await rig.end()
    }

    @Test func whatTheAnswerDependsOnIsKeptApart() async throws {
        // Without this a request for CSV would get JSON, one language another, one account another's data.
        let rig = try CacheRig(["token": "secret-1"])
        rig.shelf.put("/a", "x", ["Vary": "X-View, Accept-Encoding"])
        let spec = CredentialSpec(kind: .apiKey, placements: [.init(field: "token", place: .authorization(scheme: "Bearer"))])
        let one = rig.acme(credential: spec)
        for _ in 0..<2 {
            _ = await rig.text("/a", of: one)
            _ = await rig.text("/a", [("X-View", "full")], of: one)
            _ = await rig.text("/a", [("Accept", "text/csv")], of: one)
            _ = await rig.text("/a?page=2", of: one)
            _ = await rig.text("/a", of: rig.acme(connectionID(2), credential: spec))
            _ = await rig.broker.send(ProviderRequest(method: "GET", url: "/a", requestClass: "things", isAuthenticated: false), for: one)
            _ = await rig.broker.send(ProviderRequest(method: "HEAD", url: "/a", requestClass: "things"), for: one)
        }
        #expect(rig.asked == 7 && rig.counts[.hit] == 7)
        _ = await rig.text("/a", [("X-Other", "1")], of: one)
        #expect(rig.asked == 7)
        await rig.end()
    }

    @Test func nothingOfACredentialIsKept() async throws {
        // Without this the cache file would hold what the vault seals.
        let rig = try CacheRig(["key": "s3cret-key-77"])
        let spec = CredentialSpec(kind: .apiKey, placements: [.init(field: "key", place: .query("api_key"))])
        let target = rig.acme(credential: spec)
        rig.shelf.put("/plain", "x")
        rig.shelf.put("/link", "x", ["Link": "<https://a.example/link?api_key=s3cret-key-77&page=2>; rel=next"])
        rig.shelf.put("/body", "{\"key\":\"s3cret-key-77\"}")
        for _ in 0..<2 {
            _ = await rig.text("/plain?api_key=***&a=1", of: target)
            _ = await rig.text("/plain?a=1", of: target)
            #expect(await rig.read("/link", of: target).response?.headers.first { $0.name == "link" }?.value.contains("page=2") == true)
            _ = await rig.text("/body", of: target)
        }
        #expect(rig.server.seen.map { $0.target.prefix { $0 != "?" } } == ["/plain", "/link", "/body", "/link", "/body"])
        await rig.cache.close()
        let bytes = try Data(contentsOf: URL(filePath: rig.file))
        #expect(bytes.range(of: Data("/plain".utf8)) != nil && bytes.range(of: Data("s3cret-key-77".utf8)) == nil)
        await rig.end()
    }

    @Test(arguments: ["POST", "PUT", "PATCH", "DELETE"]) func aWriteEndsWhatItMayHaveChanged(_ method: String) async throws {
        // Without this a plugin would read back what was there before its own write.
        let rig = try CacheRig()
        let paths = ["/v2/things", "/v2/things/7", "/v2/things/7/parts", "/v2/things/8", "/v2/others", "/v2/things-old"]
        for path in paths + ["/v2/refused/7", "/v2/refused"] { rig.shelf.put(path, path) }
        for path in paths { _ = await rig.text(path) }
        _ = await rig.text("/v2/things?page=2")
        _ = await rig.text("/v2/refused")
        var request = ProviderRequest(method: method, url: "/v2/things/7", requestClass: "things")
        #expect(await rig.broker.send(request, for: rig.acme()).response?.status == 200)
        rig.shelf.put("/v2/refused/7", "", status: 422)
        request.url = "/v2/refused/7"
        #expect(await rig.broker.send(request, for: rig.acme()).response?.status == 422)
        let before = rig.asked
        for path in paths { _ = await rig.text(path) }
        _ = await rig.text("/v2/things?page=2")
        _ = await rig.text("/v2/refused")
        #expect(rig.server.seen[before...].map(\.target) == ["/v2/things", "/v2/things/7", "/v2/things/7/parts", "/v2/things?page=2"])
        await rig.end()
    }

    @Test(arguments: ["/p/%32", "//p/2", "/p//2", "/p/2/", "/%70/2?x=1", "/q/%2e%2e/p/2", "/p/%32/sub"])
    func aWriteByAnotherSpellingEndsItToo(_ spelling: String) async throws {
        // Without it a plugin that encodes more than it must would read what was there before its write for an hour.
        let rig = try CacheRig()
        for path in ["/p/2", "/p/3"] { rig.shelf.put(path, path) }
        rig.shelf.put(String(spelling.prefix { $0 != "?" }), "done")
        for path in ["/p/2", "/p/3"] { _ = await rig.text(path) }
        let request = ProviderRequest(method: "PATCH", url: spelling, requestClass: "things")
        #expect((200...499).contains(await rig.broker.send(request, for: rig.acme()).response?.status ?? 0))
        let before = rig.asked
        for path in ["/p/2", "/p/3"] { _ = await rig.text(path) }
        #expect(rig.server.seen[before...].map(\.target).first == "/p/2")
        await rig.end()
    }

    @Test func onePathHasOneKeptAnswer() async throws {
        // Without it each spelling would be asked for, and where it is not clear what a path means another's answer be given.
        let rig = try CacheRig()
        for path in ["/p/2", "/p/%32", "//p/2", "/p/a%2fb", "/p/a%2Fb"] { rig.shelf.put(path, path) }
        for path in ["/p/2", "/p/%32", "//p/2", "//p/2", "/p/a%2fb", "/p/a%2Fb"] { _ = await rig.text(path) }
        #expect(rig.server.seen.map(\.target) == ["/p/2", "//p/2", "//p/2", "/p/a%2fb"])
        await rig.end()
    }

    @Test func answersEndWithTheirConnectionAndByPrefix() async throws {
        // Without this a new credential would be shown what the old account saw.
        let rig = try CacheRig()
        for path in ["/a/1", "/a/2", "/b"] { rig.shelf.put(path, path) }
        let other = rig.acme(connectionID(2))
        func fill() async {
            for path in ["/a/1", "/a/2?x=%2F", "/b"] {
                _ = await rig.text(path)
                _ = await rig.text(path, of: other)
            }
        }
        await fill()
        #expect(rig.asked == 6)
        #expect(await rig.broker.forgetAnswers(of: connectionID(), prefix: "/a/2?x") == 1)
        #expect(await rig.broker.forgetAnswers(of: connectionID(), prefix: "/a_") == 0)
        await fill()
        #expect(rig.asked == 7)
        await rig.broker.forget(connectionID())
        await fill()
        #expect(rig.asked == 10)
        await rig.end()
    }

    @Test func anAnswerAskedForBeforeAWriteIsNotKept() async throws {
        // Without this a slow read would put back what a write has just ended.
        let rig = try CacheRig()
        let writeIsDone = DispatchSemaphore(value: 0)
        let readIsHere = DispatchSemaphore(value: 0)
        let server = try ScriptedServer { peer, request, number in
            guard request.method == "GET", number == 1 else { return peer.answer(200, [:], Array("new".utf8)) }
            readIsHere.signal()
            writeIsDone.wait()
            return peer.answer(200, [:], Array("old".utf8))
        }
        let target = target(server.url) { $0.cache = .init(secondsByClass: ["things": 60]) }
        async let slow = rig.text("/a", of: target)
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                readIsHere.wait()
                continuation.resume()
            }
        }
        _ = await rig.broker.send(ProviderRequest(method: "PUT", url: "/a"), for: target)
        writeIsDone.signal()
        #expect(await slow == "old")
        #expect(await rig.text("/a", of: target) == "new")
        server.stop()
        await rig.end()
    }

    @Test func thoseWhoAskAtOnceShareOneRequest() async throws {
        // Without this a cold cache would send one request per caller, which is when limits break.
        let rig = try CacheRig()
        rig.shelf.put("/a", "one")
        rig.shelf.put("/never", "n", ["Cache-Control": "no-store"])
        let answers = await withTaskGroup(of: String.self) { group in
            for _ in 0..<20 { group.addTask { await rig.text("/a") } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers == Array(repeating: "one", count: 20) && rig.asked == 1)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<5 { group.addTask { #expect(await rig.text("/never") == "n") } }
        }
        #expect(rig.asked == 6, "what may not be kept is not shared either")
        await rig.end()
    }

    @Test func theConnectionsBoundIsKept() async throws {
        // Without this one connection's lists would fill the disk.
        let rig = try CacheRig()
        let target = rig.acme(maxMiB: 1)
        let body = String(repeating: "x", count: 100_000)
        for number in 0..<30 {
            rig.shelf.put("/\(number)", body)
            _ = await rig.text("/\(number)", of: target)
            _ = await rig.text("/0", of: target)
            #expect(await rig.cache.bytes() <= 1 << 20)
        }
        #expect(rig.asked == 30, "the one in use stays")
        _ = await rig.text("/1", of: target)
        #expect(rig.asked == 31, "the one unused for longest goes")
        rig.shelf.put("/large", String(repeating: "x", count: 300_000))
        for _ in 0..<2 { _ = await rig.text("/large", of: target) }
        #expect(rig.asked == 33, "more than a quarter of the bound is not kept")
        await rig.end()
    }
}
