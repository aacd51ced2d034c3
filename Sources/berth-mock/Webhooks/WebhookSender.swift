// Sends one provider's webhooks at a rate, repeats what failed, and writes the ledger. What the receiver does with them is not
// this program's business: it only bears witness.

/// Where and how one provider's webhooks go.
struct SendSettings: Sendable {
    /// nil: only to URLs registered through the API.
    var target: String?
    var scheme: SigningScheme = .none
    /// Webhooks a second, repeats not counted.
    var rate: Double = 1
    /// Stop after this many; nil never.
    var count: Int?
    /// Whether targets beyond this machine are allowed.
    var allowsRemote = false

    /// Calls in progress at a time, so that one lasts some seconds.
    var liveMax: Int { max(4, min(500, Int(rate * 6))) }
}

/// Sends webhooks.
actor WebhookSender {
    private let provider: PlayedProvider
    private let ledger: DeliveryLedger
    private let faults: FaultBoard
    private let client = WebhookClient()
    private let clock: @Sendable () -> Milliseconds
    private let runID: String
    private(set) var settings: SendSettings
    private var loop: Task<Void, Never>?
    private var inFlight = 0
    private var slotWaiters: [CheckedContinuation<Void, Never>] = []
    private var deliveries = 0
    private var held: [WebhookMessage] = []
    private var random: SeededGenerator

    private static let inFlightMax = 64
    private static let attemptsMax = 4

    init(
        provider: PlayedProvider, ledger: DeliveryLedger, faults: FaultBoard, settings: SendSettings, runID: String,
        clock: @escaping @Sendable () -> Milliseconds
    ) {
        self.provider = provider
        self.ledger = ledger
        self.faults = faults
        self.settings = settings
        self.clock = clock
        self.runID = runID
        random = SeededGenerator(seed: 7, "\(provider.name.rawValue) sender")
    }

    /// Starts or retargets the stream.
    func start(_ settings: SendSettings) {
        loop?.cancel()
        self.settings = settings
        loop = Task { await run(settings) }
    }

    /// Ends the stream. Deliveries on their way go on.
    func stop() {
        loop?.cancel()
        loop = nil
    }

    /// Deliveries on their way.
    var unfinished: Int { inFlight }

    /// Sends `count` webhooks at once and answers what became of them.
    func sendNow(_ count: Int) async -> [LedgerEntry] {
        await withTaskGroup(of: LedgerEntry?.self) { group in
            var entries: [LedgerEntry] = []
            var running = 0
            var made = 0
            while made < count {
                let messages = await provider.next(target: settings.target, liveMax: 8)
                if messages.isEmpty { break }
                for message in messages.prefix(count - made) {
                    made += 1
                    running += 1
                    group.addTask { await self.deliver(message) }
                }
                while running >= 8, let entry = await group.next() {
                    running -= 1
                    if let entry { entries.append(entry) }
                }
            }
            for await case let entry? in group { entries.append(entry) }
            return entries
        }
    }

    private func run(_ settings: SendSettings) async {
        let clock = ContinuousClock()
        var due = clock.now
        let interval = Duration.seconds(1 / max(0.001, settings.rate))
        var made = 0
        while !Task.isCancelled, settings.count.map({ made < $0 }) ?? true {
            due = max(due + interval, clock.now - .milliseconds(500))
            do { try await clock.sleep(until: due) } catch { break }
            if settings.target == nil, await !provider.hasSubscribers { continue }
            let messages = await provider.next(target: settings.target, liveMax: settings.liveMax)
            for message in messages {
                made += 1
                if faults.isActive(.shuffledWebhooks) { await hold(message) } else { await launch(message) }
            }
        }
        for message in held { await launch(message) }
        held = []
    }

    // The order is spoiled on purpose: the next stages of a call don't wait for the answer to the one before.
    private func hold(_ message: WebhookMessage) async {
        held.append(message)
        await provider.settled(message.serial)
        guard held.count >= 8 else { return }
        while !held.isEmpty { await launch(held.remove(at: random.below(held.count))) }
    }

    private func launch(_ message: WebhookMessage) async {
        while inFlight >= Self.inFlightMax { await withCheckedContinuation { slotWaiters.append($0) } }
        Task { _ = await deliver(message) }
    }

    // The ledger's last word on this delivery. A repeat after a failure or by a fault carries the same delivery id.
    @discardableResult
    private func deliver(_ message: WebhookMessage) async -> LedgerEntry? {
        inFlight += 1
        defer {
            inFlight -= 1
            if !slotWaiters.isEmpty { slotWaiters.removeFirst().resume() }
        }
        deliveries += 1
        var entry = LedgerEntry(
            id: "dlv_\(provider.name.rawValue)_\(runID)_\(deliveries)", provider: provider.name, event: message.event,
            externalID: message.externalID,
            dedupKey: message.dedupKey, state: .sent, attempt: 1)
        guard let url = OutgoingURL(message.url), url.isLoopback || settings.allowsRemote else {
            entry.state = .refused
            await ledger.note(entry)
            await provider.settled(message.serial)
            return entry
        }
        entry = await attempts(entry, message, url)
        await provider.settled(message.serial)
        if entry.state == .acked, faults.draw(.duplicateWebhooks) {
            var again = entry
            again.attempt += 1
            _ = await attempts(again, message, url)
        }
        return entry
    }

    private func attempts(_ first: LedgerEntry, _ message: WebhookMessage, _ url: OutgoingURL) async -> LedgerEntry {
        var entry = first
        var mayHaveArrived = false
        for remaining in (0..<Self.attemptsMax).reversed() {
            entry.state = .sent
            entry.status = nil
            await ledger.note(entry)
            let signed = settings.scheme.headers(for: message, id: entry.id, now: clock(), isWrong: faults.draw(.badSignature))
            let result = await client.send(method: message.method, url: url, headers: message.headers + signed, body: message.body)
            var wait = 0.2 * Double(1 << (Self.attemptsMax - 1 - remaining))
            switch result {
            case .answered(let answer):
                entry.status = answer.status
                let isTransient = answer.status >= 500 || answer.status == 429
                entry.state = (200..<300).contains(answer.status) ? .acked : mayHaveArrived ? .unknown : .refused
                wait = min(30, answer.retryAfterSeconds ?? wait)
                if !isTransient || remaining == 0 {
                    await ledger.note(entry)
                    return entry
                }
            case .unreachable: entry.state = mayHaveArrived ? .unknown : .refused
            case .lost:
                mayHaveArrived = true
                entry.state = .unknown
            }
            await ledger.note(entry)
            if remaining == 0 || Task.isCancelled { return entry }
            do { try await Task.sleep(for: .seconds(wait)) } catch { return entry }
            entry.attempt += 1
        }
        return entry
    }
}
