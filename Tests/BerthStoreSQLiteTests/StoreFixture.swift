// A real store in a folder of its own, with a clock that is moved by hand.

import BerthModel
import BerthSeams
import BerthStoreSQLite
import Foundation
import Logging
import Synchronization

/// Wall time that a test moves.
final class HandClock: WallClock {
    private let time = Mutex(Timestamp(milliseconds: 1_772_600_000_000))
    func now() -> Timestamp { time.withLock { $0 } }
    func advance(seconds: Int64) { time.withLock { $0 = $0.adding(seconds: seconds) } }
}

/// Chance of the system.
struct RealEntropy: Entropy {
    func next() -> UInt64 { .random(in: .min ... .max) }
}

/// One store with one connection.
final class StoreFixture: Sendable {
    let folder: String
    let clock = HandClock()
    let entropy = RealEntropy()
    let connection: ConnectionID
    var path: String { folder + "/berth.db" }

    init() throws {
        folder = NSTemporaryDirectory() + "berth-store-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        connection = ConnectionID(clock, entropy)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }  // a folder left behind does not fail a test

    func open(limits: SQLiteStore.Limits? = nil) async throws -> SQLiteStore {
        var chosen = limits ?? SQLiteStore.Limits()
        if limits == nil { chosen.ballastBytes = 0 }
        return try await SQLiteStore.open(path: path, clock: clock, entropy: entropy, limits: chosen, logger: Logger(label: "test"))
    }

    /// Opens and adds the connection.
    func begin() async throws -> SQLiteStore {
        let store = try await open()
        _ = try await store.insertConnection(row(connection, name: "main"))
        return store
    }

    func row(_ id: ConnectionID, name: String) -> Connection {
        Connection(
            id: id, provider: ProviderName("ringba")!, workspace: WorkspaceName("acme")!, name: name, baseURL: nil, settings: [:],
            credentialKind: nil, webhook: nil, schedules: [:], status: .active, consecutiveFailures: 0, lastError: nil,
            createdAt: clock.now(), updatedAt: clock.now(), lastSyncAt: nil)
    }

    func delivery(_ key: String, ordering: String? = nil) -> VerifiedDelivery {
        VerifiedDelivery(
            id: EventID(clock, entropy), connection: connection, provider: ProviderName("ringba")!, kind: "test", dedupKey: key,
            orderingKey: ordering, method: "POST", query: "", headers: [("content-type", "application/json"), ("x-a", "1")],
            body: Array("{}".utf8), receivedAt: clock.now(), audit: "token abcd", remoteAddress: "127.0.0.1")
    }

    func change(_ key: String, _ payload: String, at: Int64? = nil, kind: RecordChange.Kind = .upsert) -> EntityChange {
        EntityChange(
            entity: EntityName("call")!,
            change: RecordChange(
                kind: kind, stream: StreamName("calls")!, externalID: key, sourceTime: at.map { Timestamp(milliseconds: $0) },
                payload: Array(payload.utf8)))
    }

    func run(_ mode: ReadMode = .incremental) -> SyncRun {
        SyncRun(
            id: RunID(clock, entropy), connection: connection, provider: ProviderName("ringba")!, stream: StreamName("calls")!, mode: mode,
            trigger: .manual, status: .queued, since: nil, until: clock.now(), createdAt: clock.now())
    }
}

/// Runs a script in which `d` is the database; answers what it printed.
func python(_ script: String, _ path: String) throws -> String {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", "-c", "import sqlite3, sys\nd = sqlite3.connect(sys.argv[1])\n" + script, path]
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self)
}
