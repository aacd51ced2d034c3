// A request after all checks that need no network: URL resolved and allowed, credential in place, headers in
// libcurl's form. Made once, used for every try.

import BerthModel
import BerthSeams
import CCurl

/// Lives on the loop's thread only.
final class PreparedRequest {
    let method: String
    let url: ParsedURL
    let headers: HeaderList
    let body: [UInt8]
    let approval: EgressPolicy.Approval
    let policy: EgressPolicy
    let isIdempotent: Bool
    let isSecure: Bool
    /// `GET api.example.com/v2/calls?page=***`, for people.
    let label: String
    /// Host, for the log.
    let host: String
    /// Path and query names, for the log.
    let path: String

    /// Checks and builds; a failure is `.denied` and says what to change.
    static func make(
        _ request: ProviderRequest, egress: EgressGuard, credential: ConnectionCredential?, configuration: OutboundConfiguration
    ) -> Result<PreparedRequest, AttemptFailure> {
        func denied(_ reason: String) -> Result<PreparedRequest, AttemptFailure> { .failure(AttemptFailure(.denied, reason)) }
        guard HeaderList.isToken(request.method), !["CONNECT", "TRACE"].contains(request.method.uppercased()) else {
            return denied("the request method is not allowed")
        }
        guard request.body.count <= configuration.maxRequestBytes else {
            return denied("the request body has \(request.body.count) bytes, more than the \(configuration.maxRequestBytes) allowed")
        }
        let target: (url: ParsedURL, origin: Origin, approval: EgressPolicy.Approval)
        switch egress.resolve(request.url) {
        case .success(let resolved): target = resolved
        case .failure(let failure): return .failure(failure)
        }

        let headers = HeaderList()
        let own = credential?.headerNames ?? []
        var given: Set<String> = []
        var hasKey = false
        for (name, value) in request.headers {
            let lower = name.lowercased()
            if own.contains(lower) || HeaderList.ignored.contains(lower) { continue }
            guard !HeaderList.forbidden.contains(lower) else { return denied("the header '\(lower)' is set by the host; leave it out") }
            guard headers.add(name: name, value: value) else {
                return denied("the header '\(lower.prefix(64))' has a name or value that HTTP does not allow")
            }
            given.insert(lower)
            // The draft's value is a quoted string; one that holds nothing is no key, and the provider sees each try as a new request.
            if lower == "idempotency-key" { hasKey = hasKey || value.contains { !" \t\"".contains($0) } }
        }
        // "Name:" makes libcurl leave out what it would add by itself.
        headers.suppress("Expect")
        if !request.body.isEmpty, !given.contains("content-type") { headers.suppress("Content-Type") }
        if !given.contains("user-agent") { _ = headers.add(name: "User-Agent", value: configuration.userAgent) }
        let path = RequestPlace.path(of: target.url)
        if let credential {
            guard credential.addHeaders(to: headers), credential.addQuery(to: target.url) else {
                return .failure(
                    AttemptFailure(.authDenied, "the stored credential holds a byte that a header or URL cannot carry: set it again"))
            }
        }
        return .success(
            PreparedRequest(
                request, target, headers, egress.policy, path: credential.map { $0.mask.mask(path) } ?? path,
                hasKey: hasKey))
    }

    private init(
        _ request: ProviderRequest, _ target: (url: ParsedURL, origin: Origin, approval: EgressPolicy.Approval), _ headers: HeaderList,
        _ policy: EgressPolicy, path: String, hasKey: Bool
    ) {
        self.policy = policy
        method = request.method
        url = target.url
        approval = target.approval
        isSecure = target.origin.scheme == "https"
        body = request.body
        self.headers = headers
        // Whoever sends a key has the provider recognize the same request.
        isIdempotent = request.isIdempotent || hasKey || RetryPolicy.isIdempotent(request.method)
        self.path = path
        host = target.origin.host
        label = "\(request.method) \(target.origin.host)\(path)\(policy.proxy.map { " by \($0.url)" } ?? "")"
    }

    /// Sets everything on a fresh handle that does not change between tries.
    func apply(to easy: UnsafeMutableRawPointer, timeoutNanoseconds: Int64, configuration: OutboundConfiguration) {
        ccurl_set_url(easy, url.handle)
        ccurl_set_headers(easy, headers.list)
        ccurl_set_long(easy, CURLOPT_NOSIGNAL, 1)
        // Nothing from the environment or the user's files, no way out but http and https, no second hop.
        if let proxy = policy.proxy {
            proxy.apply(to: easy, caFile: policy.caFile)
        } else {
            ccurl_set_string(easy, CURLOPT_PROXY, "")
            ccurl_set_string(easy, CURLOPT_NOPROXY, "*")
        }
        ccurl_set_long(easy, CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        ccurl_set_string(easy, CURLOPT_PROTOCOLS_STR, isSecure ? "https" : "http")
        ccurl_set_string(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https")
        ccurl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
        ccurl_set_long(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
        ccurl_set_long(easy, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let caFile = policy.caFile {
            ccurl_set_string(easy, CURLOPT_CAINFO, caFile)
            // In place of the system's: without this Debian's folder of authorities would count as well.
            ccurl_set_string(easy, CURLOPT_CAPATH, nil)
        }
        if isSecure {
            ccurl_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
            ccurl_set_long(easy, CURLOPT_PIPEWAIT, 1)
        } else {
            ccurl_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        }
        ccurl_set_string(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate")
        ccurl_set_long(easy, CURLOPT_TCP_KEEPALIVE, 1)
        ccurl_set_long(easy, CURLOPT_MAXAGE_CONN, configuration.maxIdleSeconds)
        // A given-up request must not wait for its name server: the resolver's thread is left to end by itself.
        ccurl_set_long(easy, CURLOPT_QUICK_EXIT, 1)
        ccurl_set_large(easy, CURLOPT_MAXFILESIZE_LARGE, configuration.maxResponseBytes)
        let milliseconds = max(1, Int(timeoutNanoseconds / 1_000_000))
        ccurl_set_long(easy, CURLOPT_TIMEOUT_MS, milliseconds)
        ccurl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, min(milliseconds, Int(configuration.connectTimeout.nanoseconds / 1_000_000)))
        applyMethod(to: easy)
    }

    private func applyMethod(to easy: UnsafeMutableRawPointer) {
        if method == "HEAD" {
            ccurl_set_long(easy, CURLOPT_NOBODY, 1)
            return
        }
        if !body.isEmpty || ["POST", "PUT", "PATCH"].contains(method) {
            ccurl_set_long(easy, CURLOPT_POST, 1)
            ccurl_set_large(easy, CURLOPT_POSTFIELDSIZE_LARGE, body.count)
            // Copied by libcurl: an array gives no address that stays.
            _ = body.withUnsafeBytes { bytes in
                if let base = bytes.baseAddress, !bytes.isEmpty {
                    ccurl_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: base))
                } else {
                    ccurl_set_string(easy, CURLOPT_COPYPOSTFIELDS, "")
                }
            }
        } else {
            ccurl_set_long(easy, CURLOPT_HTTPGET, 1)
        }
        ccurl_set_string(easy, CURLOPT_CUSTOMREQUEST, method)
    }
}
