// Who may send next to one provider at one server: limits per connection and class, limits all connections share, how many at
// once, pauses the provider asked for, and turns that are fair. A pure state machine; CurlOutbound drives it.

import BerthModel
import BerthSeams

/// One waiting or running request.
struct Ticket: Hashable, Sendable {
    var id: UInt64
    var connection: ConnectionID
    /// Empty: no class.
    var requestClass: String
}

/// State of one server. First come, first served within a connection and class; connections take turns.
struct RequestAdmission {
    private var lanes: [ConnectionID: RequestLane] = [:]
    /// Connections with somebody waiting, next turn first.
    private var turns: [ConnectionID] = []
    /// Connections that sent since claims were last looked at.
    private var touched: Set<ConnectionID> = []
    private var shared = LimitSet()
    private var sharedPauses: [String: Monotonic] = [:]
    private var sharedBackoffs: [String: RefusalBackoff] = [:]
    private let keptSince: Monotonic?

    /// `keptSince`: see ``LimitSet``.
    init(keptSince: Monotonic? = nil) { self.keptSince = keptSince }

    /// Tells the connection's limits; what was sent before keeps counting when they change.
    mutating func configure(_ connection: ConnectionID, _ http: PluginManifest.HTTP, now: Monotonic) {
        guard lanes[connection, default: RequestLane()].configure(http, keptSince: keptSince, now: now) else { return }
        shared.configure(http.rateLimits.filter { $0.scope == .provider }, keptSince: keptSince, now: now)
    }

    /// When the ticket could go if nothing else came before it; at once when that is not after `now`.
    mutating func estimate(_ ticket: Ticket, now: Monotonic) -> Monotonic {
        // In place: a copy of the lane would copy its logs as well.
        let own = lanes[ticket.connection]?.opening(ticket.requestClass, now: now) ?? now
        guard shared.concerns(ticket.requestClass) else { return max(own, Self.pauseEnd(sharedPauses, ticket.requestClass, now)) }
        let waiting = turns.reduce(0) { $0 + (lanes[$1]?.waitingCount ?? 0) }
        let ofClass = turns.reduce(0) { $0 + (lanes[$1]?.waiting(ticket.requestClass) ?? 0) }
        let open = shared.opening(ticket.requestClass, ahead: waiting, aheadOfClass: ofClass, now: now)
        return max(own, max(open, Self.pauseEnd(sharedPauses, ticket.requestClass, now)))
    }

    private static func pauseEnd(_ pauses: [String: Monotonic], _ requestClass: String, _ now: Monotonic) -> Monotonic {
        pauses.isEmpty ? now : max(now, max(pauses[""] ?? now, pauses[requestClass] ?? now))
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
        // Taken out for the lanes to ask: lent from within, both would be changed at once.
        var shared = LimitSet()
        swap(&shared, &self.shared)
        defer { swap(&shared, &self.shared) }
        let pauses = sharedPauses
        for (index, connection) in turns.enumerated() {
            let found = lanes[connection]?.next(now) { Self.pauseEnd(pauses, $0, now) <= now && shared.isOpen($0, now: now) }
            guard let ticket = found else { continue }
            shared.reserve(ticket.requestClass)
            touched.insert(connection)
            turns.remove(at: index)
            if lanes[connection]?.waitingCount ?? 0 > 0 { turns.append(connection) }
            return ticket
        }
        return nil
    }

    /// When `next` may find somebody again though nothing finishes; nil: nobody waits for time.
    mutating func nextOpening(_ now: Monotonic) -> Monotonic? {
        var earliest: Monotonic?
        var shared = LimitSet()
        swap(&shared, &self.shared)
        defer { swap(&shared, &self.shared) }
        let pauses = sharedPauses
        for connection in turns {
            let opening = lanes[connection]?.nextOpening(now) {
                shared.awaitsClaim($0) ? nil : max(Self.pauseEnd(pauses, $0, now), shared.opening($0, now: now))
            }
            guard let opening else { continue }
            earliest = min(earliest ?? opening, opening)
        }
        return earliest
    }

    /// Whether a ticket that was sent may be sent once more at this moment.
    mutating func hasRoom(_ ticket: Ticket, now: Monotonic) -> Bool {
        pauseEnd(ticket, now: now) <= now && shared.isOpen(ticket.requestClass, now: now)
            && lanes[ticket.connection]?.limits.isOpen(ticket.requestClass, now: now) != false
    }

    /// When the pauses that the provider asked for are over for this ticket; not after `now`: there is none.
    func pauseEnd(_ ticket: Ticket, now: Monotonic) -> Monotonic {
        max(
            Self.pauseEnd(sharedPauses, ticket.requestClass, now),
            Self.pauseEnd(lanes[ticket.connection]?.pauses ?? [:], ticket.requestClass, now))
    }

    /// Seconds for which a connection waits because it was asked to; those that share a pause each.
    func pausesLeft(_ now: Monotonic) -> [ConnectionID: Double] {
        let shared = sharedPauses.values.max() ?? now
        return lanes.mapValues { Double(max(shared, $0.pauses.values.max() ?? now) - now) / 1e9 }
    }

