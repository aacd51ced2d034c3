// How often each endpoint was asked, and with what status: tests read from it what a client really did.

import Synchronization

/// Counts of API requests.
final class RequestTally: Sendable {
    private let counts = Mutex<[String: [String: [Int: Int]]]>([:])

    /// Notes one request. - Parameter provider: or `other` for paths of nobody.
    func note(provider: String, method: String, path: String, status: Int) {
        let endpoint = "\(method) \(Self.shape(path))"
        counts.withLock { $0[provider, default: [:]][endpoint, default: [:]][status, default: 0] += 1 }
    }

    /// Writes `{"POST /v2/{id}/calllogs":{"200":3}}` of one provider.
    func write(_ provider: String, to json: inout JSONText) {
        let endpoints = counts.withLock { $0[provider] ?? [:] }
        for (endpoint, statuses) in endpoints.sorted(by: { $0.key < $1.key }) {
            json.object(endpoint) { json in
                for (status, count) in statuses.sorted(by: { $0.key < $1.key }) { json.put(String(status), count) }
            }
        }
    }

    /// Requests of one provider in all.
    func total(_ provider: String) -> Int { counts.withLock { $0[provider]?.values.reduce(0) { $0 + $1.values.reduce(0, +) } ?? 0 } }

    // Ids become {id}: segments with a digit, except versions and the like.
    private static func shape(_ path: String) -> String {
        "/"
            + path.split(separator: "/").map { segment in
                let isWord = segment.utf8.count <= 2 || !segment.utf8.contains { $0 >= 48 && $0 <= 57 }
                if isWord { return String(segment) }
                return segment.hasSuffix(".json") ? "{id}.json" : "{id}"
            }.joined(separator: "/")
    }
}
