// Names of triggers, and what keeps a late one from calling back to life what is over.

import BerthPluginSDK
import Testing

@Suite struct CallTriggerTests {
    @Test(
        arguments: [
            ("incoming", .started), ("Call Started", .started), ("new_call", .started), ("call_ringing", .started), ("Answered", .answered),
            ("call_forwarded", .answered), ("call-ended", .ended), ("call_completed", .ended), ("no_answer", .missed), ("error", .failed),
            ("conversion", .converted), ("call_changed", .other), ("", .other), ("call", .other), ("renewed", .other),
        ] as [(String, CallTrigger)])
    func readsNamesLoosely(_ name: String, _ expected: CallTrigger) {
        // Breaks when a usual spelling of a trigger says nothing, or a name that says nothing invents a state.
        #expect(CallTrigger(name) == expected)
    }

    @Test func whatPassesNeverOverwritesWhatIsOver() {
        // Breaks when a trigger of an early state that comes late is taken for the newer one.
        let ended = ProviderTime(milliseconds: 1_772_700_000_000)
        for lateSeconds: Int64 in [0, 1, 3600, 80_000] {
            let late = ended.adding(seconds: lateSeconds)
            let started = CallTrigger.started.sourceTime(receivedAt: late)
            let answered = CallTrigger.answered.sourceTime(receivedAt: late)
            #expect(started < answered && answered < CallTrigger.ended.sourceTime(receivedAt: ended))
        }
        // Its own time counts, but no time that cannot be its own.
        let own = ended.adding(seconds: -200)
        #expect(CallTrigger.answered.sourceTime(receivedAt: ended, answeredAt: own) == own)
        #expect(CallTrigger.answered.sourceTime(receivedAt: ended, answeredAt: ended.adding(seconds: 9)) == ended)
        #expect(
            CallTrigger.answered.sourceTime(receivedAt: ended, answeredAt: ProviderTime(milliseconds: 0))
                > CallTrigger.started.sourceTime(receivedAt: ended))
    }
}
