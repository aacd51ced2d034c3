// A broker with a real cache file, a provider that counts what it is asked, and a clock that is moved by hand.

import BerthModel
import BerthSeams
import BerthStoreSQLite
import Foundation
import Logging
import Synchronization

@testable import BerthOutbound

final class HandTime: WallClock {
    private let time = Mutex(Timestamp(milliseconds: 1_790_000_000_000))
    func now() -> Timestamp { time.withLock { $0 } }
    func advance(seconds: Int64) { time.withLock { $0 = $0.adding(seconds: seconds) } }
}

final class CacheCounts: OutboundObserver {
    private let kept = Mutex<[CacheOutcome: Int]>([:])
    subscript(_ outcome: CacheOutcome) -> Int { kept.withLock { $0[outcome] ?? 0 } }
    func exchanged(_ exchange: OutboundExchange) {}
    func circuitChanged(_ circuit: CircuitStatus) {}
    func cacheUsed(_ outcome: CacheOutcome, of provider: ProviderName) { kept.withLock { $0[outcome, default: 0] += 1 } }
}

/// What the scripted provider answers a path with, and under which headers.
final class Shelf: Sendable {
    private let answers = Mutex<[String: (status: Int, headers: [String: String], body: String)]>([:])
    func put(_ path: String, _ body: String, _ headers: [String: String] = [:], status: Int = 200) {
        answers.withLock { $0[path] = (status, headers, body) }
    }
    /// Answers as an origin with validators does.
    func serve(_ peer: Peer, _ request: SeenRequest) -> Bool {
        let path = String(request.target.prefix { $0 != "?" })
        guard let found = answers.withLock({ $0[path] }) else { return peer.answer(404) }
        let isUnchanged =
            found.headers["ETag"].map { $0 == request.headers["if-none-match"] } ?? false
            || found.headers["Last-Modified"].map { $0 == request.headers["if-modified-since"] } ?? false
        return isUnchanged ? peer.answer(304, found.headers) : peer.answer(found.status, found.headers, Array(found.body.utf8))
    }
}

final class CacheRig: Sendable {
    let clock = HandTime()
    let counts = CacheCounts()
    let shelf = Shelf()
    let server: ScriptedServer
    let file: String
    let cache: SQLiteResponseCache
    let broker: CurlOutbound

    init(_ secrets: [String: String] = [:], _ change: (inout OutboundConfiguration) -> Void = { _ in }) throws {
        file = NSTemporaryDirectory() + "berth-answers-\(UUID().uuidString).db"
        cache = SQLiteResponseCache(path: file, bytesMax: 64 << 20, logger: Logger(label: "test"))
        let shelf = shelf
        server = try ScriptedServer { peer, request, _ in shelf.serve(peer, request) }
        var configuration = OutboundConfiguration()
        configuration.retry.maxTries = 1
        change(&configuration)
        broker = try CurlOutbound(
            secrets: MemorySecrets(secrets), configuration: configuration, clock: clock, entropy: SystemBits(),
            logger: Logger(label: "test"),
            observer: counts, answers: cache)
    }

    func end() async {
        await broker.close()
        await cache.close()
        server.stop()
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file + suffix) }  // one left behind fails no test
    }

    /// A connection whose manifest keeps class `things` for an hour.
    func acme(
        _ connection: ConnectionID = connectionID(), credential: CredentialSpec? = nil, maxMiB: Int = 4,
        _ change: (inout PluginManifest.HTTP) -> Void = { _ in }
    )
        -> OutboundTarget
    {
        target(server.url, connection: connection, credential: credential) { http in
            http.cache = .init(secondsByClass: ["things": 3600, "brief": 60], maxMiB: maxMiB)
            change(&http)
        }
    }

    func read(
        _ path: String, _ headers: [(name: String, value: String)] = [], of target: OutboundTarget? = nil, class name: String? = "things"
    )
        async -> Result<ProviderResponse, AttemptFailure>
    {
        await broker.send(ProviderRequest(method: "GET", url: path, headers: headers, requestClass: name), for: target ?? acme())
    }

    func text(
        _ path: String, _ headers: [(name: String, value: String)] = [], of target: OutboundTarget? = nil, class name: String? = "things"
    )
        async -> String
    {
        await read(path, headers, of: target, class: name).response.map { String(decoding: $0.body, as: UTF8.self) } ?? "no answer"
    }

    /// Requests that reached the provider.
    var asked: Int { server.seen.count }
}
