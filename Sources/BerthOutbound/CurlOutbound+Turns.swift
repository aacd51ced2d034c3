// Waiting: for a turn under the limits, and between tries. Drives RequestAdmission, which decides.

import BerthModel
import BerthSeams
import CCurl

/// What came of waiting for a turn.
enum Turn: Sendable {
    case go
    /// Not before the deadline; nanoseconds until it could be.
    case late(Int64)
    case cancelled
    case closing
}

extension CurlOutbound {
    /// Waits until the limits let the ticket go, in turn.
    func admit(_ ticket: Ticket, _ target: OutboundTarget, _ server: LimitedServer, deadline: Monotonic) async -> Turn {
        let now = Monotonic.now()
        // Each time, because the connection may have been forgotten meanwhile; cheap when nothing changed.
        if admissions[server] == nil { admissions[server] = makeAdmission(server) }
        admissions[server]?.configure(ticket.connection, target.http, now: now)
        let estimate = admissions[server]?.estimate(ticket, now: now) ?? now
        if estimate >= deadline { return .late(estimate - now) }
        if Task.isCancelled { return .cancelled }
        if turns.count >= configuration.maxWaiting { return .late(1_000_000_000) }
        admissions[server]?.enqueue(ticket)
        pump(server)
        if readyTurns.remove(ticket.id) != nil { return .go }

        let timer = loop.schedule(at: deadline) {
            // It waited for a free place, not for time, or the estimate would have refused it.
            self.giveUp(ticket, server, .late(1_000_000_000))
        }
        defer { loop.unschedule(timer) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                turns[ticket.id] = continuation
                if Task.isCancelled { giveUp(ticket, server, .cancelled) }
            }
        } onCancel: {
            Task { await self.giveUp(ticket, server, .cancelled) }
        }
    }

    /// Takes a waiting ticket out of its queue; nothing happens when its turn came already.
    func giveUp(_ ticket: Ticket, _ server: LimitedServer, _ turn: Turn) {
        guard admissions[server]?.withdraw(ticket) == true else { return }
        turns.removeValue(forKey: ticket.id)?.resume(returning: turn)
    }

    /// Lets go who may go, and sets a timer for who may go later.
    func pump(_ server: LimitedServer) {
        let now = Monotonic.now()
        while let ticket = admissions[server]?.next(now) {
            if let continuation = turns.removeValue(forKey: ticket.id) {
                continuation.resume(returning: .go)
            } else {
                readyTurns.insert(ticket.id)
            }
        }
        writeClaims(server, now)
        let opening = admissions[server]?.nextOpening(now)
        if let known = admissionTimers[server] {
            if known.time == opening { return }
            loop.unschedule(known.id)
            admissionTimers[server] = nil
        }
        guard let opening else { return }
        let id = loop.schedule(at: opening) {
            self.admissionTimers[server] = nil
            self.pump(server)
        }
        admissionTimers[server] = (opening, id)
    }

    /// The ticket is done.
    func leave(_ ticket: Ticket, _ server: LimitedServer, wasSent: Bool) {
        admissions[server]?.finish(ticket, wasSent: wasSent)
        pump(server)
    }

    /// Waits; ends early when the task is cancelled or the broker closes.
    func pause(until time: Monotonic) async {
        let id = takeID()
        let timer = loop.schedule(at: time) { self.endPause(id) }
        defer { loop.unschedule(timer) }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                pauses[id] = continuation
                if Task.isCancelled || isClosed { endPause(id) }
            }
        } onCancel: {
            Task { await self.endPause(id) }
        }
    }

    func endPause(_ id: UInt64) { pauses.removeValue(forKey: id)?.resume() }

    /// Answers everybody who waits, ends what runs, and lets the thread end; answers what is to be kept of the limits.
    func failOutstanding() -> [RateLimitMark] {
        guard !isClosed else { return [] }
        isClosed = true
        let marks = finalMarks()
        for continuation in turns.values { continuation.resume(returning: .closing) }
        turns.removeAll()
        for server in admissions.keys { admissions[server] = RequestAdmission() }
        for timer in admissionTimers.values { loop.unschedule(timer.id) }
        admissionTimers.removeAll()
        for id in Array(pauses.keys) { endPause(id) }
        for id in Array(tokenWaits.keys) { endTokenWait(id, .failure(Self.closing)) }
        for transfer in running.values { transfer.markAbandoned() }
        loop.abandonAll(CURLE_ABORTED_BY_CALLBACK)
        loop.close()
        return marks
    }
}
