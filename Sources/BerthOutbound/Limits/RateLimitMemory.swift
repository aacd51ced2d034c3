// Counts of limits beyond the process: claims are written before the requests they allow, pauses once they are known,
// everything at a regular end. Where is the store's business; what a claim is stands in SlidingWindow.
//
// Chosen over a snapshot now and then (a kill would let through again what was sent since), over a write per request (an
// fsync each), and over taking every window for full at start (a day's limit would be lost to every restart).

public import BerthModel
import BerthSeams
import Logging

extension CurlOutbound {
    /// Takes up what counted before this start; call it before the first request. Times in the future, after a boot with a
    /// clock set back, count as now. Throws when the store cannot be read.
    public func restoreLimits() async throws(BerthError) {
        guard let limitStore else { return }
        limitClock = try await LimitClock(clock, limitStore)
        let kept = limitClock.now()
        let marks = try await limitStore.keptLimits(now: kept)
        let now = Monotonic.now()
        keptSince = now
        for mark in marks {
            let restored = RestoredMark(mark, keptNow: kept, now: now)
            guard !mark.key.origin.isEmpty else {
                unplacedMarks[mark.key.provider, default: []].append(restored)
                continue
            }
            let server = LimitedServer(mark.key.provider, origin: mark.key.origin)
            admissions[server, default: makeAdmission(server)].remember(restored)
        }
    }

    /// An admission that knows what was kept without a server: it may have been this one.
    func makeAdmission(_ server: LimitedServer) -> RequestAdmission {
        var admission = RequestAdmission(keptSince: keptSince)
        for mark in unplacedMarks[server.provider] ?? [] { admission.remember(mark) }
        return admission
    }

    /// Writes claims of those who wait, and lets them go after it.
    func writeClaims(_ server: LimitedServer, _ now: Monotonic) {
        guard let due = admissions[server]?.claimsDue(now), !due.isEmpty else { return }
        let marks = due.map { mark(server, $0) }
        Task {
            // After the end the last marks stand: a claim written over them would count requests that never went.
            guard !isClosed else { return }
            await keep(marks)
            for kept in due { admissions[server]?.claim(kept) }
            pump(server)
        }
    }

    /// Holds a connection (and class) back, and remembers that beyond this process.
    func hold(_ connection: ConnectionID, _ server: LimitedServer, _ requestClass: String, nanoseconds: Int64) {
        let isShared = admissions[server]?.pause(connection, requestClass: requestClass, until: .now() + nanoseconds) ?? false
        guard limitStore != nil, nanoseconds >= 1_000_000_000 else { return }
        let key = RateLimitMark.Key(
            provider: server.provider, origin: server.origin, connection: isShared ? nil : connection, requestClass: requestClass,
            windowSeconds: 0)
        let mark = RateLimitMark(key: key, sent: [], ahead: 0, until: limitClock.now().adding(milliseconds: nanoseconds / 1_000_000 + 1))
        Task { await keep([mark]) }
    }

    /// Ends what `hold` began, also beyond this process.
    func endPauses(_ connection: ConnectionID, _ server: LimitedServer) async {
        let ended = admissions[server]?.endPauses(connection) ?? []
        guard !ended.isEmpty else { return }
        await keep(
            ended.map { pause in
                let key = RateLimitMark.Key(
                    provider: server.provider, origin: server.origin, connection: pause.isShared ? nil : connection,
                    requestClass: pause.requestClass, windowSeconds: 0)
                return RateLimitMark(key: key, sent: [], ahead: 0, until: limitClock.now())
            })
        pump(server)
    }

    /// Everything, for a regular end: nothing is claimed ahead any more.
    func finalMarks() -> [RateLimitMark] {
        let now = Monotonic.now()
        return admissions.flatMap { server, admission in admission.memory(now).map { mark(server, $0) } }
    }

    /// Writes marks. A store that cannot write stops nobody: the limits hold as long as this process lives, and a store in
    /// that state is failing loudly elsewhere.
    func keep(_ marks: [RateLimitMark]) async {
        guard let limitStore, !marks.isEmpty else { return }
        do { try await limitStore.keepLimits(marks) } catch {
            logger.warning("counts of rate limits not kept: a kill now would forget them", metadata: ["error": "\(error.message)"])
        }
    }

    private func mark(_ server: LimitedServer, _ kept: RequestAdmission.Kept) -> RateLimitMark {
        let now = limitClock.now()
        let limit = kept.limit
        return RateLimitMark(
            key: .init(
                provider: server.provider, origin: server.origin, connection: kept.connection, requestClass: limit.requestClass,
                windowSeconds: limit.windowSeconds),
            // Rounded to later: never too early by a part of a millisecond.
            sent: limit.sent.map { .init(at: now.adding(milliseconds: 1 - $0.age / 1_000_000), count: $0.count) }, ahead: limit.ahead,
            // What is claimed may go at any later time, so that only a next mark, or oblivion, ends it.
            until: limit.ahead > 0
                ? now.adding(seconds: 400 * 86_400) : limit.sent.isEmpty ? now : now.adding(milliseconds: limit.length / 1_000_000 + 1))
    }
}

/// A mark in this process's time.
struct RestoredMark {
    var key: RateLimitMark.Key
    /// When the ages were told.
    var at: Monotonic
    var sent: [SentRequests]
    /// Of a pause.
    var pauseEnd: Monotonic

    /// `keptNow` is `now` by the clock that marks are kept in.
    init(_ mark: RateLimitMark, keptNow: Timestamp, now: Monotonic) {
        key = mark.key
        at = now
        sent = mark.sent.map { SentRequests(age: max(0, keptNow.milliseconds - $0.at.milliseconds) * 1_000_000, count: $0.count) }
        if mark.ahead > 0 { sent.append(SentRequests(age: 0, count: mark.ahead)) }
        pauseEnd = now + max(0, min(mark.until.milliseconds - keptNow.milliseconds, 86_400_000)) * 1_000_000
    }
}
