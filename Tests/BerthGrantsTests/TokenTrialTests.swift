// When a refused token is worth a renewal, by moments that the test makes up.

import Testing

@testable import BerthGrants

@Suite struct TokenTrialTests {
    private let start = ContinuousClock.now

    // Without this connections whose tokens tell no lifetime stand still for minutes after the second token's end.
    @Test func tokensThatWorkedAreRenewedEachTimeTheyEnd() {
        var trial = TokenTrial(at: start)
        for number in 1...20 {
            trial.accept()
            let end = start + .seconds(20 * number)
            let isRenewed = trial.refuse(at: end)
            #expect(isRenewed, "the end of token \(number)")
            trial = TokenTrial(at: end, after: trial)
        }
    }

    // Without this a provider that refuses every token is asked for a new one by each request, and each spends a refresh token.
    @Test func tokensThatNeverWorkedAskOnceInMinutes() {
        var trial = TokenTrial(at: start)
        var renewals = 0
        for second in 0..<600 {
            guard trial.refuse(at: start + .seconds(second)) else { continue }
            renewals += 1
            trial = TokenTrial(at: start + .seconds(second), after: trial)
        }
        #expect(renewals == 5)
    }

    // Without this a resource that is refused to any token would cost a renewal each time another one lets the same token through.
    @Test func whatATokenMayNotDoIsNotItsEnd() {
        var trial = TokenTrial(at: start)
        var renewals = 0
        for second in stride(from: 0, to: 600, by: 6) {
            trial.accept()
            if trial.refuse(at: start + .seconds(second)) {
                renewals += 1
                trial = TokenTrial(at: start + .seconds(second), after: trial)
                // The same request with the new token, while others already get through with that.
                trial.accept()
                let isRenewed = trial.refuse(at: start + .seconds(second + 1))
                #expect(!isRenewed)
            }
        }
        #expect(renewals == 5)
    }
}
