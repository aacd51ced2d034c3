// The straight line of a webhook: raw delivery, whose is it, may it call, is it authentic, what are its keys, is it
// durable. The only place that turns a receipt into a success; it makes none itself.

public import BerthModel
public import BerthSeams
public import Logging
import Synchronization

/// Takes webhook deliveries.
public struct Intake: WebhookReceiver {
    private let inbox: any InboxStore
    private let secrets: any SecretStore
    private let host: any PluginHost
    private let directory: ConnectionDirectory
    private let clock: any WallClock
    private let entropy: any Entropy
    private let observer: any IntakeObserver
    private let onAccepted: @Sendable (ConnectionID) -> Void
    private let verifier = SignatureVerifier()
    private let refusals: RefusalLog
    private let overloads: OverloadLog
    private let kinds = KindLabels()

    /// An intake over its seams. `onAccepted` wakes the dispatcher; it is called after the delivery is durable, unless
    /// it was a duplicate.
    public init(
        inbox: any InboxStore, audit: any AuditStore, secrets: any SecretStore, host: any PluginHost, directory: ConnectionDirectory,
        clock: any WallClock, entropy: any Entropy, observer: any IntakeObserver, logger: Logger,
        onAccepted: @escaping @Sendable (ConnectionID) -> Void
    ) {
        self.inbox = inbox
        self.secrets = secrets
        self.host = host
        self.directory = directory
        self.clock = clock
        self.entropy = entropy
        self.observer = observer
        self.onAccepted = onAccepted
        refusals = RefusalLog(store: audit, logger: logger)
        overloads = OverloadLog(store: audit, logger: logger)
    }

    /// Takes one delivery. A success means that it is durable. Safe to call concurrently, from any thread; does not
    /// block. What needs no waiting until the commit is done here and now, on the caller's thread; the rest (the first
    /// delivery after a change, a refusal that is written down, a verdict of the plugin, a large body) in a task.
    public func receive(_ delivery: RawDelivery, _ answer: @escaping @Sendable (IntakeAnswer) -> Void) {
        guard delivery.body.count <= Self.inlineBytesMax, let (verified, connection, success) = verifiedAtOnce(delivery) else {
            Task { answer(await receiveStepByStep(delivery)) }
            return
        }
        inbox.accept(verified) { result in
            switch result {
            case .success(let receipt): answer(accepted(verified, receipt, connection, success))
            case .failure(let error): answer(overloaded(connection, error, 5))
            }
        }
    }

    /// Hashing and parsing of larger bodies would hold up the connections that share the thread.
    private static let inlineBytesMax = 128 << 10

    /// The common case of `receiveStepByStep`, which says what it must be: nil for whatever it does not cover.
    private func verifiedAtOnce(_ delivery: RawDelivery) -> (VerifiedDelivery, Connection, WebhookSpec.Success)? {
        guard let entry = directory.entry(provider: delivery.provider, connection: delivery.connection) else { return nil }
        let connection = entry.connection
        guard connection.status != .disconnected, let rules = connection.webhook, let policy = entry.policy.withLock({ $0 }),
            let spec = host.manifest(of: connection.provider)?.webhook, policy.allows(delivery.remoteAddress),
            Handshake.answer(delivery, spec) == nil, spec.methods.contains(delivery.method)
        else { return nil }
        let now = clock.now()
        guard case .verified(let audit) = verifier.verify(delivery, spec: spec, rules: rules, keys: policy.keys, now: now) else {
            return nil
        }
        KillPoint.reach("intake.after-verify")
        return (verified(delivery.withoutSecrets(spec, rules, policy), connection, spec, rules, now, audit), connection, spec.success)
    }

