// How strictly a played API counts requests.

/// A limit on requests to one provider's API.
enum RateLimit: Sendable, Hashable {
    /// What is known of the real one.
    case asProvider
    /// None.
    case off
    /// This many per minute, and none per second.
    case perMinute(Int)

    /// Reads `80/min`, `off`.
    init?(_ text: String) {
        if text == "off" {
            self = .off
        } else if text.hasSuffix("/min"), let number = Int(text.dropLast(4)), number > 0 {
            self = .perMinute(number)
        } else {
            return nil
        }
    }
}

/// Counts requests in fixed windows of a minute.
struct MinuteCounter: Sendable {
    let limit: Int?
    private var minute: Milliseconds = 0
    private var count = 0

    init(limit: Int?) { self.limit = limit }

    /// Seconds to wait when the limit is used up; nil when the request may pass.
    mutating func refusal(_ now: Milliseconds) -> Int? {
        guard let limit else { return nil }
        if now / 60_000 != minute { (minute, count) = (now / 60_000, 0) }
        count += 1
        return count > limit ? Int(60 - now / 1000 % 60) : nil
    }
}
