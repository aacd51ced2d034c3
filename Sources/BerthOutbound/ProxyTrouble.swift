// What of a failed try is the proxy's fault, in words that name the setting to look at.

import CCurl

/// The proxy's part in a failure.
struct ProxyTrouble {
    var reason: String
    /// Whether asking again may help.
    var mayPass: Bool

    /// Nil when the proxy did its part, or there is none.
    init?(_ code: CURLcode, _ transfer: Transfer) {
        guard let proxy = transfer.policy.proxy, let found = Self.find(code, transfer, proxy) else { return nil }
        (reason, mayPass) = found
    }

    private static func find(_ code: CURLcode, _ transfer: Transfer, _ proxy: ProxyServer) -> (String, Bool)? {
        let name = "the proxy (\(proxy.setting))"
        let detail = transfer.detail.isEmpty ? String(cString: curl_easy_strerror(code)) : transfer.detail
        if transfer.connectStatus == 407 || transfer.status == 407 {
            let hint = proxy.credentials == nil ? "asks for credentials (407): name them in" : "refuses the credentials (407): check"
            return ("\(name) \(hint) proxy_credentials_file", false)
        }
        // From here on the connection was made: what happened then is between us and the provider.
        guard transfer.sendingCount == 0, transfer.connectStatus / 100 != 2 else { return nil }
        switch code {
        case CURLE_COULDNT_RESOLVE_PROXY: return ("\(name) has a name that is not known: \(detail)", true)
        case CURLE_COULDNT_CONNECT: return ("\(name) can't be reached: \(detail)", true)
        case CURLE_OPERATION_TIMEDOUT: return ("\(name) made no connection in time: \(detail)", true)
        case CURLE_PEER_FAILED_VERIFICATION where transfer.isProxyUntrusted:
            return (
                "\(name) has a certificate that is not trusted: \(detail); name its authority in ca_file of \(transfer.policy.place)", false
            )
        case CURLE_PROXY: return ("\(name) made no connection: \(detail)", true)
        case _ where transfer.connectStatus >= 300:
            return ("\(name) refuses to connect: it answered \(transfer.connectStatus)", transfer.connectStatus >= 500)
        case CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL,
            CURLE_OUT_OF_MEMORY:
            return ("\(name) did not answer as a proxy does: \(detail)", code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR)
        default: return nil
        }
    }
}
