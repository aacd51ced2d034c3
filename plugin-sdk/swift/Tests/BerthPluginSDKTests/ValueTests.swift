// Times, phone numbers, money, durations and words for yes and no, as providers write them.

import BerthPluginSDK
import Testing

@Suite struct ValueTests {
    private func node(_ json: String) throws -> JSONNode { try JSONDocument(Array(json.utf8)).root }

    @Test(arguments: [
        ("1772637667000", "2026-03-04T15:21:07.000Z"), ("1772637667", "2026-03-04T15:21:07.000Z"),
        ("\"1772637667000\"", "2026-03-04T15:21:07.000Z"), ("\"2026-03-04 10:21:07 -0500\"", "2026-03-04T15:21:07.000Z"),
        ("\"2026-03-04T10:21:07.25-05:00\"", "2026-03-04T15:21:07.250Z"), ("\"2026-03-04T15:21:07Z\"", "2026-03-04T15:21:07.000Z"),
        ("\"2026-03-04T15:21:07.123456789Z\"", "2026-03-04T15:21:07.123Z"), ("\"2026-03-04 15:21:07 UTC\"", "2026-03-04T15:21:07.000Z"),
        ("\"2026-03-04T15:21:07\"", "2026-03-04T15:21:07.000Z"), ("\"2024-02-29\"", "2024-02-29T00:00:00.000Z"),
    ])
    func readsTimes(_ json: String, _ expected: String) throws {
        // Breaks when a provider's form of time is lost, or its zone ignored.
        #expect(ProviderTime(try node(json))?.rfc3339 == expected)
    }

    @Test(arguments: [
        "null", "true", "0", "-5", "\"\"", "\"0001-01-01T00:00:00\"", "\"2026-13-01T00:00:00Z\"", "\"2023-02-29\"", "\"soon\"",
        "\"2026-03-04T25:00:00Z\"", "\"2026-03-04T10:21:07 -05000\"", "[1772637667000]", "1772637667000000", "\"20260304102107\"",
        "9223372036854775807", "99999999999999999999",
    ])
    func refusesWhatIsNoTime(_ json: String) throws {
        // Breaks when "never" or nonsense becomes a date in the store.
        #expect(ProviderTime(try node(json)) == nil)
    }

    @Test(
        arguments: [
            ("+12025550143", "+12025550143"), ("+1 (202) 555-0143", "+12025550143"), ("2025550143", "+12025550143"),
            ("12025550143", "+12025550143"), ("004930123456", "+4930123456"), ("+49 30 123456", "+4930123456"),
            ("anonymous", nil), ("Restricted", nil), ("+0123456789", nil), ("1234", nil), ("+12025550143x12", nil), ("", nil),
            ("0301234567", nil),
        ] as [(String, String?)])
    func normalisesPhoneNumbers(_ text: String, _ expected: String?) {
        // Breaks when two spellings of one number do not meet, or a number is made up.
        #expect(PhoneNumber.e164(text) == expected)
    }

    @Test(
        arguments: [
            ("25.50", "25.50"), ("$1,234.5", "1234.5"), ("1,234", "1234"), ("-1,234,567.25", "-1234567.25"), ("25,50", "25.50"),
            ("25,5", "25.5"), ("-0,125", "-0.125"), ("0,125", "0.125"), ("1.234,50", "1234.50"), ("1.234.567,5", "1234567.5"),
            ("1,23,456", nil), ("12,3456", nil), ("1234,567", nil), ("1,2.3,4", nil), ("25,", nil), (",50", "0.50"), ("0,123,456", nil),
            ("0.123,45", nil), ("1,234.", nil), ("-0.10", "-0.10"), (".5", "0.5"), ("+3", "3"), ("1.5e3", "1500"),
            ("25e-4", "0.0025"),
            ("1.50E1", "15.0"), ("", nil), ("abc", nil), ("1.2.3", nil), ("--1", nil), ("5.", nil), ("1e99", nil),
            ("1e-9223372036854775808", nil), ("1e9223372036854775807", nil), ("1e9223372036854775808", nil),
        ] as [(String, String?)])
    func keepsDecimalDigits(_ text: String, _ expected: String?) {
        // Breaks when money is rounded or reformatted.
        #expect(DecimalText.plain(text) == expected)
    }

