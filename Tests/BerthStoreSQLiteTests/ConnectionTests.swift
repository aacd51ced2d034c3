// Connections change by transactions of the store, never by copies that were made before.

import BerthModel
import BerthSeams
import BerthStoreSQLite
import Testing

@Suite struct ConnectionTests {
    private static let sealed = SealedSecret(keyID: "k", bytes: [1, 2, 3])
    private static let token = SealedChange(values: ["credential/token": sealed])

    // Without one transaction for reading and writing, one of two changes that meet is lost.
    @Test func changesThatMeetAreAllKept() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let revisions = try await withThrowingTaskGroup(of: UInt64.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    try await store.changeConnection(fixture.connection, secrets: SealedChange()) { connection, _ in
                        connection.consecutiveFailures += 1
                        return []
                    }.revision
                }
            }
            return try await group.reduce(into: Set<UInt64>()) { $0.insert($1) }
        }
        #expect(revisions.count == 100)
        #expect(try await store.connections()[0].consecutiveFailures == 100)
        await store.close()
    }

    // Without this a change that is refused would leave its secrets or its audit entry behind.
    @Test func aChangeThatIsRefusedLeavesNothing() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        _ = try await store.insertConnection(fixture.row(ConnectionID(fixture.clock, fixture.entropy), name: "taken"))
        let entry = AuditEntry(
            at: fixture.clock.now(), kind: "connection.changed", actor: "uid:1", connection: fixture.connection, detail: "", address: nil)
        await #expect(throws: BerthError.self) {
            try await store.changeConnection(fixture.connection, secrets: Self.token) { connection, slots in
                #expect(slots == ["credential/token"])
                connection.name = "taken"
                return [entry]
            }
        }
        await #expect(throws: BerthError.self) {
            try await store.changeConnection(fixture.connection, secrets: Self.token) { _, _ throws(BerthError) in
                throw BerthError(.invalid, "no")
            }
        }
        #expect(try await store.connections().map(\.name) == ["main", "taken"])
        #expect(try await store.allSealedSecrets().isEmpty)
        #expect(try await store.auditEntries(AuditFilter(), page: PageRequest()).items.isEmpty)
        await store.close()
    }

    // Without the refusal what was under way at the end, such as a renewed token, would outlive it.
    @Test func nothingSecretIsKeptOfADisconnectedConnection() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let version = try await store.changeConnection(fixture.connection, secrets: Self.token) { _, _ in [] }
        let ended = try await store.changeConnection(fixture.connection, secrets: SealedChange(removesAll: true)) { connection, slots in
            #expect(slots.isEmpty)
            connection.status = .disconnected
            return []
        }
        #expect(ended.revision > version.revision)
        await #expect(throws: BerthError.self) {
            try await store.setSealedSecret(Self.sealed, connection: fixture.connection, slot: "exchange-key")
        }
        #expect(try await store.allSealedSecrets().isEmpty)
        // A version before this one could leave some.
        _ = try await store.changeConnection(fixture.connection, secrets: Self.token) { _, _ in [] }
        #expect(try await store.removeStraySecrets() == 1)
        #expect(try await store.removeStraySecrets() == 0)
        #expect(try await store.deleteConnection(fixture.connection))
        await #expect(throws: BerthError.self) {
            try await store.changeConnection(fixture.connection, secrets: SealedChange()) { _, _ in [] }
        }
        await store.close()
    }
}
