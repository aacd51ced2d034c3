// Ringba's limits: fixed windows of a second and a minute, shared by everybody in the account.

/// Counts requests of one resource.
struct RingbaThrottle: Sendable {
    /// nil: no such limit.
    var perSecond: Int?, perMinute: Int?
    /// Name in the throttle body.
    let resource: String
    private var second: Milliseconds = 0, minute: Milliseconds = 0
    private var inSecond = 0, inMinute = 0

    init(resource: String, perSecond: Int?, perMinute: Int?) {
        self.resource = resource
        self.perSecond = perSecond
        self.perMinute = perMinute
    }

    /// Counts one request; the throttled answer when it is over a limit. Throttled requests don't count.
    mutating func admit(_ now: Milliseconds, status: Int, transaction: String, forced: Bool) -> Reply? {
        if now / 1000 != second { (second, inSecond) = (now / 1000, 0) }
        if now / 60_000 != minute { (minute, inMinute) = (now / 60_000, 0) }
        if let perMinute, inMinute >= perMinute { return refusal("Minute", perMinute, inMinute + 1, status, transaction) }
        if let perSecond, inSecond >= perSecond { return refusal("Second", perSecond, inSecond + 1, status, transaction) }
        if forced { return refusal("Second", perSecond ?? 1, (perSecond ?? 1) + 1, status, transaction) }
        inSecond += 1
        inMinute += 1
        return nil
    }

    private func refusal(_ unit: String, _ limit: Int, _ count: Int, _ status: Int, _ transaction: String) -> Reply {
        .json(status) { json in
            json.object { json in
                json.put("transactionId", transaction)
                json.put("isRateLimited", true)
                json.put("exceedingRateLimit", unit)
                json.put("rateLimitedResource", resource)
                json.put("message", "Rate limit exceeded: \(limit) requests per \(unit.lowercased())")
                json.object("rateLimit") { json in
                    json.object("per\(unit)") { json in
                        json.put("limit", limit)
                        json.put("currentCount", count)
                    }
                }
            }
        }
    }
}
