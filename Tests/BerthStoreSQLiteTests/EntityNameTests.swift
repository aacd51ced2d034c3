// Names of entities' tables and indexes, and databases that were made before no two could be alike.

import BerthModel
import BerthSeams
import BerthStoreSQLite
import Foundation
import Testing

@Suite struct EntityNameTests {
    private func entity(_ name: String, _ field: String) -> EntityDefinition {
        EntityDefinition(name: EntityName(name)!, fields: [FieldDefinition(field, .string, isIndexed: true)])
    }

    // Without this a database with `bid-x` would lose sight of its records, or keep indexes that stand in the way of other entities.
    @Test func anOlderDatabaseKeepsItsRecordsUnderTheNewNames() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        try await store.define([entity("bid-x", "y")])
        var change = fixture.change("k1", #"{"y":"kept"}"#)
        change.entity = EntityName("bid-x")!
        _ = try await store.apply([change], connection: fixture.connection, now: fixture.clock.now())
        await store.close()
        // As version 5 had it.
        _ = try python(
            """
            d.executescript('DROP INDEX "index_bid$x$y"; ALTER TABLE entity_bid$x RENAME TO entity_bid_x; '
                            'CREATE INDEX entity_bid_x_y ON entity_bid_x ("y") WHERE "y" IS NOT NULL; '
                            'DROP INDEX index_call$status; CREATE INDEX entity_call_status ON entity_call ("status"); DROP TABLE boot; '
                            'ALTER TABLE request DROP COLUMN reason; ALTER TABLE event DROP COLUMN unproven; PRAGMA user_version=5')
            """, fixture.path)
        let again = try await fixture.open()
        try await again.define([entity("bid_x", "y"), entity("call_status", "x"), entity("bid", "x_y")])
        let page = try await again.records(EntityName("bid-x")!, RecordQuery(), page: PageRequest())
        #expect(page.items.map(\.externalID) == ["k1"] && page.items.first?.fields["y"] == .string("kept"))
        #expect(try await again.recordCount(EntityName("bid_x")!) == 0)
        await again.close()
        let indexes = try python(
            "print(*[r[0] for r in d.execute(\"select name from sqlite_master where type='index' and sql is not null\")])", fixture.path)
        for name in ["index_bid$x$y", "index_bid_x$y", "index_bid$x_y", "index_call$status", "index_call_status$x"] {
            #expect(indexes.split(whereSeparator: \.isWhitespace).contains(Substring(name)), "\(name) in \(indexes)")
        }
        #expect(!indexes.contains("entity_"))
    }

    // Without this one plugin's impossible entity would look like trouble of the store, and end the daemon.
    @Test func whatCannotBeATableIsTheEntitysFault() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.begin()
        let wide = EntityDefinition(name: EntityName("wide")!, fields: (0..<2100).map { FieldDefinition("f\($0)", .string) })
        await #expect { try await store.define([wide]) } throws: { ($0 as? BerthError)?.code == .invalid }
        await #expect { try await store.define([entity("lead", "id")]) } throws: { ($0 as? BerthError)?.code == .invalid }
        #expect(try await !store.entities().map(\.name.text).contains("wide"))
        await store.close()
    }
}
