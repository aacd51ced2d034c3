// From the stream names a plugin emits to the entities they become, by the manifest.

import BerthModel
import BerthSeams

/// The streams of one plugin and their entities.
struct StreamEntities: Sendable {
    private let entities: [StreamName: EntityName]

    init(_ manifest: PluginManifest) {
        entities = Dictionary(manifest.streams.map { ($0.name, $0.entity) }, uniquingKeysWith: { first, _ in first })
    }

    /// The changes with their entities; a stream the manifest does not declare is a defect of the plugin.
    func changes(_ records: [RecordChange]) -> Result<[EntityChange], AttemptFailure> {
        var changes: [EntityChange] = []
        changes.reserveCapacity(records.count)
        for record in records {
            guard let entity = entities[record.stream] else {
                return .failure(
                    AttemptFailure(
                        .internal, "the plugin emitted a record for stream '\(record.stream)', which its manifest does not declare"))
            }
            changes.append(EntityChange(entity: entity, change: record))
        }
        return .success(changes)
    }
}
