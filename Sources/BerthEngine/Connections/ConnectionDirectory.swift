// All connections in memory, for the paths that cannot wait for the store: every webhook and every dispatch round
// looks here. Holds no secrets and stores nothing; who changes a connection stores it first and tells this after.

public import BerthModel
import BerthSeams
import Synchronization

/// The connections of this daemon. Readers take an immutable snapshot under a short lock; all methods may be called
/// from any thread.
public final class ConnectionDirectory: Sendable {
    /// One version of a connection.
    final class Entry: Sendable {
        let connection: Connection
        /// Of the commit that it comes from; 0: from before this process.
        let revision: UInt64
        /// What its deliveries are judged by, read when the first one comes. A changed connection has a new entry, so
        /// this can't outlive what it was made from.
        let policy = Mutex<WebhookPolicy?>(nil)

        init(_ connection: Connection, revision: UInt64 = 0, access: UInt64) {
            var connection = connection
            connection.accessRevision = access
            self.connection = connection
            self.revision = revision
        }

        /// The same with another access; also takes what is kept with it away.
        func with(access: UInt64) -> Entry { Entry(connection, revision: revision, access: access) }
    }

    private final class Snapshot: Sendable {
        let byID: [ConnectionID: Entry]
        /// By provider and name; one of each workspace that has the name.
        let byName: [String: [String: [Entry]]]
        /// Where a provider has one connection.
        let sole: [String: Entry]
        let providers: Set<String>

        init(_ byID: [ConnectionID: Entry]) {
            self.byID = byID
            var byName: [String: [String: [Entry]]] = [:]
            var counts: [String: Int] = [:]
            var sole: [String: Entry] = [:]
            for entry in byID.values {
                let provider = entry.connection.provider.text
                counts[provider, default: 0] += 1
                sole[provider] = entry
                byName[provider, default: [:]][entry.connection.name, default: []].append(entry)
            }
            self.byName = byName
            self.sole = sole.filter { counts[$0.key] == 1 }
            providers = Set(counts.keys)
        }
    }

    private struct State {
        var snapshot = Snapshot([:])
        var version: UInt64 = 0
        var lastAccess: UInt64 = 0

        mutating func nextAccess() -> UInt64 {
            lastAccess += 1
            return lastAccess
        }
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
    /// The provider's connection while it has exactly one.
    public func soleConnection(of provider: ProviderName) -> Connection? { snapshot.sole[provider.text]?.connection }
    /// Counts changes; equal numbers mean that nothing changed in between.
    public var version: UInt64 { state.withLock { $0.version } }

    /// What a webhook path names: an id, a name that one workspace has, or nothing while the provider has one connection.
    func entry(provider: String, connection: String?) -> Entry? {
        let entries = entries(provider: provider, connection: connection)
        return entries.count == 1 ? entries[0] : nil
    }

    /// All that a webhook path may mean: several when workspaces gave their connections the same name.
    func entries(provider: String, connection: String?) -> [Entry] {
        let snapshot = snapshot
        guard let connection else { return snapshot.sole[provider].map { [$0] } ?? [] }
        // What has an id's form is one: else a connection named like another's id, from before such names were refused, would take its
        // deliveries away.
        guard let id = ConnectionID(connection) else { return snapshot.byName[provider]?[connection] ?? [] }
        guard let entry = snapshot.byID[id], entry.connection.provider.text == provider else { return [] }
        return [entry]
    }

    /// Whether any connection has that provider.
    func hasConnections(of provider: String) -> Bool { snapshot.providers.contains(provider) }

    /// Forgets all and holds these.
    public func replace(with connections: [Connection]) {
        change { byID, state in
            byID = Dictionary(connections.map { ($0.id, Entry($0, access: state.nextAccess())) }, uniquingKeysWith: { $1 })
        }
    }

    /// Adds a connection, or replaces the one with its id.
    public func insert(_ connection: Connection, revision: UInt64 = 0) {
        change { byID, state in byID[connection.id] = Entry(connection, revision: revision, access: state.nextAccess()) }
    }

    /// Takes what a commit made of a connection, unless a later one is here already; does nothing when it is gone. What was kept
    /// with the entry is read anew either way: the keys may have changed.
    func take(_ version: ConnectionVersion) {
        let id = version.connection.id
        change { byID, _ in
            guard let known = byID[id] else { return }
            let access = known.connection.accessRevision
            byID[id] =
                known.revision > version.revision
                ? known.with(access: access) : Entry(version.connection, revision: version.revision, access: access)
        }
    }

    /// Before a commit that changes a connection's address or credential: until `resume` nothing begins with either, because which of
    /// the two is the new one can't be told from here.
    func suspend(_ id: ConnectionID) {
        change { byID, _ in byID[id] = byID[id]?.with(access: 0) }
    }

    /// After that commit was taken, or failed, and what was kept of the old ones is forgotten.
    func resume(_ id: ConnectionID) {
        change { byID, state in byID[id] = byID[id]?.with(access: state.nextAccess()) }
    }

    /// Which address and credential are in service; nil: there is no such connection.
    public func accessRevision(of id: ConnectionID) -> UInt64? { connection(id)?.accessRevision }

    /// Forgets a connection.
    public func remove(_ id: ConnectionID) {
        change { byID, _ in byID[id] = nil }
    }

    private func change(_ body: (inout [ConnectionID: Entry], inout State) -> Void) {
        state.withLock { state in
            state.version += 1
            var byID = state.snapshot.byID
            body(&byID, &state)
            state.snapshot = Snapshot(byID)
        }
    }
}
