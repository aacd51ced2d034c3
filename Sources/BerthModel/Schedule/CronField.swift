// One field of a cron expression, by cronie's rules where they are sound, and refused where cronie guesses.

/// The values of one field as bits.
struct CronField: Sendable, Hashable {
    /// Which field.
    enum Kind: Int, Sendable, Hashable, CaseIterable {
        case minute, hour, dayOfMonth, month, dayOfWeek

        var name: String { ["minute", "hour", "day of month", "month", "day of week"][rawValue] }
        /// What may be written. 7 is Sunday too.
        var range: ClosedRange<Int> { [0...59, 0...23, 1...31, 1...12, 0...7][rawValue] }

        var names: [String] {
            switch self {
            case .month: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
            case .dayOfWeek: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
            default: []
            }
        }

        var allowed: String {
            let names = names
            guard let first = names.first, let last = names.last else { return "\(range.lowerBound)-\(range.upperBound)" }
            return "\(range.lowerBound)-\(range.upperBound) or \(first)-\(last)"
        }
    }

    /// Bit n is set when n matches.
    private(set) var bits: UInt64 = 0
    /// Whether the text begins with `*`: decides how the two day fields combine, and marks wildcard jobs.
    let isStar: Bool

    func matches(_ value: Int) -> Bool { bits >> UInt64(value) & 1 == 1 }

    /// The smallest matching value at or above `value`.
    func next(from value: Int) -> Int? {
        guard value < 64 else { return nil }
        let rest = bits & (.max << UInt64(value))
        return rest == 0 ? nil : rest.trailingZeroBitCount
    }

    /// Reads a field; `random` gives the choice for `~`.
    init(_ text: Substring, _ kind: Kind, random: (ClosedRange<Int>) -> Int) throws(BerthError) {
        isStar = text.hasPrefix("*")
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            try add(item, of: text, kind, random: random)
        }
        if kind == .dayOfWeek, bits >> 7 & 1 == 1 { bits = bits & 0x7F | 1 }
    }

    private mutating func add(
        _ item: Substring, of text: Substring, _ kind: Kind, random: (ClosedRange<Int>) -> Int
    ) throws(BerthError) {
        func refuse(_ why: String, hint: String) -> BerthError {
            let place = item == text ? "'\(text)'" : "'\(item)' in '\(text)'"
            return BerthError(.scheduleInvalid, "\(kind.name): \(place) \(why)", hint: hint)
        }
        guard !item.isEmpty else { throw refuse("has an empty list item", hint: "write values separated by single commas, such as 1,15") }
        let parts = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let base = parts[0]
        var step = 1
        if parts.count == 2 {
            guard let given = Self.number(parts[1]), given > 0 else {
                throw refuse("has the step '\(parts[1])'", hint: "a step is a whole number from 1, such as */5")
            }
            step = given
        }
        func value(_ word: Substring) throws(BerthError) -> Int {
            if let index = kind.names.firstIndex(of: word.lowercased()) { return index + (kind == .month ? 1 : 0) }
            guard let number = Self.number(word), kind.range.contains(number) else {
                throw refuse("has the value '\(word)'", hint: "allowed are \(kind.allowed), lists, ranges and steps")
            }
            return number
        }
        var low: Int
        var high: Int
        if base == "*" {
            (low, high) = (kind.range.lowerBound, kind.range.upperBound)
        } else if let tilde = base.firstIndex(of: "~") {
            guard parts.count == 1 else { throw refuse("gives '~' a step", hint: "'~' picks one value; leave the step out") }
            let from = base[..<tilde]
            let to = base[base.index(after: tilde)...]
            low = from.isEmpty ? kind.range.lowerBound : try value(from)
            high = to.isEmpty ? kind.range.upperBound - (kind == .dayOfWeek ? 1 : 0) : try value(to)
            guard low <= high else { throw refuse("is a reversed range", hint: "write the smaller value first") }
            low = random(low...high)
            high = low
        } else if let dash = base.firstIndex(of: "-") {
            low = try value(base[..<dash])
            high = try value(base[base.index(after: dash)...])
            if kind == .dayOfWeek, high == 0, low > 0 { high = 7 }
            guard low <= high else {
                throw refuse(
                    "is a reversed range",
                    hint: "write the smaller value first, or a list: \(kind.range.lowerBound)-\(high),\(low)-\(kind.range.upperBound)")
            }
        } else {
            low = try value(base)
            high = low
            guard parts.count == 1 else {
                throw refuse("gives a single value a step", hint: "write a range, such as \(base)-\(kind.range.upperBound)/\(step)")
            }
        }
        for value in stride(from: low, through: high, by: step) { bits |= 1 << UInt64(value) }
    }

    private static func number(_ text: Substring) -> Int? {
        guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }
}

extension BerthError.Code {
    /// A schedule's text breaks the rules.
    public static let scheduleInvalid: BerthError.Code = "schedule_invalid"
}
