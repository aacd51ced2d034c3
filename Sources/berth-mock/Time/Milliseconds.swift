// Wall time as the providers print it: epoch milliseconds, RFC 3339, TrackDrive's text. Knows no time zones but fixed offsets.

import Glibc

/// Milliseconds since 1970-01-01T00:00:00Z.
typealias Milliseconds = Int64

/// Reads the wall clock.
func wallClockMilliseconds() -> Milliseconds {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Milliseconds(time.tv_sec) * 1000 + Milliseconds(time.tv_nsec) / 1_000_000
}

/// A moment taken apart, at a fixed offset from UTC.
struct CalendarTime {
    /// Civil date and time of day.
    var year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, millisecond: Int

    /// Takes `time` apart. - Parameter offsetMinutes: east of UTC.
    init(_ time: Milliseconds, offsetMinutes: Int = 0) {
        let local = Int(time) + offsetMinutes * 60_000
        let days = local.quotient(86_400_000)
        let rest = local - days * 86_400_000
        // Days to civil date, by Howard Hinnant's algorithm: exact for every year that fits.
        let shifted = days + 719_468
        let era = shifted.quotient(146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
        month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = rest / 3_600_000
        minute = rest / 60_000 % 60
        second = rest / 1000 % 60
        millisecond = rest % 1000
    }

    /// The moment of a civil date and time; nil when a part is out of range.
    static func milliseconds(_ parts: [Int], milliseconds: Int, offsetMinutes: Int) -> Milliseconds? {
        let (year, month, day) = (parts[0], parts[1], parts[2])
        guard (1...12).contains(month), (1...31).contains(day), (0...24).contains(parts[3]), (0...59).contains(parts[4]),
            (0...60).contains(parts[5])
        else { return nil }
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear.quotient(400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        return Milliseconds(((days * 24 + parts[3]) * 60 + parts[4] - offsetMinutes) * 60 + parts[5]) * 1000 + Milliseconds(milliseconds)
    }
}

extension Milliseconds {
    /// `2026-03-04T15:21:07.000Z`.
    var rfc3339: String {
        let time = CalendarTime(self)
        return "\(time.year.padded(4))-\(time.month.padded(2))-\(time.day.padded(2))"
            + "T\(time.hour.padded(2)):\(time.minute.padded(2)):\(time.second.padded(2)).\(time.millisecond.padded(3))Z"
    }

    /// `2026-03-04 10:21:07 -0500`, whole seconds, as TrackDrive writes and reads it.
    var trackDriveText: String {
        let time = CalendarTime(self, offsetMinutes: -300)
        return "\(time.year.padded(4))-\(time.month.padded(2))-\(time.day.padded(2))"
            + " \(time.hour.padded(2)):\(time.minute.padded(2)):\(time.second.padded(2)) -0500"
    }

    /// Reads RFC 3339 or `YYYY-MM-DD HH:MM:SS -0500`; without an offset the text is UTC. nil when it is no date.
    init?(dateText text: String) {
        var scanner = Array(text.utf8)[...]
        var parts: [Int] = []
        for index in 0..<6 {
            guard let number = scanner.takeDigits() else {
                if index == 3, scanner.isEmpty { break }
                if index == 5 { break }
                return nil
            }
            parts.append(number)
            if let next = scanner.first, index < 5,
                next == UInt8(ascii: "-") || next == UInt8(ascii: ":") || next == UInt8(ascii: "T") || next == 32
            {
                if index >= 3, next != UInt8(ascii: ":") { break }
                scanner.removeFirst()
            }
        }
        while parts.count < 6 { parts.append(0) }
        var fraction = 0
        if scanner.first == UInt8(ascii: ".") {
            scanner.removeFirst()
            let digits = scanner.prefix { $0 >= 48 && $0 <= 57 }
            scanner = scanner.dropFirst(digits.count)
            fraction = (Array(digits.prefix(3)) + [48, 48, 48]).prefix(3).reduce(0) { $0 * 10 + Int($1 - 48) }
        }
        while scanner.first == 32 { scanner.removeFirst() }
        var offset = 0
        if let sign = scanner.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
            let digits = scanner.dropFirst().filter { $0 != UInt8(ascii: ":") }
            guard digits.count == 4 || digits.count == 2, digits.allSatisfy({ $0 >= 48 && $0 <= 57 }) else { return nil }
            let number = digits.reduce(0) { $0 * 10 + Int($1 - 48) }
            offset = (digits.count == 4 ? number / 100 * 60 + number % 100 : number * 60) * (sign == UInt8(ascii: "-") ? -1 : 1)
        } else if !scanner.isEmpty, scanner != [UInt8(ascii: "Z")], scanner != [UInt8(ascii: "z")], scanner != Array("UTC".utf8)[...] {
            return nil
        }
        guard let time = CalendarTime.milliseconds(parts, milliseconds: fraction, offsetMinutes: offset) else { return nil }
        self = time
    }
}

extension ArraySlice<UInt8> {
    fileprivate mutating func takeDigits() -> Int? {
        let digits = prefix { $0 >= 48 && $0 <= 57 }
        guard !digits.isEmpty, digits.count <= 9 else { return nil }
        self = dropFirst(digits.count)
        return digits.reduce(0) { $0 * 10 + Int($1 - 48) }
    }
}

extension Int {
    /// Division that rounds toward minus infinity.
    fileprivate func quotient(_ divisor: Int) -> Int { self >= 0 ? self / divisor : -((divisor - 1 - self) / divisor) }

    /// Decimal digits with leading zeros up to `width`.
    func padded(_ width: Int) -> String {
        let digits = String(self)
        return digits.utf8.count >= width ? digits : String(repeating: "0", count: width - digits.utf8.count) + digits
    }
}
