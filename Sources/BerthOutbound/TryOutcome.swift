// What one finished transfer means: for the caller, for the retry policy, for the circuit. The only place that
// reads libcurl's result codes.

import BerthModel
import BerthSeams
import CCurl
import Glibc

/// One try's meaning.
struct TryOutcome {
    var result: Result<ProviderResponse, AttemptFailure>
    var ending: RetryPolicy.Ending
    /// What the circuit learns.
    var health: Health
    /// How often libcurl sent the request again by itself, on another connection.
    var repeats = 0
    /// When it was about to go out.
    var begun = Monotonic.never
    /// Whether any of it went out.
    var wasSent = false

    enum Health { case good, bad, unknown }

    /// Of an answer. One that the manifest declares to mean "too many requests" becomes a 429 for all who come after, and how long to
    /// wait, whatever form it was told in, Retry-After in seconds: for the retry policy, the limits, and the plugin, which then needs no
    /// second way to say it. What it repeats of the credential is still there.
    init(answer transfer: Transfer, now: Timestamp, throttles: [ThrottleSpec]) {
        var status = transfer.status
        var headers = transfer.headers
        var retryAfter = RateLimitSignals.retryAfterMilliseconds(headers, now: now)
        if let wait = ThrottleNotice.milliseconds(throttles, status: status, headers: headers, body: transfer.body, now: now) {
            status = 429
            retryAfter = wait
        } else if status == 429, retryAfter == nil {
            retryAfter = RateLimitSignals.exhaustedMilliseconds(headers, now: now, isRefusal: true)
        }
        if let retryAfter, RateLimitSignals.meansCaller(status) {
            headers.removeAll { $0.name == "retry-after" }
            headers.append(("retry-after", String((retryAfter + 999) / 1000)))
        }
        result = .success(ProviderResponse(status: status, headers: headers, body: transfer.body))
        ending = .answered(status: status, retryAfterNanoseconds: retryAfter.map { $0 * 1_000_000 })
        health = status >= 500 ? .bad : .good
    }

    /// Of no answer.
    init(
        _ code: CURLcode, _ transfer: Transfer, label: String, isIdempotent: Bool, mask: SecretMask?, limits: OutboundConfiguration,
        seconds: Double
    ) {
        func fail(_ status: AttemptStatus, _ reason: String, _ ending: RetryPolicy.Ending, _ health: Health) -> TryOutcome {
            let text = "\(label): \(reason)"
            return TryOutcome(
                result: .failure(AttemptFailure(status, mask?.mask(text) ?? text)), ending: ending, health: health)
        }
        let wasSent = transfer.sendingCount > 0
        let detail = transfer.detail.isEmpty ? String(cString: curl_easy_strerror(code)) : transfer.detail
        switch (transfer.breach, code) {
        case (.abandoned, _): self = fail(.cancelled, "cancelled", .final, .unknown)
        case (.bodyTooLarge, _), (_, CURLE_FILESIZE_EXCEEDED):
            self = fail(.denied, "the answer's body is larger than the \(limits.maxResponseBytes) bytes allowed", .final, .unknown)
        case (.headersTooLarge, _): self = fail(.denied, "the answer's headers are larger than allowed", .final, .unknown)
        case (.twoLengths, _):
            self = fail(.remoteDown, "its answer is not readable HTTP: it tells two lengths", .final, .bad)
        case (.noSocket(let cause), _):
            let hint = cause == EMFILE ? ": all descriptors of the daemon are in use; raise LimitNOFILE of its unit" : ""
            self = fail(.retry, "this host gave no socket (\(String(cString: strerror(cause))))\(hint)", .final, .unknown)
        case (.wouldRepeat, _):
            let why = isIdempotent ? "" : "; not repeated, because the provider may have acted on it"
            self = fail(.remoteDown, "the connection broke before an answer\(why)", .broken(wasSent: wasSent), .bad)
        case (.address(let kind), CURLE_COULDNT_CONNECT), (.address(let kind), CURLE_ABORTED_BY_CALLBACK):
            let what = transfer.policy.proxy == nil ? "the host" : "the proxy's name"
            let other = transfer.policy.proxy == nil ? ", or set the connection's base_url to it" : ""
            self = fail(
                .denied,
                "\(what) leads to \(kind), which is not allowed: list its network in private_networks of \(transfer.policy.place)\(other)",
                .final,
                .unknown)
        case _ where transfer.policy.proxy != nil && ProxyTrouble(code, transfer) != nil:
            let trouble = ProxyTrouble(code, transfer)
            self = fail(
                .remoteDown, trouble?.reason ?? detail, trouble?.mayPass == true ? .broken(wasSent: wasSent) : .final, .bad)
        case (_, CURLE_OPERATION_TIMEDOUT):
            let what = transfer.status > 0 ? "the answer did not arrive in full" : "no answer"
            self = fail(.timeout, "\(what) within \((seconds * 10).rounded() / 10) s", .broken(wasSent: wasSent), .bad)
        case (_, CURLE_SSL_CACERT_BADFILE):
            self = fail(
                .remoteDown, "the certificate authorities can't be read any more: \(detail); check ca_file of \(transfer.policy.place)",
                .final, .bad)
        case (_, CURLE_PEER_FAILED_VERIFICATION):
            self = fail(
                .remoteDown,
                "its certificate is not trusted: \(detail); if it is of an authority of your own, name that in ca_file of \(transfer.policy.place)",
                .final, .bad)
        case (_, CURLE_WRITE_ERROR):
            // Ours says no only with a breach: it is libcurl's decoder.
            self = fail(
                .remoteDown, "its answer is not readable HTTP: the compressed body is damaged or goes on after its end", .final, .bad)
        case (_, CURLE_BAD_CONTENT_ENCODING), (_, CURLE_WEIRD_SERVER_REPLY), (_, CURLE_UNSUPPORTED_PROTOCOL):
            self = fail(.remoteDown, "its answer is not readable HTTP: \(detail)", .final, .bad)
        case (_, CURLE_OUT_OF_MEMORY) where wasSent:
            // What libcurl says to a field of more than 100 KiB.
            self = fail(.denied, "the answer's headers are larger than allowed", .final, .unknown)
        case (_, CURLE_OUT_OF_MEMORY), (_, CURLE_FAILED_INIT):
            self = fail(.retry, "the host could not begin it: \(detail)", .final, .unknown)
        default:
            self = fail(.remoteDown, detail, .broken(wasSent: wasSent), .bad)
        }
    }

    private init(result: Result<ProviderResponse, AttemptFailure>, ending: RetryPolicy.Ending, health: Health) {
        self.result = result
        self.ending = ending
        self.health = health
    }
}
