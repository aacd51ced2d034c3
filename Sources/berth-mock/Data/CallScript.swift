// Decides what happens in a call: who calls whom, whether it connects, what it earns. Historic calls have it all behind them;
// live ones go through it stage by stage.

/// The stages of a call that a provider may tell about.
enum CallStage: Int, Sendable, CaseIterable { case started, ringing, answered, ended, converted, recorded, finalized, changed }

/// A drawn course of a call.
struct CallScript: Sendable {
    var caller: Caller
    var number: Int, campaign: Int, publisher: Int
    var target: Int?
    var ivrSeconds: Int, ringSeconds: Int, talkSeconds: Int, holdSeconds: Int
    var connects: Bool, converts: Bool, convertsLate: Bool, isRecorded: Bool, isDuplicate: Bool, isBlocked: Bool
    var revenue: Money, payout: Money
    /// Hours from the end to a late conversion.
    var lateHours: Int
    var ending: CallEnding
    var tags: [String: String]
    var externalID: String

    private static let places = [
        Place(city: "Washington", state: "DC", zip: "20001"), Place(city: "Chicago", state: "IL", zip: "60601"),
        Place(city: "Austin", state: "TX", zip: "78701"), Place(city: "Denver", state: "CO", zip: "80202"),
        Place(city: "Saint Paul", state: "MN", zip: "55101"), Place(city: "Coeur d'Alene", state: "ID", zip: "83814"),
    ]
    private static let areaCodes = [202, 312, 512, 303, 651, 208]

    /// The course of call `serial`.
    init(provider: ProviderName, seed: UInt64, serial: Int, catalog: Catalog) {
        var random = SeededGenerator(seed: seed, "\(provider.rawValue) call", serial)
        let place = random.below(Self.places.count)
        // A few consumers call again and again.
        let line = random.chance(0.1) ? random.below(40) : random.below(9000)
        caller = Caller(digits: Self.areaCodes[place] * 10_000_000 + 5_550_000 + line, place: Self.places[place])
        number = random.pick(catalog.callable)
        campaign = catalog.numbers[number].campaign ?? 0
        publisher = catalog.numbers[number].publisher ?? 0
        isBlocked = random.chance(0.04)
        target = isBlocked || random.chance(0.05) ? nil : random.below(catalog.targets.count)
        connects = target != nil && random.chance(0.78)
        ivrSeconds = random.within(0...25)
        ringSeconds = random.within(2...18)
        talkSeconds = random.chance(0.3) ? random.within(3...45) : random.within(46...840)
        holdSeconds = random.chance(0.2) ? random.within(1...9) : 0
        converts = connects && talkSeconds > 45 && random.chance(0.6)
        convertsLate = converts && random.chance(0.25)
        isRecorded = connects && catalog.campaigns[campaign].isRecorded
        isDuplicate = random.chance(0.06)
        let cents = random.within(40...240) * 25
        revenue = Money(cents: cents)
        payout = Money(cents: cents * random.within(60...82) / 100)
        lateHours = random.within(1...40)
        ending = connects ? (random.chance(0.7) ? .caller : .target) : (isBlocked ? .system : .caller)
        tags = random.chance(0.7) ? ["lead_id": "L-\(random.within(1000...99_999))", "click_id": "abc-\(random.below(1000))"] : [:]
        switch provider {
        case .ringba:
            externalID = "v2mock_" + random.characters(36, of: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
        case .retreaver, .trackdrive: externalID = random.uuid()
        }
        if connects, random.chance(0.02) { tags["note"] = "said \"call back\", naïve \\ 100%" }
    }

    /// The call at its first moment.
    func beginning(serial: Int, at startedAt: Milliseconds) -> MockCall {
        MockCall(
            serial: serial, externalID: externalID, numericID: 9_100_000 + serial, caller: caller, number: number, campaign: campaign,
            publisher: publisher, target: target, startedAt: startedAt, updatedAt: startedAt, ivrSeconds: 0, holdSeconds: 0, ending: ending,
            isDuplicate: isDuplicate, isBlocked: isBlocked, isConverted: false, hasRecording: false, cost: .zero, tags: tags)
    }

    /// The stages ahead, in order.
    var stages: [CallStage] {
        var stages: [CallStage] = [.started]
        if target != nil { stages.append(.ringing) }
        if connects { stages.append(.answered) }
        stages.append(.ended)
        if converts, !convertsLate { stages.append(.converted) }
        if isRecorded { stages.append(.recorded) }
        return stages + [.finalized]
    }

    /// Makes `stage` happen to `call`.
    func apply(_ stage: CallStage, to call: inout MockCall, at now: Milliseconds) {
        switch stage {
        case .started, .ringing: break
        case .answered: call.answeredAt = now
        case .ended:
            call.endedAt = now
            call.ivrSeconds = ivrSeconds
            call.holdSeconds = connects ? holdSeconds : 0
            call.cost = Money(units: 100 + 240 * ((call.totalSeconds + 59) / 60))
        case .converted, .changed:
            call.isConverted = true
            call.revenue = revenue
            call.payout = payout
        case .recorded: call.hasRecording = true
        case .finalized: break
        }
        call.updatedAt = max(call.updatedAt, now)
    }

    /// The whole call, started in the past. A late conversion has happened if its hour is before `now`.
    func history(serial: Int, startedAt: Milliseconds, now: Milliseconds) -> MockCall {
        var call = beginning(serial: serial, at: startedAt)
        var time = startedAt + Milliseconds(ivrSeconds + ringSeconds) * 1000
        for stage in stages {
            if stage == .ended { time += Milliseconds(connects ? talkSeconds : 0) * 1000 }
            if stage.rawValue > CallStage.ended.rawValue { time += 1500 }
            apply(stage, to: &call, at: stage == .started || stage == .ringing ? startedAt : time)
        }
        let late = time + Milliseconds(lateHours) * 3_600_000
        if convertsLate, late < now { apply(.changed, to: &call, at: late) }
        return call
    }
}
