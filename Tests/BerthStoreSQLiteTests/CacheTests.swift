// The file of kept answers: what outlives a restart, and that no file is too broken to start with.

import BerthModel
import BerthSeams
import BerthStoreSQLite
import Foundation
import Logging
import Testing

@Suite struct CacheTests {
    private let folder: String
    private var path: String { folder + "/cache.db" }
    private let one = ConnectionID(time: Timestamp(milliseconds: 1_790_000_000_000), random: (1, 1))
    private let two = ConnectionID(time: Timestamp(milliseconds: 1_790_000_000_000), random: (2, 2))

    init() throws {
        folder = NSTemporaryDirectory() + "berth-cache-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    private func open(bytesMax: Int = 1 << 20) -> SQLiteResponseCache {
        SQLiteResponseCache(path: path, bytesMax: bytesMax, logger: Logger(label: "test"))
    }

    private func end() { try? FileManager.default.removeItem(atPath: folder) }  // a folder left behind does not fail a test

    private func key(_ connection: ConnectionID, _ path: String, query: String = "") -> ResponseCacheKey {
        ResponseCacheKey(
            connection: connection, isAuthenticated: true, method: "GET", origin: "https://a.example:443", path: path, query: query)
    }

    private func answer(_ text: String, accept: String = "") -> KeptAnswer {
        KeptAnswer(
            selecting: [("accept", accept)], headers: [("etag", "\"1\""), ("x-empty", "")], body: Array(text.utf8),
            validatedAt: Timestamp(milliseconds: 1_790_000_000_123), freshSeconds: 60)
    }

    @Test func anAnswerOutlivesARestart() async throws {
        // Without this every restart would be a burst of requests.
        let first = open()
        #expect(await first.keep(answer("hello"), key(one, "/a"), bytesMax: 1 << 20))
        #expect(await first.keep(answer("csv", accept: "text/csv"), key(one, "/a"), bytesMax: 1 << 20))
        #expect(await first.keep(answer("hello again"), key(one, "/a"), bytesMax: 1 << 20))
        let size = await first.bytes()
        await first.close()
        #expect(await first.answers(key(one, "/a")).isEmpty, "closed")
        let second = open()
        let found = await second.answers(key(one, "/a"))
        #expect(found.map { String(decoding: $0.body, as: UTF8.self) }.sorted() == ["csv", "hello again"])
        #expect(found[0].headers.map { "\($0.name)=\($0.value)" } == ["etag=\"1\"", "x-empty="] && found[0].freshSeconds == 60)
        #expect(found[0].validatedAt.milliseconds == 1_790_000_000_123 && Set(found.map { $0.selecting[0].value }) == ["", "text/csv"])
        #expect(size > 0)
        #expect(await second.bytes() == size)
        #expect(await second.answers(key(two, "/a")).isEmpty)
        #expect(await second.answers(key(one, "/a", query: "x")).isEmpty)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        await second.close()
        end()
    }

    @Test func whatIsForgottenIsNotInTheFile() async throws {
        // Without this a removed connection's customers would stand in the file until something else is written over them.
        let cache = open()
        let body = String(repeating: "caller +12025550143; ", count: 2000)
        _ = await cache.keep(answer(body), key(one, "/a"), bytesMax: 1 << 20)
        _ = await cache.keep(answer("stays"), key(two, "/a"), bytesMax: 1 << 20)
        #expect(await cache.forget(.all, of: one) == 1)
        await cache.close()
        let bytes = try Data(contentsOf: URL(filePath: path))
        #expect(bytes.range(of: Data("+12025550143".utf8)) == nil && bytes.range(of: Data("stays".utf8)) != nil)
        end()
    }

    @Test(arguments: ["garbage", "other version", "empty"]) func aStrangeFileIsMadeAnew(_ kind: String) async throws {
        // Without this a damaged cache, which is worth nothing, would keep the daemon from starting.
        switch kind {
        case "garbage":
            try Data((0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }).write(to: URL(filePath: path))
            try Data("garbage".utf8).write(to: URL(filePath: path + "-wal"))
        case "other version":
            let before = open()
            _ = await before.keep(answer("old"), key(one, "/a"), bytesMax: 1 << 20)
            await before.close()
            // Where SQLite keeps user_version.
            let file = try FileHandle(forUpdating: URL(filePath: path))
            try file.seek(toOffset: 63)
            try file.write(contentsOf: [99])
            try file.close()
        default: _ = FileManager.default.createFile(atPath: path, contents: Data())
        }
        let cache = open()
        #expect(await cache.answers(key(one, "/a")).isEmpty)
        #expect(await cache.keep(answer("new"), key(one, "/a"), bytesMax: 1 << 20))
        #expect(await cache.answers(key(one, "/a")).count == 1)
        await cache.close()
        end()
    }

