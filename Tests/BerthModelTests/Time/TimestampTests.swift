// Moments as text, and their ends.

import BerthModel
import Testing

@Suite struct TimestampTests {
    // Without this a time that a plugin or a provider made up would end the daemon where it is written down.
    @Test func theEndsOfTimeHaveAText() {
        #expect(Timestamp(milliseconds: .max).description.hasPrefix("9999-"))
        #expect(Timestamp(milliseconds: .min).description.hasPrefix("0000-"))
        #expect(Timestamp(milliseconds: 0).adding(seconds: .max) == Timestamp(milliseconds: .max))
        #expect(Timestamp(milliseconds: -1).adding(seconds: .min) == Timestamp(milliseconds: .min))
    }

    @Test func peopleGiveTimesAndDates() {
        // Would break: a list takes a date, and the sync of the same days refuses it.
        #expect(Timestamp(timeOrDate: "2026-03-04") == Timestamp("2026-03-04T00:00:00Z"))
        #expect(Timestamp(timeOrDate: "2026-03-04T01:00:00+01:00") == Timestamp("2026-03-04T00:00:00Z"))
        for text in ["2026-02-30", "2026-3-4", "yesterday", ""] { #expect(Timestamp(timeOrDate: text) == nil) }
    }

    // Without this a moment before 1970 would be a day or a second off.
    @Test(arguments: [
        (-1, "1969-12-31T23:59:59.999Z"), (-86_400_000, "1969-12-31T00:00:00.000Z"), (0, "1970-01-01T00:00:00.000Z"),
        (1_772_637_667_123, "2026-03-04T15:21:07.123Z"),
    ])
    func momentsAreWrittenAndReadAlike(_ milliseconds: Int64, _ text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
        #expect(Timestamp(text) == Timestamp(milliseconds: milliseconds))
    }
}
