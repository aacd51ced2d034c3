// Which answers are kept and in what form, when one is fresh, how a stale one is asked for again, and what a 304 makes of it.

import BerthModel
import BerthSeams

extension KeptAnswer {
    /// What is kept of an answer; nil: nothing.
    init?(_ response: ProviderResponse, to request: ProviderRequest, credential spec: CredentialSpec?, sentAt: Timestamp) {
        guard response.status == 200, !CacheDirectives(response.headers).isNoStore else { return nil }
        let vary = response.headers.filter { $0.name == "vary" }.flatMap { $0.value.split(separator: ",") }
            .map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
        guard !vary.contains("*") else { return nil }
        // Nothing of a credential goes into the file: answers that repeat it stay out, and those have asterisks in a header (`SecretMask`).
        guard !response.headers.contains(where: { $0.value.contains("***") }) else { return nil }
        let fresh = CacheDirectives.freshSeconds(response.headers, now: sentAt)
        self.init(
            selecting: Self.selecting(Set(vary), of: request, spec), headers: response.headers.filter { Self.isLasting($0.name) },
            body: response.body, validatedAt: Self.madeAt(response.headers, sentAt), freshSeconds: fresh)
        guard fresh ?? 1 > 0 || hasValidator else { return nil }
    }

    /// Whether the answer is one to this request.
    func answers(_ request: ProviderRequest) -> Bool {
        selecting.allSatisfy { $0.value == Self.value($0.name, of: request) }
    }

    /// Whether it may be given without asking.
    func isFresh(_ seconds: Int64, at now: Timestamp) -> Bool {
        let age = now.milliseconds - validatedAt.milliseconds
        let limit = min(seconds, freshSeconds ?? .max, Int64.max / 1000)
        // A clock that was put back says nothing about age.
        return age >= 0 && age < limit * 1000
    }

    /// As an answer to the plugin.
    func response(at now: Timestamp) -> ProviderResponse {
        let age = max(0, now.milliseconds - validatedAt.milliseconds) / 1000
        return ProviderResponse(status: 200, headers: headers + [(name: "age", value: String(age))], body: body)
    }

    private var hasValidator: Bool { headers.contains { $0.name == "etag" || $0.name == "last-modified" } }

    /// The request's headers and those that ask whether the answer is still current; nil: it has nothing to ask by.
    func conditions() -> [(name: String, value: String)]? {
        var conditions: [(name: String, value: String)] = []
        if let tag = headers.first(where: { $0.name == "etag" }) { conditions.append(("If-None-Match", tag.value)) }
        if let time = headers.first(where: { $0.name == "last-modified" }) { conditions.append(("If-Modified-Since", time.value)) }
        return conditions.isEmpty ? nil : conditions
    }

    /// The answer with what a 304 says of it; nil when the 304 speaks of another.
    func renewed(by answer: ProviderResponse, sentAt: Timestamp) -> KeptAnswer? {
        func tag(_ headers: [(name: String, value: String)]) -> Substring? {
            headers.first { $0.name == "etag" }.map { $0.value.hasPrefix("W/") ? $0.value.dropFirst(2) : $0.value[...] }
        }
        if let theirs = tag(answer.headers), let own = tag(headers), theirs != own { return nil }
        let news = answer.headers.filter { Self.isLasting($0.name) && !$0.name.hasPrefix("content-") }
        var renewed = self
        renewed.headers = headers.filter { header in !news.contains { $0.name == header.name } } + news
        renewed.validatedAt = Self.madeAt(answer.headers, sentAt)
        renewed.freshSeconds = CacheDirectives.freshSeconds(renewed.headers, now: sentAt)
        return renewed
    }

    /// Another cache on the way may have had it for a while.
    private static func madeAt(_ headers: [(name: String, value: String)], _ sentAt: Timestamp) -> Timestamp {
        let age = headers.first { $0.name == "age" }.flatMap { Int64($0.value) } ?? 0
        return sentAt.adding(seconds: -max(0, min(age, 315_360_000)))
    }

    /// Headers that say something of the answer and not of the moment it was given in.
    private static func isLasting(_ name: String) -> Bool {
        !["set-cookie", "set-cookie2", "date", "age", "connection", "keep-alive", "transfer-encoding", "retry-after"].contains(name)
            && !name.hasPrefix("x-ratelimit") && !name.hasPrefix("x-rate-limit") && !name.hasPrefix("ratelimit")
    }

    /// What the answer depends on. `Accept` and `Accept-Language` always: many providers forget to name them. Headers that the
    /// host sets are the same for every request of the connection.
    private static func selecting(_ vary: Set<String>, of request: ProviderRequest, _ spec: CredentialSpec?) -> [(
        name: String, value: String
    )] {
        var hosts: Set<String> = ["accept-encoding", "authorization", ""]
        for placement in spec?.placements ?? [] { if case .header(let name) = placement.place { hosts.insert(name.lowercased()) } }
        return vary.union(["accept", "accept-language"]).subtracting(hosts).sorted().map { ($0, value($0, of: request)) }
    }

    private static func value(_ name: String, of request: ProviderRequest) -> String {
        request.headers.filter { $0.name.lowercased() == name }.map { $0.value.drop { $0 == " " } }.joined(separator: ", ")
    }
}
