// A cron expression of five fields, and the moments it fires at in a time zone, by the rules of cronie's daemon.
//
// When the clock is set forward by 5 minutes to 3 hours (daylight saving begins), jobs with a fixed time that falls
// into the skipped part fire at the jump; when it is set back by up to 3 hours, they do not fire a second time.
// Wildcard jobs (minute or hour begins with `*`) simply follow the clock. Larger jumps count as corrections of the
// clock: nothing is caught up or left out. Skips below 5 minutes are caught up for all jobs. Where cronie would start
// a job several times at one jump, it fires here once.

/// When a job fires, as civil time.
public struct CronExpression: Sendable, Hashable {
    private let minute: CronField
    private let hour: CronField
    private let dayOfMonth: CronField
    private let month: CronField
    private let dayOfWeek: CronField

    private static let nicknames = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *",
        "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]
    /// How far ahead is searched: a leap day is at most eight years away.
    private static let horizonDays: Int64 = 8 * 366

    /// Reads five fields or a nickname. `seed` decides what `~` picks: equal seeds pick equally.
    public init(_ text: String, seed: UInt64 = 0) throws(BerthError) {
        var text = text
        if text.hasPrefix("@") {
            guard let fields = Self.nicknames[text.lowercased()] else {
                let isReboot = text.lowercased() == "@reboot"
                throw BerthError(
                    .scheduleInvalid, isReboot ? "@reboot has no time" : "'\(text)' is no nickname",
                    hint: "use one of @hourly, @daily, @weekly, @monthly, @yearly")
            }
            text = fields
        }
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard words.count == 5 else {
            throw BerthError(
                .scheduleInvalid, "'\(text)' has \(words.count) field\(words.count == 1 ? "" : "s") where 5 are needed",
                hint: "write minute, hour, day of month, month and day of week, such as 0 3 * * *")
        }
        var state = seed
        func random(_ range: ClosedRange<Int>) -> Int {
            state &+= 0x9E37_79B9_7F4A_7C15
            return range.lowerBound + Int(SplitMix.mixed(state) % UInt64(range.count))
        }
        minute = try CronField(words[0], .minute, random: random)
        hour = try CronField(words[1], .hour, random: random)
        dayOfMonth = try CronField(words[2], .dayOfMonth, random: random)
        month = try CronField(words[3], .month, random: random)
        dayOfWeek = try CronField(words[4], .dayOfWeek, random: random)
        try refuseImpossibleDates(words)
    }

    private func refuseImpossibleDates(_ words: [Substring]) throws(BerthError) {
        // With two plain day fields either one suffices, so a weekday always comes.
        guard dayOfMonth.isStar || dayOfWeek.isStar, let first = dayOfMonth.next(from: 1) else { return }
        let longest = (1...12).filter(month.matches).map { CivilDate.days(inMonth: $0, year: 2000) }.max() ?? 0
        guard first > longest else { return }
        throw BerthError(
            .scheduleInvalid, "day of month '\(words[2])' never comes in month '\(words[3])'",
            hint: "the longest month chosen has \(longest) days")
    }

    /// Whether the job follows the clock when it is set, rather than being caught up or left out.
    public var isWildcard: Bool { minute.isStar || hour.isStar }

    /// The first moment after `moment` at which the job fires, a whole minute of civil time; nil when none comes
    /// within eight years.
    public func nextFire(after moment: Timestamp, zone: any TimeZoneRules) -> Timestamp? {
        let start = Timestamp.floorDivide(moment.milliseconds, 1000)
        let horizon = start + Self.horizonDays * 86_400
        var offset = zone.offsetSeconds(at: moment)
        var from = start + offset + 1  // civil seconds, the first that may fire
        var begin = zone.transition(atOrBefore: moment)
        while true {
            let end = zone.transition(after: begin.map { max($0.moment, moment) } ?? moment)
            var candidate = from
            // A fixed time that came before the clock was set back does not come again.
            if !isWildcard, let begin, begin.offsetAfter < begin.offsetBefore, begin.offsetBefore - begin.offsetAfter <= 3 * 3600 {
                candidate = max(candidate, Self.seconds(begin.moment) + begin.offsetBefore)
            }
            let endSeconds = end.map { Self.seconds($0.moment) } ?? horizon
            let limit = min(endSeconds, horizon) + offset
            if let civil = nextMatch(from: candidate, before: limit) { return Timestamp(milliseconds: (civil - offset) * 1000) }
            guard let end, endSeconds < horizon else { return nil }
            let gap = end.offsetAfter - end.offsetBefore
            if gap > 0, gap < 300 || (gap <= 3 * 3600 && !isWildcard),
                nextMatch(from: endSeconds + end.offsetBefore, before: endSeconds + end.offsetAfter) != nil
            {
                return end.moment
            }
            begin = end
            offset = end.offsetAfter
            from = endSeconds + offset
        }
    }

    private static func seconds(_ moment: Timestamp) -> Int64 { Timestamp.floorDivide(moment.milliseconds, 1000) }

    /// The first matching civil minute in `[from, limit)`, both in seconds of civil time.
    private func nextMatch(from: Int64, before limit: Int64) -> Int64? {
        let firstMinute = Timestamp.floorDivide(from + 59, 60)
        var day = Timestamp.floorDivide(firstMinute, 1440)
        var minuteOfDay = Int(firstMinute - day * 1440)
        while day * 86_400 < limit {
            let date = CivilDate(daysSinceEpoch: day)
            guard month.matches(date.month) else {
                day += Int64(CivilDate.days(inMonth: date.month, year: date.year) - date.day + 1)
                minuteOfDay = 0
                continue
            }
            if matchesDay(date, day), let found = nextMinute(from: minuteOfDay) {
                let civil = day * 86_400 + Int64(found) * 60
                return civil < limit ? civil : nil
            }
            day += 1
            minuteOfDay = 0
        }
        return nil
    }

    private func matchesDay(_ date: CivilDate, _ day: Int64) -> Bool {
        let weekday = Int(day + 4 - 7 * Timestamp.floorDivide(day + 4, 7))
        let byDate = dayOfMonth.matches(date.day)
        let byWeekday = dayOfWeek.matches(weekday)
        return dayOfMonth.isStar || dayOfWeek.isStar ? byDate && byWeekday : byDate || byWeekday
    }

    private func nextMinute(from minuteOfDay: Int) -> Int? {
        var at = minuteOfDay / 60
        var first = minuteOfDay % 60
        while let found = hour.next(from: at) {
            if let match = minute.next(from: found == at ? first : 0) { return found * 60 + match }
            at = found + 1
            first = 0
        }
        return nil
    }
}
