// When a stream is synced: `every 5m`, or `cron 0 3 * * *`, with options. Pure: the scheduler asks it for moments.

/// A schedule, read from text:
///
///     every 30s|5m|2h|1d                      1 second to 366 days
///     cron MINUTE HOUR DAY MONTH WEEKDAY      cronie's rules; or a nickname: cron @daily
///     ... tz=Europe/Berlin jitter=30s catch_up=none|once
public struct Schedule: Sendable, Hashable {
    /// What it goes by.
    public enum Timing: Sendable, Hashable {
        /// Every so many seconds.
        case every(seconds: Int64)
        /// At civil times.
        case cron(CronExpression)
    }

    /// What happens after a time in which the daemon could not run it.
    public enum CatchUp: String, Sendable, Hashable, CaseIterable {
        /// Missed times are gone.
        case none
        /// Any number of missed times give one run at once.
        case once
    }

    /// What it goes by.
    public let timing: Timing
    /// Name of the time zone for `cron`; nil: UTC.
    public let zoneName: String?
    /// Runs begin up to this much later, scattered.
    public let jitterSeconds: Int64
    /// What happens with missed times.
    public let catchUp: CatchUp
    /// The text it was read from.
    public let text: String

    /// Reads the text. `seed` decides what `~` picks and should differ between streams. Throws `schedule_invalid`
    /// naming the field, the value and what is allowed.
    public init(_ text: String, seed: UInt64 = 0) throws(BerthError) {
        var words = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
        var options: [String: Substring] = [:]
        while let last = words.last, let equals = last.firstIndex(of: "=") {
            let name = String(last[..<equals])
            guard options.updateValue(last[last.index(after: equals)...], forKey: name) == nil else {
                throw Self.refused("the option '\(name)' is given twice", hint: "keep one of them")
            }
            words.removeLast()
        }
        self.text = text
        let timing: Timing
        switch words.first?.lowercased() {
        case "every":
            guard words.count == 2 else {
                throw Self.refused("'\(text)' does not give one interval", hint: "write every 5m; units are s, m, h, d")
            }
            timing = .every(seconds: try Self.seconds(words[1], "interval", 1...366 * 86_400))
        case "cron": timing = .cron(try CronExpression(words.dropFirst().joined(separator: " "), seed: seed))
        default:
            throw Self.refused(
                words.isEmpty ? "the schedule is empty" : "'\(words[0])' is neither 'every' nor 'cron'",
                hint: "write every 5m, or cron 0 3 * * * tz=Europe/Berlin")
        }
        self.timing = timing
        zoneName = try options.removeValue(forKey: "tz").map { value throws(BerthError) in try Self.zoneName(value, timing) }
        let jitter = options.removeValue(forKey: "jitter")
        jitterSeconds = try jitter.map { value throws(BerthError) in try Self.seconds(value, "jitter", 0...86_400) } ?? 0
        if case .every(let seconds) = timing, jitterSeconds >= seconds, jitterSeconds > 0 {
            throw Self.refused("jitter '\(jitter ?? "")' is not shorter than the interval", hint: "choose a jitter below \(words[1])")
        }
        let policy = options.removeValue(forKey: "catch_up")
        guard let catchUp = policy.map({ CatchUp(rawValue: String($0)) }) ?? .once else {
            throw Self.refused("catch_up '\(policy ?? "")' is unknown", hint: "allowed are none and once")
        }
        self.catchUp = catchUp
        if let name = options.keys.min() {
            let nearest = NearestName.of(name, among: ["tz", "jitter", "catch_up"])
            throw Self.refused(
                "the option '\(name)' is unknown", hint: nearest.map { "did you mean '\($0)'?" } ?? "options are tz, jitter and catch_up")
        }
    }

    private static func refused(_ message: String, hint: String) -> BerthError { BerthError(.scheduleInvalid, message, hint: hint) }

    private static func zoneName(_ value: Substring, _ timing: Timing) throws(BerthError) -> String {
        guard case .cron = timing else { throw refused("tz goes with cron only", hint: "an interval does not depend on a time zone") }
        guard ZoneCatalog.isName(String(value)) else {
            throw refused("tz '\(value)' is no time zone's name", hint: "use a name of the tz database, such as Europe/Berlin")
        }
        return String(value)
    }

    /// `30s`, `5m`, `2h`, `1d` in seconds.
    private static func seconds(_ text: Substring, _ what: String, _ range: ClosedRange<Int64>) throws(BerthError) -> Int64 {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let digits = text.dropLast()
        guard let unit = text.last.flatMap({ units[$0] }), (1...9).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (48...57).contains($0) }), let count = Int64(digits)
        else {
            throw refused("\(what) '\(text)' is no duration", hint: "write a whole number and a unit: 30s, 5m, 2h, 1d")
        }
        guard range.contains(count * unit) else {
            throw refused("\(what) '\(text)' is out of range", hint: "allowed are \(range.lowerBound)s to \(range.upperBound / 86_400)d")
        }
        return count * unit
    }

    /// The first moment after `moment` at which it fires, jitter left out; nil when none comes within eight years.
    /// Intervals count from `anchor`, so that restarts do not shift them.
    public func nextFire(
        after moment: Timestamp, zone: any TimeZoneRules, anchor: Timestamp = Timestamp(milliseconds: 0)
    ) -> Timestamp? {
        switch timing {
        case .cron(let expression): return expression.nextFire(after: moment, zone: zone)
        case .every(let seconds):
            let step = seconds * 1000
            let passed = Timestamp.floorDivide(moment.milliseconds - anchor.milliseconds, step)
            return Timestamp(milliseconds: anchor.milliseconds + (passed + 1) * step)
        }
    }

    /// How late a firing may be seen and still count as in time: whoever asks does so only now and then.
    private static let graceSeconds: Int64 = 90

    /// The firing that the next run is for, `lastRunAt` being when the stream was last run or first scheduled. A moment
    /// at or before `now` means: due. Of missed firings the first is given (`catch_up=once`: one run for all of them), or
    /// none that is more than 90 seconds and the jitter late (`catch_up=none`). Jitter is left out: see ``jittered(_:seed:)``.
    public func nextRun(
        lastRunAt: Timestamp, now: Timestamp, zone: any TimeZoneRules, anchor: Timestamp = Timestamp(milliseconds: 0)
    ) -> Timestamp? {
        // A clock that was set back must not silence the schedule until it has caught up.
        var after = min(lastRunAt, now)
        if catchUp == .none { after = max(after, now.adding(seconds: -Self.graceSeconds - jitterSeconds)) }
        return nextFire(after: after, zone: zone, anchor: anchor)
    }

    /// A firing with its jitter: 0 to `jitterSeconds` later, the same for the same firing and seed.
    public func jittered(_ firing: Timestamp, seed: UInt64) -> Timestamp {
        guard jitterSeconds > 0 else { return firing }
        let scatter = SplitMix.mixed(seed ^ SplitMix.mixed(UInt64(bitPattern: firing.milliseconds) &+ 0x9E37_79B9_7F4A_7C15))
        return firing.adding(milliseconds: Int64(scatter % UInt64(jitterSeconds * 1000 + 1)))
    }
}

extension Schedule: CustomStringConvertible {
    /// The text it was read from.
    public var description: String { text }
}
