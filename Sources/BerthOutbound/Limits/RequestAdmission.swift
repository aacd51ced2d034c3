// Who may send next to one provider: limits per connection and class, limits all connections share, how many at
// once, pauses the provider asked for, and turns that are fair. A pure state machine; CurlOutbound drives it.

import BerthModel

/// One waiting or running request.
struct Ticket: Hashable, Sendable {
    var id: UInt64
    var connection: ConnectionID
    /// Empty: no class.
    var requestClass: String
}

/// State of one provider. First come, first served within a connection and class; connections take turns.
struct RequestAdmission {
    private var lanes: [ConnectionID: RequestLane] = [:]
    /// Connections with somebody waiting, next turn first.
    private var turns: [ConnectionID] = []
    private var shared: [SlidingWindow]
    private let sharedLimits: [PluginManifest.RateLimit]

    /// `shared` holds for all connections together.
    init(shared: [PluginManifest.RateLimit] = []) {
        self.shared = shared.map(SlidingWindow.init)
        sharedLimits = shared
    }

    /// Tells the connection's limits; what was sent before keeps counting when they change.
    mutating func configure(_ connection: ConnectionID, _ http: PluginManifest.HTTP, now: Monotonic) {
        lanes[connection, default: RequestLane()].configure(http, now: now)
    }

    /// When the ticket could go if nothing else came before it; at once when that is not after `now`.
    mutating func estimate(_ ticket: Ticket, now: Monotonic) -> Monotonic {
        // In place: a copy of the lane would copy its logs as well.
        var time = lanes[ticket.connection]?.opening(ticket.requestClass, now: now) ?? now
        guard !shared.isEmpty else { return time }
        let waiting = turns.reduce(0) { $0 + (lanes[$1]?.waitingCount ?? 0) }
        for index in shared.indices { time = max(time, shared[index].opening(now, ahead: waiting)) }
        return time
    }

    /// Puts a ticket at the end of its queue.
    mutating func enqueue(_ ticket: Ticket) {
        if lanes[ticket.connection]?.waitingCount ?? 0 == 0 { turns.append(ticket.connection) }
        lanes[ticket.connection, default: RequestLane()].enqueue(ticket)
    }

    /// Takes a waiting ticket out; false when it does not wait.
    mutating func withdraw(_ ticket: Ticket) -> Bool {
        guard lanes[ticket.connection]?.withdraw(ticket) == true else { return false }
        if lanes[ticket.connection]?.waitingCount == 0 { turns.removeAll { $0 == ticket.connection } }
        return true
    }

    /// The next ticket that may go now, counted as running; nil: none may.
    mutating func next(_ now: Monotonic) -> Ticket? {
        guard shared.indices.allSatisfy({ shared[$0].isOpen(now) }) else { return nil }
        for (index, connection) in turns.enumerated() {
            guard let ticket = lanes[connection]?.next(now) else { continue }
            for window in shared.indices { shared[window].reserve() }
            turns.remove(at: index)
            if lanes[connection]?.waitingCount ?? 0 > 0 { turns.append(connection) }
            return ticket
        }
        return nil
    }

    /// When `next` may find somebody again though nothing finishes; nil: nobody waits for time.
    mutating func nextOpening(_ now: Monotonic) -> Monotonic? {
        guard !turns.isEmpty else { return nil }
        var earliest: Monotonic?
        for connection in turns {
            guard let time = lanes[connection]?.nextOpening(now) else { continue }
            earliest = min(earliest ?? time, time)
        }
        guard var time = earliest else { return nil }
        for index in shared.indices { time = max(time, shared[index].opening(now)) }
        return time
    }

    /// The ticket's request goes out now; called again when it goes out twice.
    mutating func sending(_ ticket: Ticket, isFirst: Bool, now: Monotonic) {
        lanes[ticket.connection]?.sending(ticket, isFirst: isFirst, now: now)
        for index in shared.indices {
            if isFirst { shared[index].send(now) } else { shared[index].record(now) }
        }
    }

    /// The ticket is done; what never went out does not count.
    mutating func finish(_ ticket: Ticket, wasSent: Bool) {
        lanes[ticket.connection]?.finish(ticket, wasSent: wasSent)
        if !wasSent { for index in shared.indices { shared[index].refund() } }
    }

    /// Nothing of this connection (and class, unless empty) goes before `time`.
    mutating func pause(_ connection: ConnectionID, requestClass: String, until time: Monotonic) {
        lanes[connection]?.pause(requestClass, until: time)
    }

    /// Drops a connection that has nothing under way and nothing that still counts.
    mutating func prune(_ connection: ConnectionID, now: Monotonic) {
        if lanes[connection]?.isIdle(now) == true { lanes[connection] = nil }
    }

    /// What counts now, for a later start; without connection: limits that all share.
    func memory(_ now: Monotonic) -> [(connection: ConnectionID?, limit: PluginManifest.RateLimit, sent: [SentRequests])] {
        lanes.flatMap { connection, lane in lane.memory(now).map { (connection, $0.limit, $0.sent) } }
            + zip(sharedLimits, shared).map { (nil, $0, $1.memory(now)) }.filter { !$0.2.isEmpty }
    }

    /// Takes up what counted before a restart; before or after `configure`.
    mutating func remember(
        _ connection: ConnectionID?, _ limit: PluginManifest.RateLimit, _ sent: [SentRequests], now: Monotonic
    ) {
        if let connection {
            lanes[connection, default: RequestLane()].remember(limit, sent, now: now)
        } else if let index = sharedLimits.firstIndex(where: { $0.windowSeconds == limit.windowSeconds }) {
            shared[index].remember(sent, now: now)
        }
    }
}
