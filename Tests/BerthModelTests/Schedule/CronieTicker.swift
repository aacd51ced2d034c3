// The loop of cronie's daemon, minute by minute: the yardstick for CronExpression.nextFire. Reads its fields itself.

import BerthModel

struct CronieTicker {
    let fields: [Set<Int>]
    let stars: [Bool]

    /// Numbers, lists, ranges and steps only.
    init(_ text: String) {
        let ranges = [0...59, 0...23, 1...31, 1...12, 0...7]
        var fields: [Set<Int>] = []
        var stars: [Bool] = []
        for (word, range) in zip(text.split(separator: " "), ranges) {
            stars.append(word.first == "*")
            var values: Set<Int> = []
            for item in word.split(separator: ",") {
                let parts = item.split(separator: "/")
                let step = parts.count == 2 ? Int(parts[1]) ?? 1 : 1
                let ends = parts[0].split(separator: "-").compactMap { Int($0) }
                let low = ends.first ?? range.lowerBound
                let high = ends.last ?? range.upperBound
                for value in stride(from: low, through: high, by: step) { values.insert(value) }
            }
            fields.append(values)
        }
        if fields[4].contains(7) { fields[4].insert(0) }
        self.fields = fields
        self.stars = stars
    }

    var isWildcard: Bool { stars[0] || stars[1] }

    func matches(localMinute: Int64) -> Bool {
        let day = localMinute >= 0 ? localMinute / 1440 : (localMinute - 1439) / 1440
        let inDay = Int(localMinute - day * 1440)
        let date = CivilDate(daysSinceEpoch: day)
        guard fields[0].contains(inDay % 60), fields[1].contains(inDay / 60), fields[3].contains(date.month) else { return false }
        let byDate = fields[2].contains(date.day)
        let byWeekday = fields[4].contains(date.weekday)
        return stars[2] || stars[4] ? byDate && byWeekday : byDate || byWeekday
    }

    /// Every minute in `(start, end]` in which a job is started.
    func fires(from start: Timestamp, to end: Timestamp, zone: any TimeZoneRules) -> [Timestamp] {
        func local(_ minute: Int64) -> Int64 {
            minute + zone.offsetSeconds(at: Timestamp(milliseconds: minute * 60_000)) / 60
        }
        let first = start.milliseconds / 60_000
        var virtual = local(first)
        var found: [Timestamp] = []
        for minute in first + 1...end.milliseconds / 60_000 {
            let now = local(minute)
            let jump = now - virtual
            var runs = false
            if jump > 180 || jump < -180 {
                runs = matches(localMinute: now)
                virtual = now
            } else if jump >= 5 {
                runs = isWildcard ? matches(localMinute: now) : (virtual + 1...now).contains { matches(localMinute: $0) }
                virtual = now
            } else if jump > 0 {
                runs = (virtual + 1...now).contains { matches(localMinute: $0) }
                virtual = now
            } else {
                runs = isWildcard && matches(localMinute: now)
            }
            if runs { found.append(Timestamp(milliseconds: minute * 60_000)) }
        }
        return found
    }
}
