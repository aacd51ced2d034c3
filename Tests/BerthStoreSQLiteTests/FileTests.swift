// The file: durability, locks, damage, backup.

import BerthModel
import BerthSeams
import BerthStoreSQLite
import Foundation
import Logging
import Testing

@Suite struct FileTests {
    // Without this the store could run with the library's default and lose acknowledged events at power loss.
    @Test func commitsAreSynced() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let health = await store.health()
        #expect(health.synchronous == 2 && health.isWritable)
        let mode = try FileManager.default.attributesOfItem(atPath: fixture.path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        await store.close()
    }

    // Without this two daemons would free each other's leases.
    @Test func aSecondOpenerIsRefused() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        await #expect { try await fixture.open() } throws: { error in
            (error as? BerthError)?.code == "store_in_use" && (error as? BerthError)?.hint != nil
        }
        await store.close()
        await (try await fixture.open()).close()
    }

    // Without this damage would be found in the middle of the night, or papered over.
    @Test func aDamagedFileIsRefusedWithAHint() async throws {
        let fixture = try StoreFixture()
        try Data("this is no database, but it is long enough to look at".utf8).write(to: URL(filePath: fixture.path))
        await #expect { try await fixture.open() } throws: { error in
            (error as? BerthError)?.code == "store_corrupt" && (error as? BerthError)?.hint?.contains("backup") == true
        }
    }

    // Without this an older program would write into a newer schema.
    @Test func aNewerSchemaIsRefused() async throws {
        let fixture = try StoreFixture()
        await (try await fixture.begin()).close()
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c", "import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version=999')", fixture.path,
        ]
        try process.run()
        process.waitUntilExit()
        await #expect { try await fixture.open() } throws: { ($0 as? BerthError)?.code == "store_too_new" }
    }

    // Without this a migration that goes wrong takes the only copy with it.
    @Test func anOlderSchemaIsCopiedAndBroughtForward() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let receipt = try await store.accept(fixture.delivery("k"))
        await store.close()
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        // The first version had none of what later steps add.
        let script = """
            import sqlite3, sys
            d = sqlite3.connect(sys.argv[1])
            d.executescript('ALTER TABLE event DROP COLUMN deaths; ALTER TABLE event DROP COLUMN unproven; ALTER TABLE stream_state DROP COLUMN not_before; '
                            'ALTER TABLE secret DROP COLUMN set_at; DROP TABLE rate_limit; DROP TABLE request; DROP TABLE boot; '
                            'DROP TRIGGER audit_unchanged; DROP TRIGGER audit_kept; DROP TABLE audit_retention; PRAGMA user_version=1')
            """
        process.arguments = ["python3", "-c", script, fixture.path]
        try process.run()
        process.waitUntilExit()
        // What a start that was killed in the middle of its copy leaves: no backup, and not in the way.
        try Data("half".utf8).write(to: URL(filePath: fixture.path + ".backup-part"))
        let again = try await fixture.open()
        #expect(!FileManager.default.fileExists(atPath: fixture.path + ".backup-part"))
        let event = try #require(try await again.event(receipt.event))
        #expect(event.deaths == 0 && event.dedupKey == "k")
        await again.close()
        let copies = try FileManager.default.contentsOfDirectory(atPath: fixture.folder).filter { $0.hasPrefix("berth.db.backup-v1-") }
        #expect(copies.count == 1)
        let mode = try FileManager.default.attributesOfItem(atPath: "\(fixture.folder)/\(copies[0])")[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try Data(contentsOf: URL(filePath: "\(fixture.folder)/\(copies[0])")).starts(with: Data("SQLite format 3".utf8)))
    }

    // Without this a backup could miss what was committed, or overwrite another one.
    @Test func aBackupHoldsEverythingAndOverwritesNothing() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let receipt = try await store.accept(fixture.delivery("k"))
        let copy = fixture.folder + "/copy.db"
        try await store.backup(to: copy)
        await #expect(throws: BerthError.self) { try await store.backup(to: copy) }
        await store.close()
        let restored = try await SQLiteStore.open(
            path: copy, clock: fixture.clock, entropy: fixture.entropy, limits: .init(), logger: .init(label: "test"))
        #expect(try await restored.event(receipt.event) != nil)
        await restored.close()
    }

    // Without this a full queue would grow until memory ends.
    @Test func aFullQueueRefusesAtOnce() async throws {
        let fixture = try StoreFixture()
        await (try await fixture.begin()).close()
        var limits = SQLiteStore.Limits()
        limits.queueMax = 4
        limits.ballastBytes = 0
        let store = try await fixture.open(limits: limits)
        let outcomes = await withTaskGroup(of: String.self) { group in
            for n in 0..<400 {
                group.addTask {
                    do throws(BerthError) {
                        _ = try await store.accept(fixture.delivery("k\(n)"))
                        return "accepted"
                    } catch { return error.code.rawValue }
                }
            }
            return await group.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
        }
        #expect(Set(outcomes.keys).isSubset(of: ["accepted", "overloaded"]))
        #expect(try await store.queueDepths()[.available] == outcomes["accepted"])
        await store.close()
    }

    // Without this a field could change its type under stored values.
    @Test func entitiesGrowForwardOnly() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let name = EntityName("bid")!
        try await store.define([EntityDefinition(name: name, fields: [.init("amount", .decimal)])])
        try await store.define([EntityDefinition(name: name, fields: [.init("amount", .decimal), .init("won", .boolean, isIndexed: true)])])
        #expect(try await store.entities().first { $0.name == name }?.fields.map(\.name) == ["amount", "won"])
        await #expect(throws: BerthError.self) {
            try await store.define([EntityDefinition(name: name, fields: [.init("amount", .integer)])])
        }
        await #expect(throws: BerthError.self) { try await store.define([EntityDefinition(name: name, fields: [.init("raw", .string)])]) }
        await store.close()
    }
}