    /// Every step with its refusal.
    private func receiveStepByStep(_ delivery: RawDelivery) async -> IntakeAnswer {
        let named = directory.entries(provider: delivery.provider, connection: delivery.connection)
        let owner: ConnectionDirectory.Entry?
        do throws(BerthError) { owner = named.count > 1 ? try await self.owner(of: delivery, among: named) : named.first } catch {
            return overloaded(named[0].connection, error, 5)
        }
        guard let entry = owner else {
            let isKnown = directory.hasConnections(of: delivery.provider)
            let problem =
                named.isEmpty
                ? "no connection is named by the path"
                : "\(named.count) workspaces have a connection of that name, and the delivery shows the key of none of them"
            return await refuse(delivery, nil, 404, .notFound, BerthError(.notFound, problem), isProviderKnown: isKnown)
        }
        let connection = entry.connection
        guard connection.status != .disconnected else {
            return await refuse(delivery, connection, 410, .gone, BerthError(.connectionGone, "the connection is disconnected"))
        }
        guard let manifest = host.manifest(of: connection.provider) else {
            return overloaded(
                connection,
                BerthError(.plugin, "the plugin of this webhook is not loaded", hint: "berthctl plugin list", isRetryable: true), 30)
        }
        guard let spec = manifest.webhook, let rules = connection.webhook else {
            return await refuse(delivery, connection, 404, .notFound, BerthError(.notFound, "the connection takes no webhooks"))
        }
        do throws(BerthError) {
            let policy = try await WebhookPolicy.of(entry, rules, secrets)
            guard policy.allows(delivery.remoteAddress) else {
                return await refuse(
                    delivery, connection, 403, .forbidden, BerthError(.addressNotAllowed, "the address is not in the connection's list"))
            }
            return try await judge(delivery, connection, manifest, spec, rules, policy)
        } catch {
            return overloaded(connection, error, 5)
        }
    }

    /// Workspaces may give their connections the same name: then the key that a delivery shows tells whose it is. Nil: nobody's, or more
    /// than one's. What only a plugin can verify needs the id in its path.
    private func owner(of delivery: RawDelivery, among entries: [ConnectionDirectory.Entry]) async throws(BerthError)
        -> ConnectionDirectory.Entry?
    {
        let now = clock.now()
        var owners: [ConnectionDirectory.Entry] = []
        for entry in entries where entry.connection.status != .disconnected {
            guard let spec = host.manifest(of: entry.connection.provider)?.webhook, let rules = entry.connection.webhook else { continue }
            let policy = try await WebhookPolicy.of(entry, rules, secrets)
            guard policy.allows(delivery.remoteAddress),
                case .verified = verifier.verify(delivery, spec: spec, rules: rules, keys: policy.keys, now: now)
            else { continue }
            owners.append(entry)
        }
        return owners.count == 1 ? owners[0] : nil
    }

    public func gaveUp(_ delivery: RawDelivery, _ error: BerthError) {
        guard let connection = directory.entry(provider: delivery.provider, connection: delivery.connection)?.connection else { return }
        let entry = AuditEntry(
            at: clock.now(), kind: "webhook.refused", actor: "provider", connection: connection.id,
            detail: RefusedText.detail(delivery, error, ""), address: delivery.remoteAddress)
        Task { await refusals.record(entry, code: error.code) }
    }

    public func tookTooLong(provider: String, connection: String?, seconds: Int) {
        guard let connection = directory.entry(provider: provider, connection: connection)?.connection else { return }
        let error = BerthError(
            .overloaded, "a delivery was not stored within \(seconds) s, and its sender told to send it again",
            hint: "the disk of [store] path is slow or hangs, or the plugin that verifies does: berthctl health, iostat -x 1")
        _ = overloaded(connection, error, 5)
    }

    /// Writes counts of refusals that are still in memory to the audit log, those that are over or, at the end, `all`.
    public func flushRefusals(all: Bool = false) async {
        await refusals.flush(now: clock.now(), all: all)
        await overloads.flush(now: clock.now(), all: all)
    }

    /// Does so every few seconds, until it is cancelled.
    public func run() async {
        while (try? await Task.sleep(for: .seconds(5))) != nil { await flushRefusals() }  // only cancellation throws here
    }

