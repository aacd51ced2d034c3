// Whether a server's clock and ours agree, by the Date header of its answer (RFC 9110, 6.6.1). Where they differ, refusals of tokens
// and assertions have a cause that no message of the server names.

import BerthModel
import BerthSeams

enum ServerClock {
    /// Clocks this close are taken for equal, in seconds.
    private static let toleratedSeconds: Int64 = 120

    /// What to tell a person; nil: the clocks agree, or the answer has no Date.
    static func difference(_ response: ProviderResponse, now: Timestamp) -> String? {
        guard let text = response.headers.first(where: { $0.name == "date" })?.value, let there = seconds(text) else { return nil }
        let ahead = there - now.milliseconds / 1000
        guard abs(ahead) > toleratedSeconds else { return nil }
        let amount = abs(ahead) < 7200 ? "\(abs(ahead) / 60) minutes" : "\(abs(ahead) / 3600) hours"
        return "the provider's clock is \(amount) \(ahead > 0 ? "ahead of" : "behind") this machine's: check it with timedatectl"
    }

    /// For how many seconds the server asks to be left alone: `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), the date by the
    /// server's own clock where it tells it. Nil: it does not ask.
    static func retryAfter(_ response: ProviderResponse, now: Timestamp) -> Int64? {
        func field(_ name: String) -> String? { response.headers.first { $0.name == name }?.value }
        guard let text = field("retry-after") else { return nil }
        if let amount = Int64(text) { return amount }
        guard let until = seconds(text) else { return nil }
        return max(0, until - (field("date").flatMap(seconds) ?? now.milliseconds / 1000))
    }

    /// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers may send.
    static func seconds(_ text: String) -> Int64? {
        let parts = text.split(whereSeparator: { " :,".contains($0) })
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard parts.count == 8, parts[7] == "GMT", let month = months.firstIndex(of: String(parts[2])), let day = Int64(parts[1]),
            let year = Int64(parts[3]), let hour = Int64(parts[4]), let minute = Int64(parts[5]), let second = Int64(parts[6]),
            (1970...9999).contains(year), (1...31).contains(day), (0...23).contains(hour), (0...59).contains(minute),
            (0...60).contains(second)
        else { return nil }
        // Days since 1970, with years that begin in March, so that leap days come last.
        let shifted = (Int64(month) + 10) % 12
        let from = month < 2 ? year - 1 : year
        let days = from * 365 + from / 4 - from / 100 + from / 400 + (shifted * 153 + 2) / 5 + day - 1 - 719_468
        return ((days * 24 + hour) * 60 + minute) * 60 + second
    }
}
