// Who may sync now. Runs mostly wait for providers, and one that never answers makes each of its runs wait for minutes: its runs
// must not take all places, nor must those of a few of its connections take all that are the provider's.

import BerthModel
import BerthSeams

/// Places of runs: who holds one, and who of those that wait gets the next. No clock, no store.
///
/// A provider holds at most as many places as it leaves free: alone it takes half of all, the next one half of the rest, and so on,
/// so that several silent providers still leave a place. Who holds least comes first, providers before connections, then who waits
/// longest. Connections in `error` take at most a quarter together with others of their provider.
struct RunTurns {
    /// Who asks for a place.
    struct Claimant: Sendable, Hashable {
        let id: RunID
        let connection: ConnectionID
        let provider: ProviderName
        /// Whether its last runs failed.
        let isErring: Bool
    }

    /// One provider's runs share a worker, which does 32 operations at once: reads leave half of them to events and actions.
    private static let providerMax = 16

    private let runsMax: Int
    private var held: [RunID: Claimant] = [:]
    private var ofProvider: [ProviderName: Int] = [:]
    private var ofConnection: [ConnectionID: Int] = [:]
    private var erring: [ProviderName: Int] = [:]

    /// `runsMax` places.
    init(runsMax: Int) { self.runsMax = runsMax }

    /// Whether anybody could get a place.
    var hasRoom: Bool { held.count < runsMax }

    /// Gives places to some of `waiting`, which stand in the order of their coming; answers whom.
    mutating func take(from waiting: [Claimant]) -> [RunID] {
        var waiting = waiting.filter { held[$0.id] == nil }
        var taken: [RunID] = []
        while let index = next(of: waiting) {
            let claimant = waiting.remove(at: index)
            note(claimant, 1)
            held[claimant.id] = claimant
            taken.append(claimant.id)
        }
        return taken
    }

    /// Gives a place back; nothing for those that hold none.
    mutating func leave(_ id: RunID) {
        guard let claimant = held.removeValue(forKey: id) else { return }
        note(claimant, -1)
    }

    private mutating func note(_ claimant: Claimant, _ change: Int) {
        ofProvider[claimant.provider, default: 0] += change
        ofConnection[claimant.connection, default: 0] += change
        if claimant.isErring { erring[claimant.provider, default: 0] += change }
    }

    private func next(of waiting: [Claimant]) -> Int? {
        let free = runsMax - held.count
        guard free > 0 else { return nil }
        return waiting.indices.filter { mayBegin(waiting[$0], free) }.min { load(of: waiting[$0]) < load(of: waiting[$1]) }
    }

    private func mayBegin(_ claimant: Claimant, _ free: Int) -> Bool {
        guard ofProvider[claimant.provider, default: 0] < min(free, Self.providerMax) else { return false }
        return !claimant.isErring || erring[claimant.provider, default: 0] < max(1, min(runsMax / 4, Self.providerMax / 2))
    }

    private func load(of claimant: Claimant) -> (Int, Int) {
        (ofProvider[claimant.provider, default: 0], ofConnection[claimant.connection, default: 0])
    }
}
