// A moment in wall time, in milliseconds, with the one text form Berth writes: RFC 3339, UTC, milliseconds.

/// Milliseconds since 1970-01-01T00:00:00Z. Wall time: it may jump; never used for durations.
public struct Timestamp: Hashable, Sendable, Comparable {
    /// Milliseconds since the epoch; negative before it.
    public var milliseconds: Int64

    /// The moment `milliseconds` after the epoch.
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Earlier first.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.milliseconds < rhs.milliseconds }
    /// `seconds` later.
    public func adding(seconds: Int64) -> Timestamp {
        let (product, isOver) = seconds.multipliedReportingOverflow(by: 1000)
        return adding(milliseconds: isOver ? (seconds < 0 ? .min : .max) : product)
    }
    /// `milliseconds` later.
    public func adding(milliseconds added: Int64) -> Timestamp {
        // What others ask us to wait may be any number: the end of time stands for what lies beyond it.
        let (sum, isOver) = milliseconds.addingReportingOverflow(added)
        return Timestamp(milliseconds: isOver ? (added < 0 ? .min : .max) : sum)
    }
    /// Later by `duration`, to the millisecond.
    public func adding(_ duration: Duration) -> Timestamp {
        let parts = duration.components
        return adding(milliseconds: parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000)
    }
}

extension Timestamp: LosslessStringConvertible, Codable {
    /// `2026-03-04T10:21:07.000Z`
    public var description: String {
        let day = Self.floorDivide(milliseconds, 86_400_000)
        // No product here: at the ends of time it would overflow.
        var rest = milliseconds % 86_400_000
        if rest < 0 { rest += 86_400_000 }
        let date = CivilDate(daysSinceEpoch: day)
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { buffer in
            func put(_ value: Int64, _ at: Int, _ width: Int) {
                var value = value
                for index in stride(from: at + width - 1, through: at, by: -1) {
                    buffer[index] = UInt8(48 + value % 10)
                    value /= 10
                }
            }
            put(max(0, min(9999, date.year)), 0, 4)
            buffer[4] = 45
            put(Int64(date.month), 5, 2)
            buffer[7] = 45
            put(Int64(date.day), 8, 2)
            buffer[10] = 84
            put(rest / 3_600_000, 11, 2)
            rest %= 3_600_000
            buffer[13] = 58
            put(rest / 60_000, 14, 2)
            rest %= 60_000
            buffer[16] = 58
            put(rest / 1000, 17, 2)
            buffer[19] = 46
            put(rest % 1000, 20, 3)
            buffer[23] = 90
            return String(decoding: buffer, as: UTF8.self)
        }
    }

    /// Reads RFC 3339 with any offset and 0 to 9 fractional digits (cut to milliseconds); nil for anything else.
    public init?(_ description: String) {
        var bytes = description.utf8[...]
        func number(_ width: Int) -> Int64? {
            guard bytes.count >= width else { return nil }
            var value: Int64 = 0
            for _ in 0..<width {
                guard let digit = bytes.popFirst(), (48...57).contains(digit) else { return nil }
                value = value * 10 + Int64(digit - 48)
            }
            return value
        }
        func skip(_ byte: UInt8) -> Bool { bytes.first == byte ? bytes.popFirst() != nil : false }
        guard let year = number(4), skip(45), let month = number(2), skip(45), let day = number(2),
            (1...12).contains(month), day >= 1, day <= CivilDate.days(inMonth: Int(month), year: year),
            skip(84) || skip(116) || skip(32),
            let hour = number(2), skip(58), let minute = number(2), skip(58), let second = number(2),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        var fraction: Int64 = 0
        if skip(46) {
            var scale: Int64 = 100
            var digits = 0
            while let digit = bytes.first, (48...57).contains(digit) {
                fraction += Int64(digit - 48) * scale
                scale /= 10
                digits += 1
                bytes.removeFirst()
            }
            guard (1...9).contains(digits) else { return nil }
        }
        var offset: Int64 = 0
        if !(skip(90) || skip(122)) {
            let negative = skip(45)
            guard negative || skip(43), let offsetHours = number(2) else { return nil }
            _ = skip(58)
            guard let offsetMinutes = number(2), offsetHours < 24, offsetMinutes < 60 else { return nil }
            offset = (offsetHours * 60 + offsetMinutes) * (negative ? -60_000 : 60_000)
        }
        guard bytes.isEmpty else { return nil }
        let days = CivilDate(year: year, month: Int(month), day: Int(day)).daysSinceEpoch
        milliseconds = days * 86_400_000 + hour * 3_600_000 + minute * 60_000 + second * 1000 + fraction - offset
    }

    /// Reads what people give: RFC 3339, or a date, which is its first moment in UTC; nil for anything else.
    public init?(timeOrDate text: String) {
        guard let time = Timestamp(text) ?? Timestamp(text + "T00:00:00Z") else { return nil }
        self = time
    }

    /// Decodes the text form, or a date.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let value = Timestamp(timeOrDate: text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is neither an RFC 3339 time nor a date"))
        }
        self = value
    }

    /// Encodes the text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }
}
