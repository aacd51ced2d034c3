// Dates in headers. Whatever number a provider writes there is read; what is no moment of our calendar is no date.

import BerthModel
import CCurl

/// HTTP dates (RFC 9110 5.6.7), and the other forms that curl_getdate(3) reads.
enum HTTPDate {
    /// The moment; nil for what is no date, or lies before 1970 or after the year 9999: sums with the rest would overflow.
    static func timestamp(_ text: String) -> Timestamp? {
        let seconds = Int64(curl_getdate(text, nil))
        guard (0...253_402_300_799).contains(seconds) else { return nil }
        return Timestamp(milliseconds: seconds * 1000)
    }
}
