// What providers say about their limits in headers: Retry-After, X-RateLimit-*, and the IETF draft's RateLimit.

import BerthModel

/// Reads an answer's headers. Names are lower case.
enum RateLimitSignals {
    /// Milliseconds of `Retry-After`, as seconds or an HTTP date (RFC 9110 10.2.3) or the moments that providers write there instead, the
    /// longest where it comes more than once; nil when absent or unreadable.
    static func retryAfterMilliseconds(_ headers: [(name: String, value: String)], now: Timestamp) -> Int64? {
        headers.lazy.filter { $0.name == "retry-after" }.flatMap { waits($0.value, headers, now) }.compactMap { $0 }.max()
    }

    /// Whether an answer's `Retry-After` speaks of the caller rather than of one resource: 503 and 413 (RFC 9110), 429 (RFC 6585),
    /// 403 (GitHub's secondary limits), and other failures of the server. A 202, a redirect, a 404 or 409 tells when that one thing
    /// may be there.
    static func meansCaller(_ status: Int) -> Bool { [403, 413, 429].contains(status) || status >= 500 }

    /// Milliseconds to hold back by what is told of windows: nothing remains of one; of several the longest; nil: go on. Of an answer
    /// that `isRefusal` the end of a window counts too when nothing is said of what remains.
    static func exhaustedMilliseconds(
        _ headers: [(name: String, value: String)], now: Timestamp, isRefusal: Bool = false
    ) -> Int64? {
        var policies: [Policy] = []
        // Windows told in headers of their own, as lists where there are several, or one as a dictionary.
        var remaining: [Double?] = []
        var resets: [Int64?] = []
        var dictionary = Policy()
        for header in headers {
            switch header.name {
            case "x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining":
                remaining += pieces(header.value, at: ",").map { number($0) }
            case "x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset", "x-ratelimit-reset-after":
                resets += waits(header.value, headers, now)
            case "ratelimit":
                // draft-10: "default";r=0;t=30, "daily";r=9;t=60 - draft-7: limit=100, remaining=0, reset=30
                for member in pieces(header.value, at: ",") {
                    var policy = Policy()
                    for part in pieces(member, at: ";") {
                        let pair = part.split(separator: "=", maxSplits: 1).map { String($0.filter { $0 != " " }) }
                        guard pair.count == 2 else { continue }
                        switch pair[0] {
                        case "r": policy.remaining = number(pair[1])
                        case "t": policy.reset = wait(pair[1], headers, now)
                        case "remaining": dictionary.remaining = number(pair[1])
                        case "reset": dictionary.reset = wait(pair[1], headers, now)
                        default: break
                        }
                    }
                    policies.append(policy)
                }
            default: break
            }
        }
        if isRefusal, remaining.isEmpty { remaining = resets.map { _ in 0 } }
        if isRefusal, dictionary.remaining == nil { dictionary.remaining = 0 }
        for (index, remaining) in remaining.enumerated() {
            // Each window's end stands where its rest does; one for all, or a list of another length, is read as the strictest.
            let reset = resets.count > 1 && index < resets.count ? resets[index] : resets.compactMap { $0 }.max()
            policies.append(Policy(remaining: remaining, reset: reset))
        }
        return (policies + [dictionary]).compactMap { policy in
            guard let remaining = policy.remaining, remaining < 1, let reset = policy.reset, reset > 0 else { return nil }
            return reset
        }.max()
    }

    /// What an answer says of one window.
    private struct Policy {
        var remaining: Double?
        /// Milliseconds until it ends.
        var reset: Int64?
    }

    /// The waits of a header's value, in its order; nil for what can't be read. Dates have commas in them, so a list is what is nothing else.
    private static func waits(_ text: String, _ headers: [(name: String, value: String)], _ now: Timestamp) -> [Int64?] {
        if let whole = wait(text, headers, now) { return [whole] }
        return pieces(text, at: ",").map { wait($0, headers, now) }
    }

    /// Milliseconds that a number or a date asks to wait. A number from a milliard on is no duration but a moment, in Unix seconds, or
    /// in milliseconds from a hundred milliards on: no provider means 31 years, and no moment of today is less.
    private static func wait(_ text: String, _ headers: [(name: String, value: String)], _ now: Timestamp) -> Int64? {
        let text = trimmed(text)
        let seconds = number(text.hasSuffix("s") ? String(text.dropLast()) : text)
        guard let seconds else { return date(text).map { left(until: $0, headers, now) } }
        guard seconds >= 0 else { return nil }
        if seconds >= 1e11 { return left(until: Int64(seconds), headers, now) }
        if seconds >= 1e9 { return left(until: Int64(seconds * 1000), headers, now) }
        return Int64(min(seconds * 1000, day))
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

    /// Milliseconds since 1970 of an HTTP date or an RFC 3339 time, also without its seconds (Jira) or its zone (Outreach, UTC).
    private static func date(_ text: String) -> Int64? {
        for zone in ["", "Z"] {
            let time = Timestamp(text + zone) ?? Timestamp("\(text.prefix(16)):00\(text.dropFirst(16))\(zone)")
            if let time { return time.milliseconds }
        }
        return HTTPDate.timestamp(text)?.milliseconds
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

    private static func number(_ text: String) -> Double? {
        guard let value = Double(trimmed(text)), value.isFinite else { return nil }
        // Seconds or milliseconds since 1970 go up to here; a thousand times as much still fits.
        return min(value, 1e15)
    }

    private static func trimmed(_ text: String) -> String { String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
