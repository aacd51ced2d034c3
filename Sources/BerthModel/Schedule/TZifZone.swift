// Reads the compiled time zone files of /usr/share/zoneinfo (TZif, RFC 8536), so that schedules know zones without
// Foundation and ICU. Pure: bytes in; who reads files gives them. Leap seconds ("right/" zones) are refused.

/// A zone read from a TZif file.
public struct TZifZone: TimeZoneRules {
    /// Seconds since the epoch and the offset before and after, ascending; only changes of the offset are kept.
    private let changes: [ZoneTransition]
    /// Before the first change.
    private let firstOffset: Int64
    /// The last moment the table speaks of; the rule holds after it.
    private let tableEnd: Int64
    /// The footer's rule, for all time after the table.
    private let rule: PosixZoneRule?

    /// Reads a file's bytes. Throws ``BerthError`` with code `zone_invalid` for anything but a whole, consistent file.
    public init(_ bytes: [UInt8]) throws(BerthError) {
        guard bytes.count <= 1 << 20 else { throw Self.broken("is larger than 1 MiB") }
        var reader = Reader(bytes: bytes)
        var header = try reader.header()
        var width = 4
        if header.version >= 2 {
            try reader.skip(header.length(timeWidth: 4))
            header = try reader.header()
            width = 8
        }
        guard header.types > 0 else { throw Self.broken("has no local time type") }
        guard header.leaps == 0 else { throw Self.broken("counts leap seconds; use the zone outside 'right/'") }
        var times: [Int64] = []
        for _ in 0..<header.times { times.append(try reader.integer(width)) }
        let indices = try (0..<header.times).map { _ throws(BerthError) in try reader.byte() }
        var offsets: [Int64] = []
        for _ in 0..<header.types {
            offsets.append(try reader.integer(4))
            _ = try reader.byte()
            _ = try reader.byte()
        }
        guard offsets.allSatisfy({ abs($0) <= 26 * 3600 }) else { throw Self.broken("has an offset beyond 26 hours") }
        guard indices.allSatisfy({ Int($0) < offsets.count }) else { throw Self.broken("refers to a type it does not have") }
        guard zip(times, times.dropFirst()).allSatisfy({ $0 < $1 }) else { throw Self.broken("has transitions out of order") }
        try reader.skip(header.characters + header.leaps * (width + 4) + header.standards + header.universals)
        rule = width == 8 ? try reader.footer() : nil

        firstOffset = offsets[0]
        var changes: [ZoneTransition] = []
        var current = firstOffset
        for (time, index) in zip(times, indices) {
            let next = offsets[Int(index)]
            // Times before 1 AD (the "big bang" entry) are of no use and would overflow milliseconds.
            if next != current, time > -62_135_596_800 {
                guard time < 253_402_300_800 else { throw Self.broken("has a transition after the year 9999") }
                changes.append(ZoneTransition(moment: Timestamp(milliseconds: time * 1000), offsetBefore: current, offsetAfter: next))
            }
            current = next
        }
        self.changes = changes
        tableEnd = times.last ?? .min
    }

    private static func broken(_ what: String) -> BerthError {
        BerthError("zone_invalid", "the time zone file \(what)", hint: "reinstall the package tzdata")
    }

    /// Seconds east of UTC in force at a moment.
    public func offsetSeconds(at moment: Timestamp) -> Int64 {
        let seconds = Timestamp.floorDivide(moment.milliseconds, 1000)
        if seconds > tableEnd, let rule { return rule.offset(at: seconds) }
        let index = firstIndex(after: moment)
        return index == 0 ? changes.first?.offsetBefore ?? firstOffset : changes[index - 1].offsetAfter
    }

    /// The first change after a moment.
    public func transition(after moment: Timestamp) -> ZoneTransition? {
        let index = firstIndex(after: moment)
        if index < changes.count { return changes[index] }
        guard let rule else { return nil }
        return rule.transition(after: max(Timestamp.floorDivide(moment.milliseconds, 1000), tableEnd))
    }

    /// The last change at or before a moment.
    public func transition(atOrBefore moment: Timestamp) -> ZoneTransition? {
        if let found = rule?.transition(atOrBefore: Timestamp.floorDivide(moment.milliseconds, 1000)),
            found.moment.milliseconds / 1000 > tableEnd
        {
            return found
        }
        let index = firstIndex(after: moment)
        return index == 0 ? nil : changes[index - 1]
    }

    /// How many changes are at or before `moment`.
    private func firstIndex(after moment: Timestamp) -> Int {
        var low = 0
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].moment <= moment { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private struct Header {
        var version: Int
        var universals: Int
        var standards: Int
        var leaps: Int
        var times: Int
        var types: Int
        var characters: Int

        func length(timeWidth: Int) -> Int {
            times * timeWidth + times + types * 6 + characters + leaps * (timeWidth + 4) + standards + universals
        }
    }

    /// Takes values off the front, never past the end.
    private struct Reader {
        let bytes: [UInt8]
        var at = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func byte() throws(BerthError) -> UInt8 {
            guard at < bytes.count else { throw TZifZone.broken("ends early, at byte \(at)") }
            defer { at += 1 }
            return bytes[at]
        }

        mutating func skip(_ count: Int) throws(BerthError) {
            guard count <= bytes.count - at else { throw TZifZone.broken("ends early, at byte \(bytes.count)") }
            at += count
        }

        mutating func integer(_ width: Int) throws(BerthError) -> Int64 {
            var value: UInt64 = 0
            for _ in 0..<width { value = value << 8 | UInt64(try byte()) }
            return width == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
        }

        mutating func header() throws(BerthError) -> Header {
            guard try integer(4) == 0x545A_6966 else { throw TZifZone.broken("does not begin with 'TZif'") }
            let version = try byte()
            try skip(15)
            var counts: [Int] = []
            for _ in 0..<6 {
                let count = Int(try integer(4))
                guard (0...bytes.count).contains(count) else { throw TZifZone.broken("declares \(count) entries in \(bytes.count) bytes") }
                counts.append(count)
            }
            return Header(
                version: version == 0 ? 1 : Int(version) - 48, universals: counts[0], standards: counts[1], leaps: counts[2],
                times: counts[3], types: counts[4], characters: counts[5])
        }

        mutating func footer() throws(BerthError) -> PosixZoneRule? {
            guard try byte() == 10 else { throw TZifZone.broken("has no footer") }
            guard let end = bytes[at...].firstIndex(of: 10) else { throw TZifZone.broken("has a footer without end") }
            let text = String(decoding: bytes[at..<end], as: UTF8.self)
            guard !text.isEmpty else { return nil }
            guard let rule = PosixZoneRule(text) else { throw TZifZone.broken("has a footer that is no POSIX rule: '\(text)'") }
            return rule
        }
    }
}
