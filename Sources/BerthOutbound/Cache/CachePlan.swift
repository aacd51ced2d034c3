// What a request has to do with kept answers: it may be answered by one, it may end some, or nothing. Looks at the request alone.

import BerthModel
import BerthSeams
import CCurl

/// Pure.
enum CachePlan {
    /// May be answered by a kept answer, and its answer may be kept.
    case read(Read)
    /// Ends answers when the provider acts on it.
    case write(origin: String, path: String)
    /// Goes past.
    case pass

    struct Read {
        var key: ResponseCacheKey
        /// Of the class, or of the request's own max-age where that is shorter.
        var freshSeconds: Int64
        /// The provider is to be asked in any case.
        var isForced: Bool
        var bytesMax: Int
    }

    /// The plan; `.pass` too when the URL is refused: whoever sends the request says why.
    init(_ request: ProviderRequest, _ target: OutboundTarget, _ egress: EgressGuard) {
        self = .pass
        guard let spec = target.http.cache else { return }
        let isRead = request.method == "GET" || request.method == "HEAD"
        let seconds = request.requestClass.flatMap { spec.secondsByClass[$0] }
        guard !isRead || seconds != nil, !["OPTIONS", "PROPFIND", "REPORT"].contains(request.method) else { return }
        guard case .success(let place) = egress.resolve(request.url) else { return }
        let origin = "\(place.origin.scheme)://\(place.origin.host):\(place.origin.port)"
        let path = CachePath(place.url.part(CURLUPART_PATH) ?? "/")
        guard isRead, let seconds else {
            self = .write(origin: origin, path: path.ended)
            return
        }
        let directives = CacheDirectives(request.headers)
        guard !path.isAmbiguous, request.body.isEmpty, !directives.isNoStore,
            !request.headers.contains(where: { Self.own.contains($0.name.lowercased()) })
        else { return }
        var query = place.url.part(CURLUPART_QUERY) ?? ""
        // A link of the provider, followed by the plugin, has the masked credential in it.
        if request.isAuthenticated {
            for placement in target.credential?.placements ?? [] {
                if case .query(let name) = placement.place { query = QueryCredential.kept(query, without: name) }
            }
        }
        self = .read(
            Read(
                key: ResponseCacheKey(
                    connection: target.connection, isAuthenticated: request.isAuthenticated, method: request.method, origin: origin,
                    path: path.text, query: query),
                freshSeconds: min(Int64(seconds), directives.maxAge ?? .max), isForced: directives.isNoCache || directives.maxAge == 0,
                bytesMax: spec.maxMiB << 20))
    }

    /// Headers by which a plugin does itself what the cache would do, or asks in another's name.
    private static let own: Set<String> = [
        "if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range", "range", "authorization", "cookie",
    ]

    /// Whether the provider may have acted on a write: it did not refuse it, or nobody knows.
    static func mayHaveActed(_ result: Result<ProviderResponse, AttemptFailure>) -> Bool {
        switch result {
        case .success(let response): !(400...499).contains(response.status)
        case .failure(let failure):
            switch failure.status {
            // Not sent. `.denied` may be an answer that was too large.
            case .throttled, .authDenied, .authExpired: false
            default: true
            }
        }
    }
}