    /// From the allowed address on. Throws what the store throws.
    private func judge(
        _ delivery: RawDelivery, _ connection: Connection, _ manifest: PluginManifest, _ spec: WebhookSpec, _ rules: ConnectionWebhook,
        _ policy: WebhookPolicy
    ) async throws(BerthError) -> IntakeAnswer {
        let handshake = Handshake.answer(delivery, spec)
        guard handshake != nil || spec.methods.contains(delivery.method) else {
            let error = BerthError(
                .methodNotAllowed, "\(RefusedText.plain(delivery.method)) is not taken here",
                hint: "use \(spec.methods.sorted().joined(separator: ", "))")
            _ = await refuse(delivery, connection, 405, .methodNotAllowed, error)
            return .methodRefused(allowed: spec.methods, error)
        }
        let now = clock.now()
        let verdict = verifier.verify(delivery, spec: spec, rules: rules, keys: policy.keys, now: now)
        if let handshake {
            // A handshake need not be signed, since it stores nothing; but a token or password that is shown must be right.
            guard case .refused(let error, let audit) = verdict, error.code == .tokenInvalid || rules.scheme == .basic else {
                observer.received(provider: connection.provider.text, kind: "", outcome: .handshake)
                return handshake
            }
            return await refuse(delivery, connection, 401, .unauthorized, error, audit: audit)
        }
        let audit: String
        switch verdict {
        case .verified(let text): audit = text
        case .refused(let error, let text): return await refuse(delivery, connection, 401, .unauthorized, error, audit: text)
        case .askPlugin(let text):
            audit = text
            let instance = InstanceFactory(host: host).instance(of: connection, manifest)
            if let failure = await host.verify(delivery, for: instance) {
                let error = BerthError(.signatureInvalid, "the plugin does not take it for authentic: \(failure.message)")
                guard failure.isAboutDelivery else {
                    return overloaded(connection, BerthError(.plugin, failure.message, isRetryable: true), 5)
                }
                return await refuse(delivery, connection, 401, .unauthorized, error, audit: text)
            }
            do throws(BerthError) { try SignatureVerifier.checkContent(delivery, spec.unproven(by: .plugin)) } catch {
                return await refuse(delivery, connection, 401, .unauthorized, error, audit: text)
            }
        }
        KillPoint.reach("intake.after-verify")
        let verified = verified(delivery.withoutSecrets(spec, rules, policy), connection, spec, rules, now, audit)
        return accepted(verified, try await inbox.accept(verified), connection, spec.success)
    }

    private func verified(
        _ delivery: RawDelivery, _ connection: Connection, _ spec: WebhookSpec, _ rules: ConnectionWebhook, _ now: Timestamp,
        _ audit: String
    ) -> VerifiedDelivery {
        let unproven = spec.unproven(by: rules.scheme)
        let keys = DeliveryKeys(of: delivery.proven(but: unproven), by: spec)
        var verified = VerifiedDelivery(
            id: EventID(time: now, random: (entropy.next(), entropy.next())), connection: connection.id, provider: connection.provider,
            kind: keys.kind, dedupKey: keys.dedup, orderingKey: keys.ordering, method: delivery.method, query: delivery.query,
            headers: delivery.headers, body: delivery.body, receivedAt: delivery.receivedAt, audit: audit,
            remoteAddress: delivery.remoteAddress)
        verified.unproven = unproven
        return verified
    }

    /// After the commit.
    private func accepted(
        _ delivery: VerifiedDelivery, _ receipt: IntakeReceipt, _ connection: Connection, _ success: WebhookSpec.Success
    ) -> IntakeAnswer {
        KillPoint.reach("intake.after-accept")
        if !receipt.isDuplicate { onAccepted(connection.id) }
        observer.received(
            provider: connection.provider.text, kind: kinds.label(delivery.kind), outcome: receipt.isDuplicate ? .duplicate : .accepted)
        return .accepted(receipt, success)
    }

    private func overloaded(_ connection: Connection, _ error: BerthError, _ seconds: Int) -> IntakeAnswer {
        observer.received(provider: connection.provider.text, kind: "", outcome: .overloaded)
        overloads.record(error, connection, now: clock.now())
        let wait = error.retryAfter.map { max(1, Int($0.components.seconds)) } ?? seconds
        // What exactly fails inside is the operator's to know, not the sender's.
        let told = BerthError(
            error.code, "nothing can be accepted at the moment", hint: "send again later", isRetryable: true, retryAfter: .seconds(wait))
        return .overloaded(retryAfterSeconds: wait, told)
    }

    /// The audit log gets the reason, the sender only what its status says.
    private func refuse(
        _ delivery: RawDelivery, _ connection: Connection?, _ status: Int, _ outcome: IntakeOutcome, _ error: BerthError,
        audit: String = "", isProviderKnown: Bool = true
    ) async -> IntakeAnswer {
        observer.received(provider: isProviderKnown ? delivery.provider : "unknown", kind: "", outcome: outcome)
        let entry = AuditEntry(
            at: clock.now(), kind: "webhook.refused", actor: "provider", connection: connection?.id,
            detail: RefusedText.detail(delivery, error, audit), address: delivery.remoteAddress)
        await refusals.record(entry, code: error.code)
        return .refused(status: status, RefusedText.told(outcome, error))
    }
}

extension AttemptFailure {
    /// Whether asking again would give the same answer: the plugin judged the delivery, rather than failing at it.
    fileprivate var isAboutDelivery: Bool {
        switch status {
        case .authDenied, .authExpired, .invalidEvent, .notFound, .denied, .unsupported, .conflict: true
        default: false
        }
    }
}
