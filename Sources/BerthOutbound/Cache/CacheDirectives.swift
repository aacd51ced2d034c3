// Cache-Control as RFC 9111 5.2 defines it, of requests and answers, with the older headers that say the same.

import BerthModel

/// What a message says about its being kept.
struct CacheDirectives {
    /// Not to be kept at all.
    var isNoStore = false
    /// To be asked for each time.
    var isNoCache = false
    /// Seconds of freshness.
    var maxAge: Int64?

    /// Of a message's headers, names in any case. Unknown directives mean nothing; one that can't be read counts as the strictest.
    init(_ headers: [(name: String, value: String)]) {
        var isSaid = false
        for header in headers where header.name.lowercased() == "cache-control" {
            isSaid = true
            for directive in header.value.split(separator: ",") {
                let parts = directive.split(separator: "=", maxSplits: 1).map { $0.filter { $0 != " " && $0 != "\t" && $0 != "\"" } }
                switch parts.first?.lowercased() {
                case "no-store": isNoStore = true
                // `no-cache="set-cookie"` forbids one header only; treating it as all of it is stricter.
                case "no-cache": isNoCache = true
                case "max-age":
                    let seconds = parts.count > 1 ? Int64(parts[1]) ?? (parts[1].utf8.allSatisfy { (48...57).contains($0) } ? .max : 0) : 0
                    maxAge = min(maxAge ?? .max, max(0, seconds))
                default: break
                }
            }
        }
        if !isSaid, headers.contains(where: { $0.name.lowercased() == "pragma" && $0.value.lowercased().contains("no-cache") }) {
            isNoCache = true
        }
    }

    /// Seconds for which an answer is fresh after it was made; nil: it does not say.
    static func freshSeconds(_ headers: [(name: String, value: String)], now: Timestamp) -> Int64? {
        let directives = CacheDirectives(headers)
        if directives.isNoCache { return 0 }
        if let maxAge = directives.maxAge { return maxAge }
        guard let expires = headers.first(where: { $0.name == "expires" })?.value else { return nil }
        func seconds(_ text: String) -> Int64? { HTTPDate.timestamp(text).map { $0.milliseconds / 1000 } }
        // "0" and other things that are no date mean: expired (5.3).
        guard let end = seconds(expires) else { return 0 }
        return max(0, end - (headers.first { $0.name == "date" }.flatMap { seconds($0.value) } ?? now.milliseconds / 1000))
    }
}