    /// Ends the connection's pauses and those it shares; answers what they were of: classes, and whether shared.
    mutating func endPauses(_ connection: ConnectionID) -> [(requestClass: String, isShared: Bool)] {
        let own = lanes[connection]?.endPauses() ?? []
        defer {
            sharedPauses = [:]
            sharedBackoffs = [:]
        }
        return own.map { ($0, false) } + sharedPauses.keys.map { ($0, true) }
    }

    /// The ticket's request goes out now; called again when it goes out twice.
    mutating func sending(_ ticket: Ticket, isFirst: Bool, now: Monotonic) {
        lanes[ticket.connection]?.limits.sending(ticket.requestClass, isFirst: isFirst, now: now)
        shared.sending(ticket.requestClass, isFirst: isFirst, now: now)
    }

    /// The ticket is done; what never went out does not count.
    mutating func finish(_ ticket: Ticket, wasSent: Bool) {
        lanes[ticket.connection]?.finish(ticket, wasSent: wasSent)
        if !wasSent { shared.refund(ticket.requestClass) }
    }

    /// Nothing of this connection (and class, unless empty) goes before `time`; nor of any other when they share a limit of
    /// that class: then answers true.
    @discardableResult
    mutating func pause(_ connection: ConnectionID, requestClass: String, until time: Monotonic) -> Bool {
        guard !shared.concerns(requestClass) else {
            sharedPauses[requestClass] = max(sharedPauses[requestClass] ?? time, time)
            return true
        }
        lanes[connection]?.pause(requestClass, until: time)
        return false
    }

    /// The ticket's request, which went out at `sent`, was refused with a 429 that says nothing more: nanoseconds for which to hold back
    /// what `pause` would; nil: as long as is known already.
    mutating func refused(_ ticket: Ticket, sent: Monotonic, now: Monotonic, random: UInt64) -> Int64? {
        guard !shared.concerns(ticket.requestClass) else {
            return sharedBackoffs[ticket.requestClass, default: RefusalBackoff()].refused(sent: sent, now: now, random: random)
        }
        return lanes[ticket.connection]?.backoffs[ticket.requestClass, default: RefusalBackoff()].refused(
            sent: sent, now: now, random: random)
    }

    /// The ticket's request, which went out at `sent`, was not refused.
    mutating func accepted(_ ticket: Ticket, sent: Monotonic) {
        sharedBackoffs[ticket.requestClass]?.accepted(sent: sent)
        lanes[ticket.connection]?.backoffs[ticket.requestClass]?.accepted(sent: sent)
    }

    /// Drops a connection that has nothing under way and nothing that still counts.
    mutating func prune(_ connection: ConnectionID, now: Monotonic) {
        if lanes[connection]?.isIdle(now) == true { lanes[connection] = nil }
    }

    /// Limits and pauses as an operator sees them: the connection's own, then the shared ones.
    mutating func views(_ connection: ConnectionID, now: Monotonic) -> (limits: [LimitView], pauses: [String: Double]) {
        let own = lanes[connection]?.limits.views(now: now) ?? []
        let ends = (lanes[connection]?.pauses ?? [:]).merging(sharedPauses, uniquingKeysWith: max).filter { $0.value > now }
        return (own + shared.views(now: now), ends.mapValues { Double($0 - now) / 1e9 })
    }

    // MARK: What is kept

    /// What of a connection's limits, or of the shared ones, is to be written down.
    typealias Kept = (connection: ConnectionID?, limit: LimitSet.Kept)

    /// Claims to be written before those who wait can go.
    mutating func claimsDue(_ now: Monotonic) -> [Kept] {
        guard keptSince != nil else { return [] }
        var due: [Kept] = []
        var waiting: Set<String> = []
        for connection in touched.union(turns) {
            guard shared.hasClaims || lanes[connection]?.limits.hasClaims == true, let classes = lanes[connection]?.waitingClasses else {
                continue
            }
            waiting.formUnion(classes)
            due += lanes[connection]?.limits.claimsDue(waiting: classes, now: now).map { (connection, $0) } ?? []
        }
        touched.removeAll(keepingCapacity: true)
        return due + shared.claimsDue(waiting: waiting, now: now).map { (nil, $0) }
    }

    /// A claim is written down.
    mutating func claim(_ kept: Kept) {
        if let connection = kept.connection { lanes[connection]?.limits.claim(kept.limit) } else { shared.claim(kept.limit) }
    }

    /// What counts now, for a later start; without connection: limits that all share.
    func memory(_ now: Monotonic) -> [Kept] {
        lanes.flatMap { connection, lane in lane.limits.memory(now).map { (connection, $0) } } + shared.memory(now).map { (nil, $0) }
    }

    /// Takes up what counted, or was paused, before a restart; before or after `configure`.
    mutating func remember(_ mark: RestoredMark) {
        let key = mark.key
        switch (key.connection, key.windowSeconds == 0) {
        case (let connection?, true): lanes[connection, default: RequestLane()].pause(key.requestClass, until: mark.pauseEnd)
        case (nil, true): sharedPauses[key.requestClass] = max(sharedPauses[key.requestClass] ?? mark.pauseEnd, mark.pauseEnd)
        case (let connection?, false):
            lanes[connection, default: RequestLane()].limits.remember(
                windowSeconds: key.windowSeconds, requestClass: key.requestClass, mark.sent, now: mark.at)
        case (nil, false):
            shared.remember(windowSeconds: key.windowSeconds, requestClass: key.requestClass, mark.sent, now: mark.at)
        }
    }
}
