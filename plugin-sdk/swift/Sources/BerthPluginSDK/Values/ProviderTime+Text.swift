// Reading and writing times by their digits. The calendar follows Howard Hinnant's published algorithms.

extension ProviderTime {
    init?(digits: ArraySlice<UInt8>) {
        var value: Int64 = 0
        for byte in digits {
            if byte == UInt8(ascii: ".") { break }  // fractions of the unit do not matter
            guard byte &- 48 < 10, value < 1 << 53 else { return nil }
            value = value * 10 + Int64(byte - 48)
        }
        // Beyond 2199 digits are another unit, or a date written without its marks: a time that is made up is worse than none.
        guard value >= 31_536_000, value < 7_258_118_400_000 else { return nil }
        self.init(milliseconds: value < 100_000_000_000 ? value * 1000 : value)
    }

    init?(text: ArraySlice<UInt8>) {
        var reader = DigitReader(rest: text)
        while reader.skip(0x20) {}
        if text.count >= 9, text.allSatisfy({ $0 &- 48 < 10 || $0 == UInt8(ascii: ".") }) {
            self.init(digits: text)
            return
        }
        guard let year = reader.number(4), reader.skip(45), let month = reader.number(2), reader.skip(45), let day = reader.number(2),
            (1...12).contains(month), (1...Self.days(month, year)).contains(day), year >= 1971
        else { return nil }
        var seconds = Self.daysSinceEpoch(year, month, day) * 86_400
        var fraction: Int64 = 0
        if reader.skip(84) || reader.skip(116) || (reader.rest.count > 1 && reader.skip(0x20)) {
            guard let hour = reader.number(2), reader.skip(58), let minute = reader.number(2), hour < 24, minute < 60 else { return nil }
            seconds += hour * 3600 + minute * 60
            if reader.skip(58) {
                guard let second = reader.number(2), second <= 60 else { return nil }
                seconds += second
            }
            if reader.skip(46) { fraction = reader.thousandths() }
        }
        _ = reader.skip(0x20)
        guard let offset = reader.offset() else { return nil }
        while reader.skip(0x20) {}
        guard reader.rest.isEmpty else { return nil }
        self.init(milliseconds: (seconds - offset) * 1000 + fraction)
    }

    /// `Wed, 21 Oct 2015 07:28:00 GMT`
    init?(httpDate: String) {
        let parts = httpDate.split(separator: " ")
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard parts.count == 6, parts[5] == "GMT", let day = Int64(parts[1]), let month = months.firstIndex(of: String(parts[2])),
            let year = Int64(parts[3]), (1971...9999).contains(year)
        else { return nil }
        let clock = parts[4].split(separator: ":").compactMap { Int64($0) }
        guard clock.count == 3, (1...Self.days(Int64(month + 1), year)).contains(day), (0..<24).contains(clock[0]),
            (0..<60).contains(clock[1]), (0...60).contains(clock[2])
        else { return nil }
        let days = Self.daysSinceEpoch(year, Int64(month + 1), day)
        self.init(milliseconds: (days * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]) * 1000)
    }

    /// Writes the 24 bytes of RFC 3339 in UTC.
    func write(to buffer: UnsafeMutableBufferPointer<UInt8>) {
        func put(_ value: Int64, _ at: Int, _ width: Int) {
            var value = value
            for index in stride(from: at + width - 1, through: at, by: -1) {
                buffer[index] = UInt8(48 + value % 10)
                value /= 10
            }
        }
        // No sum or product here: the ends of time would overflow.
        var (days, rest) = milliseconds.quotientAndRemainder(dividingBy: 86_400_000)
        if rest < 0 { (days, rest) = (days - 1, rest + 86_400_000) }
        let (year, month, day) = Self.date(days)
        put(max(0, min(9999, year)), 0, 4)
        put(month, 5, 2)
        put(day, 8, 2)
        put(rest / 3_600_000, 11, 2)
        put(rest / 60_000 % 60, 14, 2)
        put(rest / 1000 % 60, 17, 2)
        put(rest % 1000, 20, 3)
        (buffer[4], buffer[7], buffer[10], buffer[13], buffer[16], buffer[19], buffer[23]) = (45, 45, 84, 58, 58, 46, 90)
    }

    private static func days(_ month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    private static func daysSinceEpoch(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}

/// Takes digits off the front.
private struct DigitReader {
    var rest: ArraySlice<UInt8>

    mutating func skip(_ byte: UInt8) -> Bool {
        guard rest.first == byte else { return false }
        rest.removeFirst()
        return true
    }

    mutating func number(_ width: Int) -> Int64? {
        guard rest.count >= width else { return nil }
        var value: Int64 = 0
        for byte in rest.prefix(width) {
            guard byte &- 48 < 10 else { return nil }
            value = value * 10 + Int64(byte - 48)
        }
        rest.removeFirst(width)
        return value
    }

    /// Digits of a fraction, cut to milliseconds.
    mutating func thousandths() -> Int64 {
        var value: Int64 = 0
        var scale: Int64 = 100
        while let byte = rest.first, byte &- 48 < 10 {
            value += Int64(byte - 48) * scale
            scale /= 10
            rest.removeFirst()
        }
        return value
    }

    /// `Z`, `UTC`, `GMT`, `+02:00`, `-0500` in seconds; nothing at all is UTC.
    mutating func offset() -> Int64? {
        if rest.isEmpty || skip(90) || skip(122) { return 0 }
        if rest.elementsEqual("UTC".utf8) || rest.elementsEqual("GMT".utf8) {
            rest.removeFirst(3)
            return 0
        }
        let isWest = skip(45)
        guard isWest || skip(43), let hours = number(2) else { return nil }
        _ = skip(58)
        let minutes = rest.isEmpty ? 0 : number(2)
        guard let minutes, hours < 24, minutes < 60 else { return nil }
        return (hours * 3600 + minutes * 60) * (isWest ? -1 : 1)
    }
}
