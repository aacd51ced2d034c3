// What providers say about their limits in headers: Retry-After, X-RateLimit-*, and the IETF draft's RateLimit.

import BerthModel

/// Reads an answer's headers. Names are lower case.
enum RateLimitSignals {
    /// Milliseconds of `Retry-After`, as seconds or an HTTP date (RFC 9110 10.2.3); nil when absent or unreadable.
    static func retryAfterMilliseconds(_ headers: [(name: String, value: String)], now: Timestamp) -> Int64? {
        guard let value = headers.first(where: { $0.name == "retry-after" })?.value else { return nil }
        if let seconds = seconds(value) { return milliseconds(seconds) }
        guard let time = HTTPDate.timestamp(value) else { return nil }
        return max(0, min(time.milliseconds - moment(headers, now), Int64(day)))
    }

    /// Milliseconds to hold back though the answer was fine: nothing remains of the window; nil: go on.
    static func exhaustedMilliseconds(_ headers: [(name: String, value: String)], now: Timestamp) -> Int64? {
        var remaining: Double?
        var reset: Double?
        for header in headers {
            switch header.name {
            case "x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining": remaining = seconds(header.value)
            case "x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset": reset = seconds(header.value)
            case "x-ratelimit-reset-after": reset = seconds(header.value)
            case "ratelimit":
                // draft-10: "default";r=0;t=30 - draft-7: limit=100, remaining=0, reset=30
                for part in header.value.split(whereSeparator: { ";, ".contains($0) }) {
                    let pair = part.split(separator: "=", maxSplits: 1)
                    guard pair.count == 2 else { continue }
                    if pair[0] == "r" || pair[0] == "remaining" { remaining = seconds(pair[1]) }
                    if pair[0] == "t" || pair[0] == "reset" { reset = seconds(pair[1]) }
                }
            default: break
            }
        }
        guard let remaining, remaining < 1, let reset, reset > 0 else { return nil }
        // A number this large is a moment, not a duration: Unix seconds, or milliseconds.
        if reset > 1e11 { return max(0, min(Int64(reset) - moment(headers, now), Int64(day))) }
        if reset > 1e9 { return max(0, min(Int64(reset * 1000) - moment(headers, now), Int64(day))) }
        return milliseconds(reset)
    }

    /// Now by the clock that the answer's moments are of: the server's, where its Date says that the two differ by minutes.
    private static func moment(_ headers: [(name: String, value: String)], _ now: Timestamp) -> Int64 {
        guard let there = headers.first(where: { $0.name == "date" }).flatMap({ HTTPDate.timestamp($0.value) }) else {
            return now.milliseconds
        }
        return abs(there.milliseconds - now.milliseconds) > 120_000 ? there.milliseconds : now.milliseconds
    }

    /// No provider may silence a connection for longer than this by one header.
    private static let day = 86_400_000.0

    private static func milliseconds(_ seconds: Double) -> Int64 { Int64(min(seconds * 1000, day)) }

    private static func seconds(_ text: some StringProtocol) -> Double? {
        guard let value = Double(String(text.filter { $0 != " " })), value >= 0, value.isFinite else { return nil }
        // Seconds or milliseconds since 1970 go up to here; a thousand times as much still fits.
        return min(value, 1e15)
    }
}
