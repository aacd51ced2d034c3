// Operations of the plugin host: each becomes a session on the generation in service. Values cross to plain wire items here.

public import BerthModel
public import BerthSeams
import BerthWire
import Synchronization

extension PluginRuntime {
    public func handle(_ events: [Event], for instance: PluginInstance) async -> BatchOutcome {
        switch generation(of: instance.provider) {
        case .failure(let failure):
            return BatchOutcome(outcomes: events.map { _ in EventOutcome(failure: failure, records: []) })
        case .success(let generation):
            let isFragile = events.count > 1 && fragile.withLock { fragile in events.contains { fragile.contains($0.id) } }
            guard !isFragile else { return await handleOneByOne(events, for: instance, generation) }
            let outcome = await handle(events, for: instance, generation)
            if events.count > 1, outcome.outcomes.contains(where: { $0.failure?.status.isDeath ?? false }) {
                fragile.withLock { fragile in
                    // Ids stay until their event passes or is parked: bounded, not exact.
                    if fragile.count > 10_000 { fragile = [] }
                    fragile.formUnion(events.map(\.id))
                }
            }
            return outcome
        }
    }

    private func handle(_ events: [Event], for instance: PluginInstance, _ generation: PluginGeneration) async -> BatchOutcome {
        let session = session(.events(count: events.count), instance, generation, seconds: \.eventDeadlineSeconds, events: events.map(\.id))
        let end = await run(.handle(events.map(Self.wire)), session, generation, lane: .events)
        return session.batchOutcome(end, count: events.count)
    }

    /// After a death: so that the event that causes it is known, and the others get through.
    private func handleOneByOne(_ events: [Event], for instance: PluginInstance, _ generation: PluginGeneration) async -> BatchOutcome {
        var outcomes: [EventOutcome] = []
        for (index, event) in events.enumerated() {
            let one = await handle([event], for: instance, generation).outcomes[0]
            outcomes.append(one)
            if let failure = one.failure, failure.status.isDeath {
                outcomes += repeatElement(EventOutcome(failure: failure, records: []), count: events.count - outcomes.count)
                return BatchOutcome(outcomes: outcomes, suspect: index)
            }
            _ = fragile.withLock { $0.remove(event.id) }
        }
        return BatchOutcome(outcomes: outcomes)
    }

    public func read(_ request: StreamReadRequest, for instance: PluginInstance, into sink: any PageSink) async -> AttemptFailure? {
        var request = request
        while true {
            switch generation(of: instance.provider) {
            case .failure(let failure): return failure
            case .success(let generation):
                switch await read(request, for: instance, into: sink, on: generation) {
                case .ended(let failure): return failure
                case .handsOver(let checkpoint): request.checkpoint = checkpoint
                }
            }
        }
    }

    /// How a read on one generation ended.
    private enum ReadEnd {
        case ended(AttemptFailure?)
        /// The generation retires: the one in service is to go on from there.
        case handsOver(Checkpoint)
    }

    private func read(
        _ request: StreamReadRequest, for instance: PluginInstance, into sink: any PageSink, on generation: PluginGeneration
    ) async -> ReadEnd {
        let session = session(.read, instance, generation, seconds: \.pageDeadlineSeconds)
        let work = HostMessage.Work.read(
            stream: request.stream.text, mode: Self.number(request.mode), since: request.since?.milliseconds ?? WireLimits.noTime,
            until: request.until.milliseconds, schema: request.checkpoint?.schema ?? 0, state: request.checkpoint?.state ?? [])
        async let end = run(work, session, generation, lane: .reads)
        var handedOver: Checkpoint?
        for await page in session.pages {
            do throws(BerthError) {
                try await sink.commit(page.records, checkpoint: page.checkpoint)
                // The plugin is told to end here, and no page follows one that was refused.
                if generation.host.isRetired { handedOver = page.checkpoint }
                session.acknowledgePage(handedOver.map { _ in AttemptFailure(.cancelled, "another load of the plugin goes on") })
            } catch {
                session.acknowledgePage(AttemptFailure(error.isRetryable ? .retry : .internal, error.message))
            }
        }
        let failure = session.failure(of: await end)
        guard let handedOver, !Task.isCancelled else { return .ended(failure) }
        return .handsOver(handedOver)
    }

    public func perform(_ request: ActionRequest, for instance: PluginInstance) async -> Result<ActionOutcome, AttemptFailure> {
        switch generation(of: instance.provider) {
        case .failure(let failure): return .failure(failure)
        case .success(let generation):
            let session = session(.perform, instance, generation, seconds: \.actionDeadlineSeconds)
            let work = HostMessage.Work.perform(name: request.name, input: request.input, idempotencyKey: request.idempotencyKey)
            let end = await run(work, session, generation, lane: .actions)
            if let failure = session.failure(of: end) { return .failure(failure) }
            let result = session.result
            return .success(ActionOutcome(output: result.reply, records: result.records))
        }
    }

    public func checkCredentials(for instance: PluginInstance) async -> Result<[UInt8], AttemptFailure> {
        switch generation(of: instance.provider) {
        case .failure(let failure): return .failure(failure)
        case .success(let generation):
            let session = session(.check, instance, generation, seconds: \.actionDeadlineSeconds)
            let end = await run(.check, session, generation, lane: .actions)
            if let failure = session.failure(of: end) { return .failure(failure) }
            return .success(session.result.reply)
        }
    }

    public func verify(_ delivery: RawDelivery, for instance: PluginInstance) async -> AttemptFailure? {
        switch generation(of: instance.provider) {
        case .failure(let failure): return failure
        case .success(let generation):
            let session = session(.verify, instance, generation, seconds: \.eventDeadlineSeconds)
            let event = WireEvent(
                id: "", kind: "", method: delivery.method, query: delivery.query,
                headers: delivery.headers.map { WireHeader($0.name, $0.value) }, body: delivery.body, attempt: 1,
                receivedAt: delivery.receivedAt.milliseconds)
            return session.failure(of: await run(.verify(event), session, generation, lane: .verifications))
        }
    }

    // MARK: Parts

    private func session(
        _ kind: OperationSession.Kind, _ instance: PluginInstance, _ generation: PluginGeneration,
        seconds: KeyPath<PluginManifest.Runtime, Int>, events: [EventID] = []
    ) -> OperationSession {
        OperationSession(
            operation: operations.add(1, ordering: .relaxed).newValue, kind: kind, instance: instance, manifest: generation.manifest,
            deadlineSeconds: generation.manifest.runtime[keyPath: seconds], services: services, eventIDs: events)
    }

    /// Runs to the end. What ended before it began is told to the session too, so that nobody waits for its pages.
    private func run(_ work: HostMessage.Work, _ session: OperationSession, _ generation: PluginGeneration, lane: InstanceLane) async
        -> OperationEnd
    {
        let end = await generation.host.run(work, session, lane: lane)
        session.finish(end)
        return end
    }

    private static func number(_ mode: ReadMode) -> UInt32 {
        switch mode {
        case .full: 1
        case .incremental: 2
        case .range: 3
        }
    }

    private static func wire(_ event: Event) -> WireEvent {
        WireEvent(
            id: event.id.description, kind: event.kind, method: event.method, query: event.query,
            headers: event.headers.map { WireHeader($0.name, $0.value) }, body: event.body, attempt: UInt32(clamping: event.attempt),
            receivedAt: event.receivedAt.milliseconds)
    }
}

extension AttemptStatus {
    /// The worker's end, or what would have been one.
    fileprivate var isDeath: Bool {
        switch self {
        case .crashed, .hung, .contractViolation: true
        default: false
        }
    }
}
