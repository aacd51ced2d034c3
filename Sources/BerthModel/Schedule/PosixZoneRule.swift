// The rule at the end of a TZif file (a POSIX TZ string with the extensions of RFC 8536): which offset holds in years
// the file's table does not reach.

/// `CET-1CEST,M3.5.0,M10.5.0/3` as a rule.
struct PosixZoneRule: Sendable, Hashable {
    private var standardOffset: Int64
    private var daylight: Daylight?

    private struct Daylight: Hashable {
        var offset: Int64
        var start: Day
        var end: Day
    }

    /// A day of the year, and seconds after its local midnight.
    private struct Day: Hashable {
        enum Kind: Hashable {
            /// 1 to 365, 29 February never counted.
            case julian(Int)
            /// 0 to 365, 29 February counted.
            case zeroBased(Int)
            /// Month, week 1 to 5 (5 is the last), weekday with 0 for Sunday.
            case weekday(month: Int, week: Int, day: Int)
        }
        var kind: Kind
        var seconds: Int64

        func secondsSinceEpoch(year: Int64) -> Int64 {
            let days: Int64
            switch kind {
            case .julian(let day):
                let isLeap = CivilDate.days(inMonth: 2, year: year) == 29
                days = CivilDate(year: year, month: 1, day: 1).daysSinceEpoch + Int64(day - 1 + (isLeap && day >= 60 ? 1 : 0))
            case .zeroBased(let day): days = CivilDate(year: year, month: 1, day: 1).daysSinceEpoch + Int64(day)
            case .weekday(let month, let week, let weekday):
                let first = CivilDate(year: year, month: month, day: 1)
                var day = 1 + (weekday - first.weekday + 7) % 7 + 7 * (week - 1)
                if day > CivilDate.days(inMonth: month, year: year) { day -= 7 }
                days = first.daysSinceEpoch + Int64(day - 1)
            }
            return days * 86_400 + seconds
        }
    }

    /// Nil for a text that is no rule.
    init?(_ text: String) {
        var reader = Reader(rest: text.utf8[...])
        guard reader.name(), let standard = reader.time(hoursMax: 24) else { return nil }
        standardOffset = -standard
        guard !reader.rest.isEmpty else { return }
        guard reader.name() else { return nil }
        var offset = standardOffset + 3600
        if reader.rest.first != UInt8(ascii: ",") {
            guard let given = reader.time(hoursMax: 24) else { return nil }
            offset = -given
        }
        guard reader.skip(","), let start = reader.day(), reader.skip(","), let end = reader.day(), reader.rest.isEmpty else { return nil }
        daylight = Daylight(offset: offset, start: start, end: end)
    }

    func offset(at seconds: Int64) -> Int64 {
        guard daylight != nil else { return standardOffset }
        return changes(around: seconds).last { $0.at <= seconds }?.after ?? standardOffset
    }

    func transition(after seconds: Int64) -> ZoneTransition? {
        transitions(around: seconds).first { $0.moment.milliseconds > seconds * 1000 }
    }

    func transition(atOrBefore seconds: Int64) -> ZoneTransition? {
        transitions(around: seconds).last { $0.moment.milliseconds <= seconds * 1000 }
    }

    private func transitions(around seconds: Int64) -> [ZoneTransition] {
        let changes = changes(around: seconds)
        return zip(changes, changes.dropFirst()).compactMap { before, change in
            before.after == change.after
                ? nil
                : ZoneTransition(moment: Timestamp(milliseconds: change.at * 1000), offsetBefore: before.after, offsetAfter: change.after)
        }
    }

    /// Starts and ends of daylight saving of five years, in order. Of two at the same moment the start stands:
    /// "daylight saving all year" is written as an end that meets the next start.
    private func changes(around seconds: Int64) -> [(at: Int64, after: Int64)] {
        guard let daylight else { return [] }
        let year = CivilDate(daysSinceEpoch: Timestamp.floorDivide(seconds, 86_400)).year
        var all: [(at: Int64, after: Int64, isStart: Bool)] = []
        for year in year - 2...year + 2 {
            all.append((daylight.start.secondsSinceEpoch(year: year) - standardOffset, daylight.offset, true))
            all.append((daylight.end.secondsSinceEpoch(year: year) - daylight.offset, standardOffset, false))
        }
        all.sort { ($0.at, $0.isStart ? 1 : 0) < ($1.at, $1.isStart ? 1 : 0) }
        var kept: [(at: Int64, after: Int64)] = []
        for change in all {
            if kept.last?.at == change.at { kept.removeLast() }
            kept.append((change.at, change.after))
        }
        return kept
    }

    private struct Reader {
        var rest: Substring.UTF8View

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: character) else { return false }
            rest.removeFirst()
            return true
        }

        /// A zone abbreviation: letters, or anything in angle brackets.
        mutating func name() -> Bool {
            if skip("<") {
                guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
                rest = rest[rest.index(after: end)...]
                return true
            }
            let letters = rest.prefix { (65...90).contains($0) || (97...122).contains($0) }.count
            rest = rest.dropFirst(letters)
            return letters >= 3
        }

        mutating func number(max limit: Int64) -> Int64? {
            let digits = rest.prefix { (48...57).contains($0) }
            guard (1...3).contains(digits.count) else { return nil }
            let value = digits.reduce(Int64(0)) { $0 * 10 + Int64($1 - 48) }
            rest = rest.dropFirst(digits.count)
            return value <= limit ? value : nil
        }

        /// `[+-]h[:m[:s]]` in seconds.
        mutating func time(hoursMax: Int64) -> Int64? {
            let isNegative = skip("-")
            if !isNegative { _ = skip("+") }
            guard let hours = number(max: hoursMax) else { return nil }
            var seconds = hours * 3600
            if skip(":") {
                guard let minutes = number(max: 59) else { return nil }
                seconds += minutes * 60
                if skip(":") {
                    guard let rest = number(max: 59) else { return nil }
                    seconds += rest
                }
            }
            return isNegative ? -seconds : seconds
        }

        mutating func day() -> Day? {
            let kind: Day.Kind
            if skip("J") {
                guard let day = number(max: 365), day >= 1 else { return nil }
                kind = .julian(Int(day))
            } else if skip("M") {
                guard let month = number(max: 12), month >= 1, skip("."), let week = number(max: 5), week >= 1, skip("."),
                    let day = number(max: 6)
                else { return nil }
                kind = .weekday(month: Int(month), week: Int(week), day: Int(day))
            } else {
                guard let day = number(max: 365) else { return nil }
                kind = .zeroBased(Int(day))
            }
            guard skip("/") else { return Day(kind: kind, seconds: 7200) }
            return time(hoursMax: 167).map { Day(kind: kind, seconds: $0) }
        }
    }
}