    @Test func damageWhileRunningIsSurvived() async throws {
        // Without this a bad block under the cache would cost its use until somebody restarts the daemon.
        let cache = open()
        for number in 0..<200 {
            _ = await cache.keep(answer(String(repeating: "x", count: 4000)), key(one, "/\(number)"), bytesMax: 4 << 20)
        }
        await cache.close()
        let file = try FileHandle(forUpdating: URL(filePath: path))
        let length = try file.seekToEnd()
        try file.seek(toOffset: 8192)
        try file.write(contentsOf: Data(repeating: 0xA5, count: Int(length) - 8192))
        try file.close()
        let again = open()
        for number in 0..<200 { _ = await again.answers(key(one, "/\(number)")) }
        #expect(await again.keep(answer("new"), key(one, "/a"), bytesMax: 1 << 20))
        #expect(await again.answers(key(one, "/a")).map(\.body) == [Array("new".utf8)])
        await again.close()
        end()
    }

    @Test func aFolderThatCannotBeWrittenKeepsNothing() async throws {
        // Without this the daemon would not start for want of a cache.
        let cache = SQLiteResponseCache(path: folder + "/missing/cache.db", bytesMax: 1 << 20, logger: Logger(label: "test"))
        #expect(await cache.keep(answer("x"), key(one, "/a"), bytesMax: 1 << 20) == false)
        #expect(await cache.answers(key(one, "/a")).isEmpty)
        #expect(await cache.bytes() == 0)
        #expect(await cache.problem()?.message.contains(folder + "/missing/cache.db can't be opened: No such file") == true)
        end()
    }

    @Test func whatWasInTheWayMayBeGone() async throws {
        // Without this a cache that failed once keeps nothing until the daemon is restarted.
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let cache = SQLiteResponseCache(path: path, bytesMax: 1 << 20, logger: Logger(label: "test"), retryWait: .zero)
        #expect(await cache.keep(answer("x"), key(one, "/a"), bytesMax: 1 << 20) == false)
        #expect(await cache.problem() != nil)
        try FileManager.default.removeItem(atPath: path)
        #expect(await cache.keep(answer("x"), key(one, "/a"), bytesMax: 1 << 20))
        #expect(await cache.problem() == nil)
        await cache.close()
        #expect(await cache.answers(key(one, "/a")).isEmpty, "closed is closed")
        end()
    }

    @Test func boundsHoldPerConnectionAndInAll() async throws {
        // Without this the cache would fill the disk that the database stands on.
        let cache = open(bytesMax: 60_000)
        for number in 0..<40 {
            let connection = number % 2 == 0 ? one : two
            #expect(await cache.keep(answer(String(repeating: "x", count: 3000)), key(connection, "/\(number)"), bytesMax: 40_000))
            #expect(await cache.bytes() <= 60_000)
        }
        #expect(await cache.answers(key(one, "/0")).isEmpty)
        #expect(await cache.answers(key(two, "/39")).count == 1)
        #expect(await cache.keep(answer(String(repeating: "x", count: 10_001)), key(one, "/large"), bytesMax: 40_000) == false)
        let gone = await cache.forget(.all, of: one)
        #expect(gone >= 8)
        #expect(await cache.prune(before: Timestamp(milliseconds: 1_790_000_000_123)) == 0)
        #expect(await cache.prune(before: Timestamp(milliseconds: 1_790_000_000_124)) >= 8)
        #expect(await cache.bytes() == 0)
        await cache.close()
        end()
    }

    @Test func whoNoLongerWaitsEndsAnswersAllTheSame() async throws {
        // Without this a cancelled operation's write would leave what was there before it.
        let cache = open()
        _ = await cache.keep(answer("x"), key(one, "/a"), bytesMax: 1 << 20)
        let count = await Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await cache.forget(.touched(origin: "https://a.example:443", path: "/a"), of: one)
        }.value
        #expect(count == 1)
        await cache.close()
        end()
    }

    @Test func aWriteEndsByWholeSegments() async throws {
        // Without this a write would end too little, or everything.
        let cache = open()
        let paths = ["/", "/v", "/v/", "/v/a", "/v/a/", "/v/a/b", "/v/ab", "/v/b", "/w"]
        for path in paths { _ = await cache.keep(answer("x"), key(one, path, query: "q=1"), bytesMax: 1 << 20) }
        _ = await cache.keep(answer("x"), key(two, "/v/a"), bytesMax: 1 << 20)
        #expect(await cache.forget(.touched(origin: "https://b.example:443", path: "/v/a"), of: one) == 0)
        #expect(await cache.forget(.touched(origin: "https://a.example:443", path: "/v/a"), of: one) == 6)
        var left: [String] = []
        for path in paths where await !cache.answers(key(one, path, query: "q=1")).isEmpty { left.append(path) }
        #expect(left == ["/v/ab", "/v/b", "/w"])
        #expect(await cache.forget(.prefix("/v/a"), of: one) == 1)
        #expect(await cache.forget(.prefix("/v/b?q=2"), of: one) == 0)
        #expect(await cache.forget(.prefix("/v/b?q="), of: one) == 1)
        #expect(await !cache.answers(key(two, "/v/a")).isEmpty)
        await cache.close()
        end()
    }
}
