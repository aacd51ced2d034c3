// Dates of HTTP headers (RFC 9110 section 5.6.7, IMF-fixdate only).

extension Milliseconds {
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, rounded down to the second.
    var httpDate: String {
        let time = CalendarTime(self)
        let weekday = Self.weekdays[Int(self / 86_400_000 % 7)]
        return "\(weekday), \(time.day.padded(2)) \(Self.months[time.month - 1]) \(time.year.padded(4)) "
            + "\(time.hour.padded(2)):\(time.minute.padded(2)):\(time.second.padded(2)) GMT"
    }

    /// nil when it is no such date.
    init?(httpDate text: String) {
        let words = text.split(whereSeparator: { $0 == " " || $0 == ":" || $0 == "," }).map(String.init)
        guard words.count == 8, words[7] == "GMT", let month = Self.months.firstIndex(of: words[2]) else { return nil }
        let numbers = [words[3], String(month + 1), words[1], words[4], words[5], words[6]].compactMap { Int($0) }
        guard numbers.count == 6, let time = CalendarTime.milliseconds(numbers, milliseconds: 0, offsetMinutes: 0) else { return nil }
        self = time
    }
}
