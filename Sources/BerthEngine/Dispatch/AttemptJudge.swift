// What becomes of an event after an attempt: the one place that turns outcomes into verdicts. Pure.

import BerthModel
import BerthSeams

/// Judges attempts.
struct AttemptJudge: Sendable {
    var retries = RetrySchedule()
    /// Attempts that may end in a crash, hang or broken contract before the event is parked.
    var deathsMax = 3

    /// The verdict for a failed attempt.
    func verdict(for event: Event, failure: AttemptFailure, now: Timestamp, random: Double) -> EventSettlement.Verdict {
        switch failure.status {
        case .ok, .unsupported:
            return .unsupported
        case .invalidEvent:
            return .discard(failure)
        case .cancelled:
            return .release
        case .crashed, .hung, .contractViolation:
            guard event.deaths + 1 < deathsMax else {
                var parked = failure
                parked.message = "parked after \(event.deaths + 1) attempts that ended so: \(failure.message)"
                return .discard(parked)
            }
        case .retry, .throttled, .authExpired, .authDenied, .notFound, .conflict, .remoteDown, .timeout, .internal, .denied:
            break
        }
        let asked = failure.retryAfterMilliseconds.map { Duration.milliseconds(Int64(clamping: $0)) }
        guard let wait = retries.wait(afterAttempt: event.attempt, asked: asked, random: random) else {
            return .discard(failure)
        }
        return .retry(at: now.adding(wait), failure)
    }

    /// Settlements of a whole batch. Events that the plugin did not reach because another one brought it down are
    /// given back; of events with one ordering key none overtakes a failed predecessor.
    func settlements(of events: [Event], outcome: BatchOutcome, entities: StreamEntities, now: Timestamp, random: () -> Double)
        -> [EventSettlement]
    {
        var blockedKeys: Set<String> = []
        return events.enumerated().map { index, event in
            if let key = event.orderingKey, blockedKeys.contains(key) {
                return EventSettlement(event: event.id, verdict: .release)
            }
            let verdict = verdict(of: event, at: index, in: outcome, entities: entities, now: now, random: random())
            switch verdict {
            case .retry, .release: if let key = event.orderingKey { blockedKeys.insert(key) }
            case .completed, .unsupported, .discard: break
            }
            return EventSettlement(event: event.id, verdict: verdict)
        }
    }

    private func verdict(
        of event: Event, at index: Int, in outcome: BatchOutcome, entities: StreamEntities, now: Timestamp, random: Double
    ) -> EventSettlement.Verdict {
        guard index < outcome.outcomes.count else {
            let failure = AttemptFailure(.contractViolation, "the plugin answered \(outcome.outcomes.count) events of a larger batch")
            return verdict(for: event, failure: failure, now: now, random: random)
        }
        let one = outcome.outcomes[index]
        if let failure = one.failure {
            if let suspect = outcome.suspect, suspect != index, failure.status.isHostVerdict { return .release }
            return verdict(for: event, failure: failure, now: now, random: random)
        }
        switch entities.changes(one.records) {
        case .success(let changes): return .completed(records: changes)
        case .failure(let failure): return verdict(for: event, failure: failure, now: now, random: random)
        }
    }
}
