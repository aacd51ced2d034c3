// What becomes of an event after an attempt.

import BerthModel
import BerthSeams
import Testing

@testable import BerthEngine

@Suite struct AttemptJudgeTests {
    private let judge = AttemptJudge()
    private let now = moment(1_700_000_000)

    private func event(_ number: UInt64 = 1, attempt: Int = 1, deaths: Int = 0, ordering: String? = nil) -> Event {
        var event = Event(
            id: EventID(time: now, random: (number, 0)), sequence: Int64(number), connection: ConnectionID(time: now, random: (1, 1)),
            provider: ProviderName("ringba")!, kind: "k", state: .running, isUnsupported: false, attempt: attempt, dedupKey: "d\(number)",
            orderingKey: ordering, method: "POST", query: "", headers: [], body: [], receivedAt: now, dueAt: now, settledAt: nil,
            lastFailure: nil)
        event.deaths = deaths
        return event
    }

    private func name(_ verdict: EventSettlement.Verdict) -> String {
        switch verdict {
        case .completed: "completed"
        case .unsupported: "unsupported"
        case .retry: "retry"
        case .release: "release"
        case .discard: "discard"
        }
    }

    // Without this a status would be retried that can't succeed, or given up that could.
    @Test(arguments: [
        (AttemptStatus.retry, "retry"), (.throttled, "retry"), (.authExpired, "retry"), (.authDenied, "retry"), (.remoteDown, "retry"),
        (.timeout, "retry"), (.internal, "retry"), (.crashed, "retry"), (.hung, "retry"), (.contractViolation, "retry"),
        (.invalidEvent, "discard"),
        (.unsupported, "unsupported"), (.cancelled, "release"),
    ]) func everyStatusHasItsVerdict(_ status: AttemptStatus, _ expected: String) {
        #expect(name(judge.verdict(for: event(), failure: AttemptFailure(status, "x"), now: now, random: 0.5)) == expected)
    }

    // Without this an event that survived daemon crashes is parked by the first hang of its plugin.
    @Test func onlyThePluginsDeathsCountAsDeaths() {
        let hung = AttemptFailure(.hung, "no answer")
        #expect(name(judge.verdict(for: event(attempt: 4, deaths: 0), failure: hung, now: now, random: 0.5)) == "retry")
        #expect(name(judge.verdict(for: event(attempt: 4, deaths: 1), failure: hung, now: now, random: 0.5)) == "retry")
        guard case .discard(let parked) = judge.verdict(for: event(attempt: 3, deaths: 2), failure: hung, now: now, random: 0.5) else {
            Issue.record("not parked after three deaths")
            return
        }
        #expect(parked.message.contains("3 attempts") && parked.message.contains("no answer"))
    }

    // Without this attempts go on for ever, or what the plugin asks for is ignored.
    @Test func waitsGrowAndEnd() {
        let failure = AttemptFailure(.retry, "later")
        for (attempt, seconds) in [(1, 5), (2, 30), (3, 120), (9, 172_800)] {
            guard case .retry(let at, _) = judge.verdict(for: event(attempt: attempt), failure: failure, now: now, random: 0.5) else {
                Issue.record("attempt \(attempt) was not retried")
                continue
            }
            #expect(at == now.adding(seconds: Int64(seconds)), "attempt \(attempt)")
        }
        #expect(name(judge.verdict(for: event(attempt: 10), failure: failure, now: now, random: 0.5)) == "discard")
        var asked = failure
        asked.retryAfterMilliseconds = 90_000
        guard case .retry(let at, _) = judge.verdict(for: event(), failure: asked, now: now, random: 0.5) else { return }
        #expect(at == now.adding(seconds: 90))
    }

    private func settle(_ events: [Event], _ outcome: BatchOutcome) throws -> [String] {
        let manifest = PluginManifest(
            id: ProviderName("ringba")!, name: "", version: "1.0.0", publisher: "", license: "", abi: 1, libraries: [:], runtime: .init(),
            http: .init(), credentials: [], settings: [:], webhook: nil, streams: [], actions: [], entities: [], stateSchema: 1)
        return judge.settlements(of: events, outcome: outcome, entities: StreamEntities(manifest), now: now, random: { 0.5 }).map {
            name($0.verdict)
        }
    }

    // Without this a later event of the same key is applied before an earlier one that failed.
    @Test func noneOvertakesItsFailedPredecessor() throws {
        let events = [event(1, ordering: "a"), event(2, ordering: "a"), event(3, ordering: "b"), event(4)]
        let failed = EventOutcome(failure: AttemptFailure(.retry, "x"), records: [])
        let fine = EventOutcome(failure: nil, records: [])
        #expect(try settle(events, BatchOutcome(outcomes: [failed, fine, fine, fine])) == ["retry", "release", "completed", "completed"])
    }

    // Without this the neighbours of an event that crashes its plugin are parked with it.
    @Test func neighboursOfACrashAreGivenBack() throws {
        let crashed = EventOutcome(failure: AttemptFailure(.crashed, "signal 11"), records: [])
        let outcome = BatchOutcome(outcomes: [crashed, crashed, crashed], suspect: 1)
        #expect(try settle([event(1), event(2), event(3)], outcome) == ["release", "retry", "release"])
    }

    // Without this an answer with fewer results than events settles the wrong ones.
    @Test func missingResultsBreakTheContract() throws {
        let fine = EventOutcome(failure: nil, records: [])
        #expect(try settle([event(1), event(2)], BatchOutcome(outcomes: [fine])) == ["completed", "retry"])
    }
}
