// What providers say about their limits in headers: Retry-After, X-RateLimit-*, and the IETF draft's RateLimit.

import BerthModel

/// Reads an answer's headers. Names are lower case.
enum RateLimitSignals {
    /// Milliseconds of `Retry-After`, as seconds or an HTTP date (RFC 9110 10.2.3), the longest where it comes twice; nil when absent
    /// or unreadable.
    static func retryAfterMilliseconds(_ headers: [(name: String, value: String)], now: Timestamp) -> Int64? {
        headers.lazy.filter { $0.name == "retry-after" }.compactMap { header in
            if let seconds = seconds(header.value) { return milliseconds(seconds) }
            return date(header.value).map { left(until: $0, headers, now) }
        }.max()
    }

    /// Whether an answer's `Retry-After` speaks of the caller rather than of one resource: 503 and 413 (RFC 9110), 429 (RFC 6585),
    /// 403 (GitHub's secondary limits), and other failures of the server. A 202, a redirect, a 404 or 409 tells when that one thing
    /// may be there.
    static func meansCaller(_ status: Int) -> Bool { [403, 413, 429].contains(status) || status >= 500 }

    /// Milliseconds to hold back though the answer was fine: nothing remains of a window; of several the longest; nil: go on.
    static func exhaustedMilliseconds(_ headers: [(name: String, value: String)], now: Timestamp) -> Int64? {
        var policies: [Policy] = []
        // One window, told in headers of its own, or as a dictionary.
        var fields = Policy()
        var dictionary = Policy()
        for header in headers {
            switch header.name {
            case "x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining": fields.remaining = seconds(header.value)
            case "x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset", "x-ratelimit-reset-after": fields.reset = header.value
            case "ratelimit":
                // draft-10: "default";r=0;t=30, "daily";r=9;t=60 - draft-7: limit=100, remaining=0, reset=30
                for member in pieces(header.value, at: ",") {
                    var policy = Policy()
                    for part in pieces(member, at: ";") {
                        let pair = part.split(separator: "=", maxSplits: 1).map { String($0.filter { $0 != " " }) }
                        guard pair.count == 2 else { continue }
                        switch pair[0] {
                        case "r": policy.remaining = seconds(pair[1])
                        case "t": policy.reset = pair[1]
                        case "remaining": dictionary.remaining = seconds(pair[1])
                        case "reset": dictionary.reset = pair[1]
                        default: break
                        }
                    }
                    policies.append(policy)
                }
            default: break
            }
        }
        return (policies + [fields, dictionary]).compactMap { pause($0, headers, now) }.max()
    }

    /// What an answer says of one window.
    private struct Policy {
        var remaining: Double?
        /// Seconds, a moment in Unix seconds or milliseconds, or a date.
        var reset: String?
    }

    private static func pause(_ policy: Policy, _ headers: [(name: String, value: String)], _ now: Timestamp) -> Int64? {
        guard let remaining = policy.remaining, remaining < 1, let text = policy.reset else { return nil }
        guard let reset = seconds(text) else {
            return date(text).map { left(until: $0, headers, now) }.flatMap { $0 > 0 ? $0 : nil }
        }
        guard reset > 0 else { return nil }
        // A number this large is a moment, not a duration: Unix seconds, or milliseconds.
        if reset > 1e11 { return left(until: Int64(reset), headers, now) }
        if reset > 1e9 { return left(until: Int64(reset * 1000), headers, now) }
        return milliseconds(reset)
    }

    /// Splits where the separator stands outside of quoted strings; what begins a string and does not end it is one piece.
    private static func pieces(_ text: some StringProtocol, at separator: Character) -> [String] {
        var pieces = [""]
        var isQuoted = false
        var isEscaped = false
        for character in text {
            if isEscaped {
                isEscaped = false
            } else if isQuoted, character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == separator, !isQuoted {
                pieces.append("")
                continue
            }
            pieces[pieces.count - 1].append(character)
        }
        return pieces
    }

    /// Milliseconds since 1970 of an HTTP date or an RFC 3339 time.
    private static func date(_ text: String) -> Int64? {
        (Timestamp(text) ?? HTTPDate.timestamp(text))?.milliseconds
    }

    private static func left(until time: Int64, _ headers: [(name: String, value: String)], _ now: Timestamp) -> Int64 {
        max(0, min(time - moment(headers, now), Int64(day)))
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
