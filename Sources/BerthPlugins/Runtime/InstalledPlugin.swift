// One plugin's place in the runtime: the generation in service, the one before it, and what is wrong. Pure state.

import BerthModel
import BerthSeams

/// An installed plugin, by value.
struct InstalledPlugin: Sendable {
    /// Bundle folder.
    var path: String
    /// In service; nil while the bundle was refused.
    var current: PluginGeneration?
    /// Since when.
    var currentSince = ContinuousClock.now
    /// What a rollback goes back to.
    var previous: PluginGeneration?
    /// Loads so far.
    var loads = 0
    /// Why it is not in service, or the last load failed.
    var problem: BerthError?
    /// Workers that died since the daemon began.
    var restarts = 0
    /// Recent deaths: when, and on what.
    var deaths: [(at: ContinuousClock.Instant, blamed: String)] = []
    /// Out of service until then.
    var quarantinedUntil: ContinuousClock.Instant?

    /// Notes a death; true at once while the version is on probation and there is one to go back to, otherwise when it
    /// makes the version unfit: `limit` deaths on as many different pieces of work within `window`. Deaths on one event are
    /// that event's fault, and it is parked for them.
    mutating func noteDeath(on blamed: String, at now: ContinuousClock.Instant, limit: Int, window: Duration, probation: Duration) -> Bool {
        deaths = deaths.filter { now - $0.at < window }
        deaths.append((now, blamed))
        if previous != nil, now - currentSince < probation { return true }
        return Set(deaths.map(\.blamed)).count >= limit
    }
}
