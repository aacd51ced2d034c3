// Who may hold an event that is larger than a whole batch of others: a few connections at a time, in turn, so that memory does not
// grow with the number of lanes. Pure; the dispatcher starts the lanes.

import BerthModel

/// Turns of connections with large events.
struct LargeTurns {
    private let turnsMax: Int
    private var holders: Set<ConnectionID> = []
    private var waiting: [ConnectionID] = []

    init(turnsMax: Int = 4) { self.turnsMax = turnsMax }

    /// Whether the connection has a turn.
    func isTurn(of connection: ConnectionID) -> Bool { holders.contains(connection) }

    /// Takes a turn, or lines up for one.
    mutating func take(_ connection: ConnectionID) -> Bool {
        if holders.contains(connection) { return true }
        guard holders.count < turnsMax else {
            if !waiting.contains(connection) { waiting.append(connection) }
            return false
        }
        waiting.removeAll { $0 == connection }
        holders.insert(connection)
        return true
    }

    /// Ends the connection's turn, if it has one; answers whose turn it is now.
    mutating func giveUp(_ connection: ConnectionID) -> ConnectionID? {
        guard holders.remove(connection) != nil, !waiting.isEmpty else { return nil }
        let next = waiting.removeFirst()
        holders.insert(next)
        return next
    }
}
