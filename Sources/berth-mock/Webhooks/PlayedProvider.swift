// One provider at work: its book, its dialect, and the live calls that webhooks tell about. API and webhooks read the same book.

/// A played provider. Every access to its calls goes through this actor.
actor PlayedProvider {
    nonisolated let name: ProviderName
    private var book: CallBook
    private var dialect: any Dialect
    private var active: [LiveCall] = []
    private var busy: [Int: LiveCall] = [:]
    private var notices: [Int] = []
    private var ordinal = 0
    private var steps = 0
    private let lateAfter: Milliseconds
    private let clock: @Sendable () -> Milliseconds

    private struct LiveCall: Sendable {
        var serial: Int, script: CallScript, remaining: [CallStage]
    }

    /// - Parameter lateAfterSeconds: from the end of a live call to its late conversion.
    init(name: ProviderName, book: CallBook, dialect: any Dialect, lateAfterSeconds: Int, clock: @escaping @Sendable () -> Milliseconds) {
        self.name = name
        self.book = book
        self.dialect = dialect
        self.clock = clock
        lateAfter = Milliseconds(lateAfterSeconds) * 1000
    }

    /// Answers an API request; nil when its path is not this provider's.
    func answer(_ request: APIRequest) -> Reply? {
        applyDue()
        let reply = dialect.answer(request, book: &book)
        notices += dialect.takeChanged()
        return reply
    }

    /// Whether a URL was registered through the API.
    var hasSubscribers: Bool { dialect.hasSubscribers }

    /// Lets the next thing happen that the provider tells about, and answers the webhooks for it: one for `target`, if given, and one
    /// per matching subscription. The call waits in `busy` until ``settled(_:)``. - Parameter liveMax: calls in progress at a time.
    func next(target: String?, liveMax: Int) -> [WebhookMessage] {
        applyDue()
        while !notices.isEmpty {
            let messages = messages(.changed, book.calls[notices.removeFirst()], target)
            if !messages.isEmpty { return messages }
        }
        for _ in 0..<32 {
            var live: LiveCall
            steps += 1
            // Every second step at most begins a call: a short stream shall have later stages too.
            if active.isEmpty || steps % 2 == 1 && active.count + busy.count < liveMax {
                let begun = book.begin(at: clock())
                live = LiveCall(serial: begun.serial, script: begun.script, remaining: begun.script.stages)
            } else {
                live = active.removeFirst()
            }
            let stage = live.remaining.removeFirst()
            let now = clock()
            let call =
                stage == .started
                ? book.calls[live.serial] : book.change(live.serial, at: now) { live.script.apply(stage, to: &$0, at: now) }
            if live.remaining.isEmpty, live.script.convertsLate { book.plan(live.script, serial: live.serial, due: now + lateAfter) }
            let messages = messages(stage, call, target)
            if live.remaining.isEmpty {
                if !messages.isEmpty { return messages }
            } else if messages.isEmpty {
                active.insert(live, at: 0)
            } else {
                busy[live.serial] = live
                return messages
            }
        }
        return []
    }

    /// The webhook of this call was answered: its next stage may come.
    func settled(_ serial: Int) {
        if let live = busy.removeValue(forKey: serial) { active.append(live) }
    }

    /// Ended calls change now, newest first. - Returns: their external ids.
    func changeLate(count: Int) -> [String] {
        let serials = book.changeLate(count: count, at: clock())
        notices += serials
        return serials.map { book.calls[$0].externalID }
    }

    /// The truth, one JSON line per call.
    func truth() -> [UInt8] {
        applyDue()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(book.calls.count * 240)
        for call in book.calls {
            var json = JSONText()
            json.object { json in
                json.put("external_id", call.externalID)
                json.put("revenue", call.revenue?.shortText)
                json.put("payout", call.payout?.shortText)
                json.put("duration", call.totalSeconds)
                json.put("talk", call.talkSeconds)
                json.put("converted", call.isConverted)
                json.put("connected", call.isConnected)
                json.put("live", call.isLive)
                json.put("caller", call.caller.e164)
                json.put("number", book.catalog.numbers[call.number].e164)
                json.put("started_at", call.startedAt.rfc3339)
                json.put("updated_at", call.updatedAt.rfc3339)
            }
            bytes += json.bytes + [10]
        }
        return bytes
    }

    /// How many calls there are.
    var callCount: Int { book.calls.count }

    private func applyDue() { notices += book.applyDue(clock()) }

    private func messages(_ stage: CallStage, _ call: MockCall, _ target: String?) -> [WebhookMessage] {
        guard let event = dialect.event(for: stage, call: call) else { return [] }
        let targets = (target.map { [$0] } ?? []) + dialect.subscribers(event, call: call, book: book)
        return targets.map { target in
            ordinal += 1
            return dialect.message(event, call: call, book: book, target: target, ordinal: ordinal)
        }
    }
}
