// Cron times against known cases, and against cronie's own loop around changes of the clock.

import BerthModel
import Testing

@Suite struct CronExpressionTests {
    // Without these rules the fields would be read differently from cronie.
    @Test(arguments: [
        ("0 3 * * *", "2026-03-04T02:59:59.999Z", "2026-03-04T03:00:00Z"), ("0 3 * * *", "2026-03-04T03:00:00Z", "2026-03-05T03:00:00Z"),
        ("*/35 * * * *", "2026-03-04T00:35:00Z", "2026-03-04T01:00:00Z"),
        ("5,10-12/2 * * * *", "2026-03-04T00:05:00Z", "2026-03-04T00:10:00Z"),
        ("5,10-12/2 * * * *", "2026-03-04T00:10:00Z", "2026-03-04T00:12:00Z"),
        ("0 0 1 jan *", "2026-03-04T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("0 0 29 2 *", "2026-03-04T00:00:00Z", "2028-02-29T00:00:00Z"), ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
        ("0 0 * * 7", "2026-03-04T00:00:00Z", "2026-03-08T00:00:00Z"), ("0 0 * * sun", "2026-03-04T00:00:00Z", "2026-03-08T00:00:00Z"),
        ("0 0 * * FRI-Sun", "2026-03-04T00:00:00Z", "2026-03-06T00:00:00Z"),
        ("0 0 * * 5-0", "2026-03-07T00:00:00Z", "2026-03-08T00:00:00Z"),
        ("0 0 13 * 5", "2026-03-04T00:00:00Z", "2026-03-06T00:00:00Z"),  // neither star: either day field
        ("0 0 */2 * 1", "2026-03-01T00:00:00Z", "2026-03-09T00:00:00Z"),  // star: both
        ("0 0 13 * */5", "2026-03-04T00:00:00Z", "2026-03-13T00:00:00Z"), ("@hourly", "2026-03-04T00:00:00Z", "2026-03-04T01:00:00Z"),
        ("@weekly", "2026-03-04T00:00:00Z", "2026-03-08T00:00:00Z"), ("@yearly", "2026-03-04T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("0 0 31 * *", "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"), ("59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"),
        ("0\t3  * * *", "2026-03-04T00:00:00Z", "2026-03-04T03:00:00Z"), ("*/7 0 * * *", "1969-12-31T00:56:00Z", "1970-01-01T00:00:00Z"),
    ]) func firesAt(text: String, after: String, expected: String) throws {
        #expect(try CronExpression(text).nextFire(after: moment(after), zone: FixedZone.utc) == moment(expected))
    }

    // Without civil-time rules jobs would be lost or doubled in the nights the clock changes.
    @Test(arguments: [
        ("Berlin", "30 2 * * *", "2026-03-28T02:00:00Z", "2026-03-29T01:00:00Z"),  // 02:30 is skipped: runs at the jump
        ("Berlin", "30 2 * * *", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"),
        ("Berlin", "30 2 * * *", "2026-03-29T00:59:30Z", "2026-03-29T01:00:00Z"),
        ("Berlin", "*/30 2 * * *", "2026-03-28T02:00:00Z", "2026-03-30T00:00:00Z"),  // wildcard: not caught up
        ("Berlin", "30 2 * * *", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"),
        ("Berlin", "30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),  // the second 02:30 is left out
        ("Berlin", "30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),  // wildcard: both
        ("Berlin", "0 3 * * *", "2026-03-28T22:00:00Z", "2026-03-29T01:00:00Z"),
        ("New_York", "30 2 * * *", "2026-03-07T12:00:00Z", "2026-03-08T07:00:00Z"),
        ("New_York", "30 1 * * *", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"),
        ("New_York", "0 12 * * *", "2026-11-01T05:30:00Z", "2026-11-01T17:00:00Z"),
        ("Lord_Howe", "15 2 * * *", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z"),  // 02:00 becomes 02:30
        ("Lord_Howe", "45 1 * * *", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"),  // 02:00 becomes 01:30
        ("New_York", "0 0 29 2 *", "2060-03-01T00:00:00Z", "2064-02-29T05:00:00Z"),
        ("Apia", "0 12 30 12 *", "2011-12-29T00:00:00Z", "2012-12-29T22:00:00Z"),  // 30 December 2011 never was in Samoa
    ]) func firesInZone(zone: String, text: String, after: String, expected: String) throws {
        let zone = try ZoneFixtures.zone(zone)
        #expect(try CronExpression(text).nextFire(after: moment(after), zone: zone) == moment(expected))
    }

    // Without this comparison a rule could be right in the table above and wrong elsewhere.
    @Test(arguments: [
        ("Berlin", "2026-03-27T00:00:00Z"), ("Berlin", "2026-10-23T00:00:00Z"), ("New_York", "2026-03-06T00:00:00Z"),
        ("New_York", "2026-10-30T00:00:00Z"), ("Lord_Howe", "2026-04-03T00:00:00Z"), ("Lord_Howe", "2026-10-02T00:00:00Z"),
        ("Dublin", "2027-03-26T00:00:00Z"), ("Dublin", "2027-10-29T00:00:00Z"), ("Troll", "2026-03-27T00:00:00Z"),
        ("Troll", "2026-10-23T00:00:00Z"), ("Apia", "2011-12-28T00:00:00Z"), ("Berlin", "2080-03-29T00:00:00Z"),
    ]) func agreesWithCronie(zone name: String, start: String) throws {
        let zone = try ZoneFixtures.zone(name)
        let start = moment(start)
        let end = start.adding(seconds: 4 * 86_400)
        for text in [
            "0 * * * *", "*/7 * * * *", "15 2 * * *", "30 1 * * *", "0 2 * * *", "0,30 2,3 * * *", "*/20 2 * * *", "45 1-3 * * *",
            "59 1 * * *",
            "0 3 * * *", "0 0 * * *", "30 0,1 * * 0", "5 * 25-31 * 0", "10 2 29 3 *", "* 2 * * *", "15,45 1-3/2 * * 6,0", "1 0-4 * * *",
        ] {
            let job = try CronExpression(text)
            var fires: [Timestamp] = []
            var at = start
            while let next = job.nextFire(after: at, zone: zone), next <= end {
                fires.append(next)
                at = next
            }
            #expect(fires == CronieTicker(text).fires(from: start, to: end, zone: zone), "\(text) in \(name)")
            // From any moment in between, the same next one comes.
            for offset in stride(from: Int64(0), to: 4 * 86_400, by: 1373) {
                let from = start.adding(seconds: offset)
                guard let expected = fires.first(where: { $0 > from }) else { continue }
                #expect(job.nextFire(after: from, zone: zone) == expected, "\(text) in \(name) from \(from)")
            }
        }
    }

    // Without precise refusals an operator would guess, or a job would silently never run.
    @Test(arguments: [
        ("60 * * * *", "minute: '60'", "0-59"), ("* 24 * * *", "hour: '24'", "0-23"), ("* * 0 * *", "day of month: '0'", "1-31"),
        ("* * * 13 *", "month: '13'", "1-12 or jan-dec"), ("* * * * 8", "day of week: '8'", "0-7 or sun-sat"),
        ("5/10 * * * *", "single value a step", "5-59/10"), ("*/0 * * * *", "step '0'", "from 1"), ("*/x * * * *", "step 'x'", "from 1"),
        ("30-10 * * * *", "reversed", "0-10,30-59"), ("10-0 * * * *", "reversed", ""), ("* * * * sat-mon", "reversed", ""),
        ("1,,2 * * * *", "empty list item", ""), ("* * * *", "4 fields", ""), ("* * * * * *", "6 fields", ""), ("", "0 fields", ""),
        ("@reboot", "@reboot has no time", "@daily"), ("@often", "'@often'", "@hourly"), ("* * * feb-foo *", "'feb-foo'", "jan-dec"),
        ("0 0 30 2 *", "never comes", "29 days"), ("0 0 31 4,6,9,11 *", "never comes", "30 days"), ("-5 * * * *", "''", ""),
        ("+5 * * * *", "'+5'", ""), ("٣ * * * *", "'٣'", ""), ("1~70 * * * *", "'70'", ""), ("9~3 * * * *", "reversed", ""),
        ("1~9/2 * * * *", "step", ""), ("99999999999999999999 * * * *", "minute", ""), ("*5 * * * *", "'*5'", ""),
        ("1-2-3 * * * *", "'2-3'", ""),
    ]) func refuses(text: String, message: String, hint: String) {
        do {
            _ = try CronExpression(text)
            Issue.record("'\(text)' was accepted")
        } catch {
            #expect(error.code == .scheduleInvalid)
            #expect(error.message.contains(message), "\(error)")
            #expect(hint.isEmpty || error.hint?.contains(hint) == true, "\(error)")
        }
    }

    // An impossible date beside a plain weekday is fine: either day field suffices.
    @Test func weekdaySavesAnImpossibleDate() throws {
        let job = try CronExpression("0 0 30 2 1")
        #expect(job.nextFire(after: moment("2026-02-01T12:00:00Z"), zone: FixedZone.utc) == moment("2026-02-02T00:00:00Z"))
    }

    // Without the seed `~` would move on every restart, and all streams would pick the same minute.
    @Test func randomChoiceFollowsTheSeed() throws {
        var picked: Set<CronExpression> = []
        for seed in 0..<200 as Range<UInt64> {
            let job = try CronExpression("10~20 ~ * * *", seed: seed)
            #expect(try job == CronExpression("10~20 ~ * * *", seed: seed))
            let next = try #require(job.nextFire(after: moment("2026-03-04T00:00:00Z"), zone: FixedZone.utc))
            #expect((10...20).contains(next.milliseconds / 60_000 % 60))
            picked.insert(job)
        }
        #expect(picked.count > 100)
    }

    // A date that is possible but too far away gives nil, not an endless search.
    @Test func neverIsNil() throws {
        let job = try CronExpression("0 0 29 2 *")
        #expect(job.nextFire(after: moment("2096-02-29T00:00:00Z"), zone: FixedZone.utc) == moment("2104-02-29T00:00:00Z"))
        let rare = try CronExpression("0 0 29 2 */6")
        #expect(rare.nextFire(after: moment("2032-03-01T00:00:00Z"), zone: FixedZone.utc) == nil)
    }
}
