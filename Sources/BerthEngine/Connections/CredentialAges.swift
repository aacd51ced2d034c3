// How old the secrets of connections are, and which are due for new ones. It only tells: nothing stops working by age.

public import BerthModel
public import BerthSeams

/// Ages of credentials. Reads the store each time: it is asked by people and scrapes, not by requests.
public struct CredentialAges: Sendable {
    let store: any Store
    let host: any PluginHost
    let directory: ConnectionDirectory
    let clock: any WallClock
    /// 0: never due, unless a manifest says otherwise.
    let rotationDays: Int

    /// Ages by a clock.
    public init(store: any Store, host: any PluginHost, directory: ConnectionDirectory, clock: any WallClock, rotationDays: Int) {
        self.store = store
        self.host = host
        self.directory = directory
        self.clock = clock
        self.rotationDays = rotationDays
    }

    /// The credentials of one connection.
    public struct Age: Sendable, Hashable {
        /// When the oldest that counts was set; nil: there is none.
        public var setAt: Timestamp?
        /// Whole days since then.
        public var days: Int?
        /// Whether it is time for new ones.
        public var isDue = false
        /// When the key of deliveries was set.
        public var webhookSetAt: Timestamp?
    }

    /// By connection; of one, or of all.
    public func ages(of connection: ConnectionID? = nil) async throws(BerthError) -> [ConnectionID: Age] {
        let now = clock.now()
        var ages: [ConnectionID: Age] = [:]
        for (id, slots) in try await store.secretTimes(of: connection) {
            guard let owner = directory.connection(id) else { continue }
            let spec = host.manifest(of: owner.provider)?.credentials.first { $0.kind == owner.credentialKind }
            var age = Age(webhookSetAt: slots[SecretSlot.webhook(index: 0).text])
            age.setAt = slots.filter { Self.counts($0.key, spec, owner.credentialKind) }.values.min()
            age.days = age.setAt.map { Int(max(0, now.milliseconds - $0.milliseconds) / 86_400_000) }
            let limit = spec?.rotationDays ?? rotationDays
            age.isDue = limit > 0 && (age.days ?? 0) >= limit
            ages[id] = age
        }
        return ages
    }

    /// Those that are due, oldest first.
    public func due() async throws(BerthError) -> [(connection: Connection, age: Age)] {
        try await ages().compactMap { id, age in age.isDue ? directory.connection(id).map { (connection: $0, age: age) } : nil }
            .sorted {
                ($0.age.setAt?.milliseconds ?? 0, $0.connection.id.description) < (
                    $1.age.setAt?.milliseconds ?? 0, $1.connection.id.description
                )
            }
    }

    /// What the daemon makes itself does not count: tokens, the key of exchanges, and keys of deliveries, which a person changes at
    /// both ends when a leak is feared.
    private static func counts(_ slot: String, _ spec: CredentialSpec?, _ kind: CredentialSpec.Kind?) -> Bool {
        if slot.hasPrefix("setting/") { return true }
        guard slot.hasPrefix("credential/") else { return false }
        // Without its plugin a connection still has its kind.
        return (spec ?? kind.map { CredentialSpec(kind: $0, placements: []) })?.isRotated(String(slot.dropFirst(11))) ?? true
    }
}
