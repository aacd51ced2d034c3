// The numbers of berth/plugin.h where they meet the daemon's words.

import BerthModel
import Testing

@Suite struct AttemptStatusTests {
    @Test func everyStatusOfAPluginComesBackFromItsNumber() {
        // Would break: a plugin that says "throttled" is told to have been refused, in one host or in both.
        let verdicts: Set<AttemptStatus> = [.crashed, .hung, .contractViolation]
        for status in AttemptStatus.allCases where !verdicts.contains(status) { #expect(AttemptStatus(abi: status.abi) == status) }
        for status in verdicts { #expect(status.abi == AttemptStatus.internal.abi) }
    }

    @Test(arguments: [-1, 13, 14, 16, .max] as [Int32]) func unknownNumbersAreDefects(number: Int32) {
        // Would break: a plugin's slip is taken for success.
        #expect(AttemptStatus(abi: number) == .internal)
    }
}
