// Applies record changes inside a transaction and says what became of them: counts, and notices where asked.

import BerthModel
import BerthSeams
import GRDB

extension Writer {
    /// The table of an entity; defined by `SQLiteStore.define` before.
    func table(_ entity: EntityName) throws -> RecordTable {
        if let table = tables[entity] { return table }
        guard let definition = try EntityTables.all(database).first(where: { $0.name == entity }) else {
            throw BerthError(.invalid, "there is no entity '\(entity)'", hint: "the manifest's streams and [[entities]] must agree")
        }
        guard let connection = database.sqliteConnection else { throw BerthError(.internal, "the writer has no connection") }
        let table = try RecordTable(definition, connection)
        tables[entity] = table
        return table
    }

    /// Applies changes with a notice for each one that changed something: for events and actions.
    func applyOneByOne(_ changes: [EntityChange], _ connection: ConnectionID, now: Timestamp) throws -> (RunCounts, [Notice]) {
        let owner = try owner(connection)
        var counts = RunCounts()
        var notices: [Notice] = []
        for one in changes {
            let effect = try table(one.entity).apply(one.change, owner: owner.number, run: nil, now: now) { RecordID(clock, entropy) }
            counts.add(effect)
            let (topic, id): (Notice.Topic, RecordID)
            switch effect {
            case .created(let record): (topic, id) = (.recordCreated, record)
            case .updated(let record): (topic, id) = (.recordUpdated, record)
            case .deleted(let record): (topic, id) = (.recordDeleted, record)
            case .unchanged: continue
            }
            let data = JSONValue.object([
                "entity": .string(one.entity.text), "id": .string(id.description), "external_id": .string(one.change.externalID),
            ])
            notices.append(try notice(topic, connection, owner, at: now, data: data.text))
        }
        return (counts, notices)
    }

    /// Applies one page of a sync. A record that does not fit is counted as failed and the rest goes on; one notice
    /// tells of the whole page: a notice per record would double the writes of a bulk sync.
    func applyPage(
        _ changes: [EntityChange], _ connection: ConnectionID, run: RunID, runNumber: Int64?, stream: StreamName, now: Timestamp
    ) throws -> (RunCounts, [Notice], firstProblem: String?) {
        let owner = try owner(connection)
        var counts = RunCounts()
        var problem: String?
        for one in changes {
            do {
                let table = try table(one.entity)
                counts.add(try table.apply(one.change, owner: owner.number, run: runNumber, now: now) { RecordID(clock, entropy) })
            } catch let error as BerthError where error.code == .invalid {
                counts.processed += 1
                counts.failed += 1
                problem = problem ?? "\(one.change.externalID): \(error.message)"
            }
        }
        guard counts.created + counts.updated + counts.deleted > 0, let entity = changes.first?.entity else { return (counts, [], problem) }
        let data = JSONValue.object([
            "entity": .string(entity.text), "stream": .string(stream.text), "run": .string(run.description),
            "created": .integer(Int64(counts.created)), "updated": .integer(Int64(counts.updated)),
            "deleted": .integer(Int64(counts.deleted)),
        ])
        return (counts, [try notice(.recordsChanged, connection, owner, at: now, data: data.text)], problem)
    }
}

extension RunCounts {
    mutating func add(_ effect: RecordTable.Effect) {
        processed += 1
        switch effect {
        case .created: created += 1
        case .updated: updated += 1
        case .deleted: deleted += 1
        case .unchanged: unchanged += 1
        }
    }
}
