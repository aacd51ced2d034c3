// Schedules as text, their options, and what becomes of missed times.

import BerthModel
import Testing

@Suite struct ScheduleTests {
    // Without exact reading a schedule would run at another pace than its text says.
    @Test func readsTexts() throws {
        #expect(try Schedule("every 30s").timing == .every(seconds: 30))
        #expect(try Schedule("every 366d").timing == .every(seconds: 366 * 86_400))
        let cron = try Schedule("cron 0 3 * * * tz=Europe/Berlin jitter=30s catch_up=none")
        #expect(cron.zoneName == "Europe/Berlin" && cron.jitterSeconds == 30 && cron.catchUp == .none)
        #expect(try Schedule("cron @daily").timing == Schedule("cron 0 0 * * *").timing)
        #expect(try Schedule("every 5m").catchUp == .once)
    }

    // Without precise refusals a typing error would become a wrong schedule.
    @Test(arguments: [
        ("", "empty"), ("5m", "neither"), ("every", "one interval"), ("every 5", "'5'"), ("every 5x", "'5x'"), ("every 0s", "out of range"),
        ("every 367d", "out of range"), ("every -5m", "'-5m'"), ("every 1.5h", "'1.5h'"), ("every 5m 3m", "one interval"),
        ("every 5m tz=Europe/Berlin", "cron only"), ("cron 0 3 * * * tz=../etc", "time zone"), ("cron 0 3 * * * tz=", "time zone"),
        ("every 5m jitter=5m", "not shorter"), ("every 5m jitter=2d", "out of range"), ("every 5m catch_up=all", "catch_up 'all'"),
        ("every 5m catchup=once", "option 'catchup'"), ("every 5m jitter=1s jitter=2s", "twice"), ("cron 0 3 * *", "4 fields"),
        ("every 999999999999999999s", "no duration"),
    ]) func refuses(text: String, message: String) {
        do {
            _ = try Schedule(text)
            Issue.record("'\(text)' was accepted")
        } catch {
            #expect(error.code == .scheduleInvalid && error.hint != nil)
            #expect(error.message.contains(message), "\(error)")
        }
    }

    // Without the anchor a restart would shift intervals.
    @Test func intervalsKeepTheirAnchor() throws {
        let schedule = try Schedule("every 5m")
        let anchor = moment("2026-03-04T00:01:00Z")
        func next(_ text: String) -> Timestamp? { schedule.nextFire(after: moment(text), zone: FixedZone.utc, anchor: anchor) }
        #expect(next("2026-03-04T00:01:00Z") == moment("2026-03-04T00:06:00Z"))
        #expect(next("2026-03-04T00:05:59.999Z") == moment("2026-03-04T00:06:00Z"))
        #expect(next("2026-03-03T23:00:00Z") == moment("2026-03-03T23:01:00Z"))
    }

    // Without the policy, a daemon that was off would either skip a run or start a burst of them.
    @Test func missedTimes() throws {
        let last = moment("2026-03-04T03:00:00Z")
        let now = moment("2026-03-08T12:34:56Z")
        let once = try Schedule("cron 0 3 * * *")
        let none = try Schedule("cron 0 3 * * * catch_up=none")
        #expect(once.nextRun(lastRunAt: last, now: now, zone: FixedZone.utc) == moment("2026-03-05T03:00:00Z"))  // past: due at once
        #expect(none.nextRun(lastRunAt: last, now: now, zone: FixedZone.utc) == moment("2026-03-09T03:00:00Z"))
        // Seen a little late, a firing is no missed one.
        for text in ["2026-03-05T03:00:00.001Z", "2026-03-05T03:01:29Z"] {
            #expect(none.nextRun(lastRunAt: last, now: moment(text), zone: FixedZone.utc) == moment("2026-03-05T03:00:00Z"))
        }
        let scattered = try Schedule("cron 0 3 * * * catch_up=none jitter=10m")
        #expect(
            scattered.nextRun(lastRunAt: last, now: moment("2026-03-05T03:11:00Z"), zone: FixedZone.utc) == moment("2026-03-05T03:00:00Z"))
        #expect(once.nextRun(lastRunAt: now, now: now, zone: FixedZone.utc) == moment("2026-03-09T03:00:00Z"))
        // The clock was set back by years: the schedule goes on from now.
        #expect(once.nextRun(lastRunAt: moment("2031-01-01T00:00:00Z"), now: now, zone: FixedZone.utc) == moment("2026-03-09T03:00:00Z"))
    }

    // Without stable scatter a restart would move a run; without scatter all streams start at once.
    @Test func jitterIsBoundedAndStable() throws {
        let schedule = try Schedule("cron 0 3 * * * jitter=30s")
        let firing = moment("2026-03-04T03:00:00Z")
        let times = (0..<500 as Range<UInt64>).map { schedule.jittered(firing, seed: $0) }
        #expect(times.allSatisfy { firing <= $0 && $0 <= firing.adding(seconds: 30) })
        #expect(Set(times).count > 400)
        #expect(times == (0..<500 as Range<UInt64>).map { schedule.jittered(firing, seed: $0) })
        #expect(try Schedule("cron 0 3 * * *").jittered(firing, seed: 9) == firing)
    }
}
