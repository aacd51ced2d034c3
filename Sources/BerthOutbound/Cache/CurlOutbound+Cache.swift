// Kept answers before the line that every request goes along: a fresh one ends it before limits and circuit are asked, a stale one
// makes it conditional, and a write ends the answers that it may have changed.

public import BerthModel
import BerthSeams
import Logging

/// What the outbound actor remembers of requests for kept answers that are on their way.
struct CacheState {
    /// Changes whenever answers of a connection ended: what was asked for before is not kept.
    private var epochs: [ConnectionID: UInt64] = [:]
    /// Those who wait for the same answer, by what is asked.
    private var flights: [Flight: [UInt64]] = [:]

    /// Requests that one answer answers.
    struct Flight: Hashable {
        var key: ResponseCacheKey
        var requestClass: String
        var headers: [String]

        init(_ key: ResponseCacheKey, _ request: ProviderRequest) {
            self.key = key
            requestClass = request.requestClass ?? ""
            headers = request.headers.map { "\($0.name.lowercased()): \($0.value)" }
        }
    }

    func epoch(of connection: ConnectionID) -> UInt64 { epochs[connection] ?? 0 }
    mutating func end(_ connection: ConnectionID) { epochs[connection, default: 0] += 1 }

    /// True: the caller asks, and calls `land` after. False: somebody asks already, and `id` is woken when the answer is there.
    mutating func board(_ flight: Flight, _ id: UInt64) -> Bool {
        guard flights[flight] != nil else {
            flights[flight] = []
            return true
        }
        flights[flight]?.append(id)
        return false
    }

    /// Who waited.
    mutating func land(_ flight: Flight) -> [UInt64] { flights.removeValue(forKey: flight) ?? [] }
}

extension CurlOutbound {
    /// The answer, kept or had.
    func throughCache(_ request: ProviderRequest, for target: OutboundTarget) async -> Result<ProviderResponse, AttemptFailure> {
        guard let answers, !isClosed, isInService(target), target.http.cache != nil, case .success(let egress) = adopt(target) else {
            return await exchange(request, for: target)
        }
        switch CachePlan(request, target, egress) {
        case .pass: return await exchange(request, for: target)
        case .read(let plan): return await read(request, plan, target, answers)
        case .write(let origin, let path):
            let result = await exchange(request, for: target)
            if CachePlan.mayHaveActed(result) { await endAnswers(.touched(origin: origin, path: path), of: target.connection) }
            return result
        }
    }

    /// See ``Outbound``.
    public func forgetAnswers(of connection: ConnectionID, prefix: String?) async -> Int {
        await endAnswers(prefix.map { .prefix($0) } ?? .all, of: connection)
    }

    @discardableResult
    func endAnswers(_ selection: ResponseCacheSelection, of connection: ConnectionID) async -> Int {
        guard let answers else { return 0 }
        // Before, for those on their way now; after, for those who looked while the cache was at it.
        cacheState.end(connection)
        defer { cacheState.end(connection) }
        return await answers.forget(selection, of: connection)
    }

    private func read(
        _ request: ProviderRequest, _ plan: CachePlan.Read, _ target: OutboundTarget, _ answers: any ResponseCache
    ) async -> Result<ProviderResponse, AttemptFailure> {
        let deadline = Monotonic.now() + max(1, (request.timeout ?? .seconds(target.http.timeoutSeconds)).nanoseconds)
        let flight = CacheState.Flight(plan.key, request)
        var request = request
        var mayWait = !plan.isForced
        while true {
            let epoch = cacheState.epoch(of: target.connection)
            var kept = await answers.answers(plan.key).first { $0.answers(request) }
            if cacheState.epoch(of: target.connection) != epoch { kept = nil }
            if let kept, !plan.isForced, kept.isFresh(plan.freshSeconds, at: clock.now()) {
                tellHit(request, plan, target)
                return .success(kept.response(at: clock.now()))
            }
            guard mayWait else { return await ask(request, plan, target, answers, kept: kept) }
            mayWait = false
            let id = takeID()
            if cacheState.board(flight, id) {
                let result = await ask(request, plan, target, answers, kept: kept)
                for follower in cacheState.land(flight) { endPause(follower) }
                return result
            }
            await awaitEnd(id, until: deadline)
            if Task.isCancelled { return .failure(AttemptFailure(.cancelled, "cancelled")) }
            request.timeout = .nanoseconds(max(1, deadline - .now()))
        }
    }

    /// Asks the provider, on condition where something is kept, and keeps what comes.
    private func ask(
        _ request: ProviderRequest, _ plan: CachePlan.Read, _ target: OutboundTarget, _ answers: any ResponseCache, kept: KeptAnswer?
    ) async -> Result<ProviderResponse, AttemptFailure> {
        let epoch = cacheState.epoch(of: target.connection)
        let begun = Monotonic.now()
        let conditions = kept?.conditions()
        var conditional = request
        conditional.headers += conditions ?? []
        let sentAt = clock.now()
        let result = await exchange(conditional, for: target)
        guard case .success(let response) = result else { return result }
        let isCurrent = cacheState.epoch(of: target.connection) == epoch
        if response.status == 304, let kept, conditions != nil {
            guard let renewed = kept.renewed(by: response, sentAt: sentAt) else {
                // It speaks of an answer that is not here: asked again without condition.
                await answers.forget(.key(plan.key), of: target.connection)
                var plain = request
                let timeout = (request.timeout ?? .seconds(target.http.timeoutSeconds)).nanoseconds
                plain.timeout = .nanoseconds(max(1, timeout - (Monotonic.now() - begun)))
                return await ask(plain, plan, target, answers, kept: nil)
            }
            observer?.cacheUsed(.revalidated, of: target.provider)
            if CacheDirectives(response.headers).isNoStore {
                await answers.forget(.key(plan.key), of: target.connection)
            } else if isCurrent {
                _ = await answers.keep(renewed, plan.key, bytesMax: plan.bytesMax)
            }
            return .success(renewed.response(at: clock.now()))
        }
        observer?.cacheUsed(.miss, of: target.provider)
        guard isCurrent else { return result }
        let spec = request.isAuthenticated ? target.credential : nil
        if let answer = KeptAnswer(response, to: request, credential: spec, sentAt: sentAt) {
            if await answers.keep(answer, plan.key, bytesMax: plan.bytesMax) { observer?.cacheUsed(.stored, of: target.provider) }
            // It may have been ended while it was written.
            if cacheState.epoch(of: target.connection) != epoch { await answers.forget(.key(plan.key), of: target.connection) }
        } else if kept != nil, response.status < 500, response.status != 429, response.status != 408 {
            // Gone, moved, forbidden, or not to be kept any longer.
            await answers.forget(.key(plan.key), of: target.connection)
        }
        return result
    }

    private func tellHit(_ request: ProviderRequest, _ plan: CachePlan.Read, _ target: OutboundTarget) {
        observer?.cacheUsed(.hit, of: target.provider)
        logger.debug(
            "kept answer given",
            metadata: [
                "provider": "\(target.provider)", "connection": "\(target.connection)", "method": "\(request.method)",
                "path": "\(plan.key.path)",
            ])
    }

    /// Waits until `endPause(id)`, the deadline, cancellation or the end of the broker.
    private func awaitEnd(_ id: UInt64, until time: Monotonic) async {
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
}