    @Test(
        arguments: [
            ("209", 209), ("\"209\"", 209), ("12.9", 12), ("\"0:03:29\"", 209), ("\"3:29\"", 209), ("\"\"", nil), ("\"a\"", nil),
            ("null", nil),
            ("\"[tag:CallLength:Total]\"", nil), ("\"1:9223372036854775807\"", nil), ("\"9223372036854775807:0\"", nil),
            ("9223372036854775807", nil), ("\"-1:30\"", nil), ("-5", nil), ("\" 12 \"", 12),
        ] as [(String, Int64?)])
    func readsDurations(_ json: String, _ expected: Int64?) throws {
        // Breaks when text durations are lost or minutes read as seconds.
        #expect(WholeSeconds.value(try node(json)) == expected)
    }

    @Test func timeEndsAtItsEnds() {
        // Breaks when a duration that a provider made up ends the worker: a trap is the plugin's death, three of them its quarantine.
        let now = ProviderTime(milliseconds: 1_772_637_667_000)
        #expect(now.adding(seconds: .max).milliseconds == .max && now.adding(seconds: .min).milliseconds == .min)
        #expect(now.adding(seconds: .max).rfc3339.hasPrefix("9999-") && now.adding(seconds: .min).rfc3339.hasPrefix("0000-"))
        #expect(now.adding(seconds: 1) == ProviderTime(milliseconds: 1_772_637_668_000))
    }

    @Test func readsWordsForYesAndNo() throws {
        // Breaks when "False" counts as true because it is there.
        for yes in ["true", "1", "\"True\"", "\"yes\"", "\"Converted\"", "\"Y\""] { #expect(Truth.value(try node(yes)) == true, "\(yes)") }
        for no in ["false", "0", "\"False\"", "\"no\"", "\"N\""] { #expect(Truth.value(try node(no)) == false, "\(no)") }
        for neither in ["null", "\"\"", "\"maybe\"", "{}"] { #expect(Truth.value(try node(neither)) == nil, "\(neither)") }
    }

    @Test func decodesQueriesBothWays() {
        // Breaks when a plus of a phone number or zone is lost, or a broken escape loses the field.
        let pairs = QueryText.pairs("a=%2B1+2&b=&c&d=%zz&e=x%3Dy&%C3%A9=%E2%82%AC")
        #expect(pairs.map(\.name) == ["a", "b", "c", "d", "e", "é"])
        #expect(pairs.map(\.value) == ["+1 2", "", "", "%zz", "x=y", "€"])
        let text = QueryText.encoded([("t", "2026-01-31 12:25:15 +0000"), ("n", "+1&é")])
        #expect(text == "t=2026-01-31%2012%3A25%3A15%20%2B0000&n=%2B1%26%C3%A9")
        #expect(QueryText.value("page", of: "https://x.test/a?b=1&page=7#page=9") == "7")
    }

    @Test func readsLinkHeadersAndRetryAfter() {
        // Breaks when a comma inside a URL ends a link, or a date in Retry-After is ignored.
        let link = "<https://x.test/a?x=1,2&page=1>; rel=\"prev\", <https://x.test/a?x=1,2&page=3>; title=\"n\"; rel=\"next\""
        let now = ProviderTime(milliseconds: 1_445_412_480_000 - 9_000)
        let answer = HTTPResponse(
            status: 503, headers: [("link", link), ("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")], askedAt: now)
        #expect(answer.link("next") == "https://x.test/a?x=1,2&page=3")
        #expect(answer.link("last") == nil)
        #expect(answer.retryAfter == .seconds(9))
        #expect(answer.error?.status == .remoteDown)
        #expect(answer.error?.retryAfter == .seconds(9))
    }
}
