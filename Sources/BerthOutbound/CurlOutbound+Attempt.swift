// One try: on the wire, and what is learned from it for limits, circuit and record.

import BerthModel
import BerthSeams
import CCurl
import Logging

/// What is recorded of one request while it goes on.
struct Exchange {
    var begun: Monotonic
    var method: String
    var host = ""
    var path = ""
    var waited: Int64 = 0
    var tries = 0

    init(begun: Monotonic, method: String) {
        self.begun = begun
        self.method = method
    }
}

extension CurlOutbound {
    /// Sends and waits for the end; the ticket keeps its place. Once, or on a new connection as well when a kept one was dead: that
    /// counts as a retry and is taken from the connection's budget, `repeatsMax` times.
    func attempt(
        _ prepared: PreparedRequest, _ credential: ConnectionCredential?, _ ticket: Ticket, _ target: OutboundTarget,
        _ server: LimitedServer, deadline: Monotonic, begun: Monotonic, repeatsMax: Int
    ) async -> TryOutcome {
        guard let easy = loop.takeHandle() else { preconditionFailure("libcurl has no memory for a request") }
        prepared.apply(to: easy, timeoutNanoseconds: deadline - .now(), configuration: configuration)
        let transfer = Transfer(
            easy: easy,
            limits: AnswerLimits(
                bodyBytes: configuration.maxResponseBytes, headerBytes: configuration.maxResponseHeaderBytes,
                headerCount: configuration.maxResponseHeaders),
            policy: prepared.policy, approval: prepared.approval
        ) { count in
            if count > 0 {
                guard prepared.isIdempotent, count <= repeatsMax, self.admissions[server]?.hasRoom(ticket, now: .now()) != false,
                    self.connections[target.connection]?.budget.withdraw() != false
                else { return false }
            }
            self.admissions[server]?.sending(ticket, isFirst: count == 0, now: .now())
            return true
        }
        running[ticket.id] = transfer
        let sent = Monotonic.now()
        let code = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                transfer.await(with: continuation)
                loop.start(transfer)
                if Task.isCancelled || isClosed { abandon(ticket.id) }
            }
        } onCancel: {
            Task { await self.abandon(ticket.id) }
        }
        running[ticket.id] = nil
        var outcome: TryOutcome
        // A proxy's refusal of a request in the clear looks like an answer; a provider has no such status.
        if code == CURLE_OK, transfer.status > 0, transfer.status != 407 || prepared.policy.proxy == nil {
            outcome = TryOutcome(answer: transfer, now: clock.now(), throttles: target.http.throttles)
        } else {
            outcome = TryOutcome(
                code, transfer, label: prepared.label, isIdempotent: prepared.isIdempotent, mask: credential?.mask, limits: configuration,
                seconds: Double(Monotonic.now() - begun) / 1e9)
        }
        outcome.repeats = max(0, transfer.sendingCount - 1)
        outcome.begun = sent
        outcome.wasSent = transfer.sendingCount > 0
        return outcome
    }

    /// Ends a try because nobody waits for it any more.
    func abandon(_ id: UInt64) {
        guard let transfer = running[id] else { return }
        transfer.markAbandoned()
        loop.abandon(transfer.easy, CURLE_ABORTED_BY_CALLBACK)
    }

    /// Tells limits and circuit what a try showed, and then frees the ticket's place: nobody takes it before that is known.
    func learn(_ outcome: TryOutcome, _ ticket: Ticket, _ target: OutboundTarget, _ server: LimitedServer) {
        let now = Monotonic.now()
        if case .success(let response) = outcome.result {
            var hold: Int64?
            if case .answered(let status, let retryAfter) = outcome.ending, RateLimitSignals.meansCaller(status) { hold = retryAfter }
            hold = hold ?? RateLimitSignals.exhaustedMilliseconds(response.headers, now: clock.now()).map { $0 * 1_000_000 }
            if response.status == 429, hold ?? 0 <= 0 {
                hold = admissions[server]?.refused(ticket, sent: outcome.begun, now: now, random: entropy.next())
            } else if response.status < 500, response.status != 429 {
                admissions[server]?.accepted(ticket, sent: outcome.begun)
            }
            if let hold, hold > 0 {
                self.hold(target.connection, server, ticket.requestClass, nanoseconds: hold)
            }
        }
        let isChanged: Bool?
        // Of a server that the connection has left nothing is counted against the one it has now.
        switch isInService(target) ? outcome.health : .unknown {
        case .good: isChanged = connections[target.connection]?.breaker.succeed(ticket.id)
        case .bad:
            switch outcome.result {
            case .success(let response): connections[target.connection]?.lastFailure = "it answered \(response.status)"
            case .failure(let failure): connections[target.connection]?.lastFailure = failure.message
            }
            isChanged = connections[target.connection]?.breaker.fail(ticket.id, now)
        case .unknown:
            connections[target.connection]?.breaker.leave(ticket.id)
            isChanged = false
        }
        if isChanged == true { tellCircuit(target.connection) }
        leave(ticket, server, wasSent: outcome.wasSent)
    }

    /// The request log's line and the observer's call.
    func report(
        _ exchange: Exchange, _ result: Result<ProviderResponse, AttemptFailure>, _ request: ProviderRequest, _ target: OutboundTarget
    ) {
        let elapsed = Monotonic.now() - exchange.begun
        var status: Int?
        var failure: AttemptFailure?
        var bytes = 0
        switch result {
        case .success(let response):
            status = response.status
            bytes = response.body.count
        case .failure(let reason): failure = reason
        }
        observer?.exchanged(
            OutboundExchange(
                provider: target.provider, connection: target.connection,
                requestClass: request.requestClass.map { target.http.declares($0) ? $0 : "other" }, status: status,
                failure: failure?.status, seconds: Double(elapsed) / 1e9, waitedSeconds: Double(exchange.waited) / 1e9, bytes: bytes,
                tries: exchange.tries))
        requestLog?.append(
            RequestLogEntry(
                at: clock.now(), provider: target.provider, connection: target.connection, method: String(exchange.method.prefix(16)),
                host: exchange.host, path: exchange.path, requestClass: request.requestClass, status: status, failure: failure?.status,
                reason: failure.map { String($0.message.prefix(400)) }, milliseconds: elapsed / 1_000_000,
                waitedMilliseconds: exchange.waited / 1_000_000, bytes: bytes, tries: exchange.tries))
        guard logger.logLevel <= .debug else { return }
        logger.debug(
            "provider request",
            metadata: [
                "provider": "\(target.provider)", "connection": "\(target.connection)", "method": "\(exchange.method)",
                "host": "\(exchange.host)", "path": "\(exchange.path)",
                "status": "\(status.map(String.init) ?? failure?.status.rawValue ?? "-")", "milliseconds": "\(elapsed / 1_000_000)",
                "bytes": "\(bytes)", "tries": "\(exchange.tries)",
            ])
    }
}
