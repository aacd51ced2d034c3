// All connections in memory, for the paths that cannot wait for the store: every webhook and every dispatch round
// looks here. Holds no secrets and stores nothing; who changes a connection stores it first and tells this after.

public import BerthModel
import Synchronization

/// The connections of this daemon. Readers take an immutable snapshot under a short lock; all methods may be called
/// from any thread.
public final class ConnectionDirectory: Sendable {
    /// One version of a connection.
    final class Entry: Sendable {
        let connection: Connection
        /// What its deliveries are judged by, read when the first one comes. A changed connection has a new entry, so
        /// this can't outlive what it was made from.
        let policy = Mutex<WebhookPolicy?>(nil)

        init(_ connection: Connection) { self.connection = connection }
    }

    private final class Snapshot: Sendable {
        let byID: [ConnectionID: Entry]
        /// By provider and name; names that stand in several workspaces are left out: those go by id.
        let byName: [String: [String: Entry]]
        /// Where a provider has one connection.
        let sole: [String: Entry]
        let providers: Set<String>

        init(_ byID: [ConnectionID: Entry]) {
            self.byID = byID
            var byName: [String: [String: Entry]] = [:]
            var ambiguous: Set<String> = []
            var counts: [String: Int] = [:]
            var sole: [String: Entry] = [:]
            for entry in byID.values {
                let provider = entry.connection.provider.text
                let name = entry.connection.name
                counts[provider, default: 0] += 1
                sole[provider] = entry
                if byName[provider, default: [:]].updateValue(entry, forKey: name) != nil { ambiguous.insert("\(provider)/\(name)") }
            }
            for key in ambiguous {
                let parts = key.split(separator: "/", maxSplits: 1)
                byName[String(parts[0])]?[String(parts[1])] = nil
            }
            self.byName = byName
            self.sole = sole.filter { counts[$0.key] == 1 }
            providers = Set(counts.keys)
        }
    }

    private struct State {
        var snapshot = Snapshot([:])
        var version: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Empty.
    public init() {}

    private var snapshot: Snapshot { state.withLock { $0.snapshot } }

    /// One connection.
    public func connection(_ id: ConnectionID) -> Connection? { snapshot.byID[id]?.connection }
    /// All, by provider, name and id.
    public func connections() -> [Connection] {
        snapshot.byID.values.map(\.connection).sorted { ($0.provider.text, $0.name, $0.id) < ($1.provider.text, $1.name, $1.id) }
    }
    /// The connection of a provider with that name, if only one workspace has it.
    public func connection(provider: ProviderName, name: String) -> Connection? { snapshot.byName[provider.text]?[name]?.connection }
    /// The provider's connection while it has exactly one.
    public func soleConnection(of provider: ProviderName) -> Connection? { snapshot.sole[provider.text]?.connection }
    /// Counts changes; equal numbers mean that nothing changed in between.
    public var version: UInt64 { state.withLock { $0.version } }

    /// What a webhook path names: an id, a name, or nothing while the provider has one connection.
    func entry(provider: String, connection: String?) -> Entry? {
        let snapshot = snapshot
        guard let connection else { return snapshot.sole[provider] }
        if let entry = snapshot.byName[provider]?[connection] { return entry }
        guard let id = ConnectionID(connection), let entry = snapshot.byID[id], entry.connection.provider.text == provider else {
            return nil
        }
        return entry
    }

    /// Whether any connection has that provider.
    func hasConnections(of provider: String) -> Bool { snapshot.providers.contains(provider) }

    /// Forgets all and holds these.
    public func replace(with connections: [Connection]) {
        change { byID in
            byID = Dictionary(connections.map { ($0.id, Entry($0)) }, uniquingKeysWith: { $1 })
        }
    }

    /// Adds a connection, or replaces the one with its id.
    public func insert(_ connection: Connection) {
        change { byID in byID[connection.id] = Entry(connection) }
    }

    /// Changes a connection in place; does nothing when it is gone.
    public func update(_ id: ConnectionID, _ body: (inout Connection) -> Void) {
        change { byID in
            guard var connection = byID[id]?.connection else { return }
            body(&connection)
            byID[id] = Entry(connection)
        }
    }

    /// Forgets a connection.
    public func remove(_ id: ConnectionID) {
        change { byID in byID[id] = nil }
    }

    private func change(_ body: (inout [ConnectionID: Entry]) -> Void) {
        state.withLock { state in
            state.version += 1
            var byID = state.snapshot.byID
            body(&byID)
            state.snapshot = Snapshot(byID)
        }
    }
}
