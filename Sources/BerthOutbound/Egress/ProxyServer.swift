// The proxy that a workspace's requests go by. It is the operator's word only: nothing comes from the environment.

public import BerthSeams
import CCurl

/// A proxy and what it is told.
public struct ProxyServer: Sendable {
    /// `http`, `https` (TLS to the proxy itself) or `socks5h` (names are resolved by the proxy).
    public let scheme: String
    /// Lower case; IPv6 without brackets.
    public let host: String
    /// As given: proxies have no port of their own.
    public let port: UInt16
    /// User name and password; sent at once, as Basic or in SOCKS's own way. Nil: none.
    public var credentials: Credentials?
    /// The setting that names it, for messages.
    public var setting = "[egress] proxy"
    /// The host, where it is an address.
    let address: PeerAddress?

    /// What a proxy is told of who asks.
    public struct Credentials: Sendable {
        /// Without NUL.
        public let user: Secret
        /// Without NUL.
        public let password: Secret
        /// Both.
        public init(user: Secret, password: Secret) {
            self.user = user
            self.password = password
        }
    }

    /// Why a text names no proxy. Never holds the text: somebody may have written a password into it.
    public struct Refusal: Error, Sendable {
        /// What is wrong, and a good example.
        public var reason: String
    }

    /// Reads `http://proxy.example:3128`.
    public init(_ text: String) throws(Refusal) {
        let example = "; for example http://proxy.example.com:3128"
        guard let handle = curl_url() else { throw Refusal(reason: "out of memory") }
        defer { curl_url_cleanup(handle) }
        let code = curl_url_set(handle, CURLUPART_URL, text, UInt32(CURLU_NON_SUPPORT_SCHEME))
        func part(_ which: CURLUPart) -> String? {
            var found: UnsafeMutablePointer<CChar>?
            guard curl_url_get(handle, which, &found, 0) == CURLUE_OK, let found else { return nil }
            defer { curl_free(found) }
            return String(cString: found)
        }
        guard code == CURLUE_OK, let scheme = part(CURLUPART_SCHEME)?.lowercased(), var host = part(CURLUPART_HOST)?.lowercased() else {
            throw Refusal(reason: "is no proxy's URL\(example)")
        }
        guard part(CURLUPART_USER) == nil, part(CURLUPART_PASSWORD) == nil, !text.contains("@") else {
            throw Refusal(
                reason: "holds credentials, which do not belong into a configuration: put user:password into proxy_credentials_file")
        }
        guard ["http", "https", "socks5h"].contains(scheme) else {
            throw Refusal(reason: "has a scheme that is none of http, https, socks5h\(example)")
        }
        guard part(CURLUPART_PATH).map({ $0 == "/" || $0.isEmpty }) ?? true, part(CURLUPART_QUERY) == nil, part(CURLUPART_FRAGMENT) == nil
        else {
            throw Refusal(reason: "has more than scheme, host and port\(example)")
        }
        guard let port = part(CURLUPART_PORT).flatMap(UInt16.init), port > 0 else { throw Refusal(reason: "has no port\(example)") }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard part(CURLUPART_ZONEID) == nil, !host.isEmpty, host.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "%") }) else {
            throw Refusal(reason: "has no plain host name or address\(example)")
        }
        self.scheme = scheme
        self.host = host
        self.port = port
        address = PeerAddress(host)
    }

    /// Scheme, host and port; never credentials.
    public var url: String { "\(scheme)://\(address?.isIPv6 == true ? "[\(host)]" : host):\(port)" }

    /// Sends a handle's request by this proxy.
    func apply(to easy: UnsafeMutableRawPointer, caFile: String?) {
        ccurl_set_string(easy, CURLOPT_PROXY, url)
        // Set, so that the environment's no_proxy is not asked; empty: no host goes past the proxy.
        ccurl_set_string(easy, CURLOPT_NOPROXY, "")
        // The provider's headers, its credential among them, are none of the proxy's business; nor are the proxy's the plugin's.
        ccurl_set_long(easy, CURLOPT_HEADEROPT, Int(CURLHEADER_SEPARATE))
        ccurl_set_long(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        if scheme == "https" {
            ccurl_set_long(easy, CURLOPT_PROXY_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
            if let caFile {
                ccurl_set_string(easy, CURLOPT_PROXY_CAINFO, caFile)
                ccurl_set_string(easy, CURLOPT_PROXY_CAPATH, nil)
            }
        }
        guard let credentials else { return }
        // Basic alone: asking first what the proxy likes would send every body twice.
        ccurl_set_long(easy, CURLOPT_PROXYAUTH, Self.basic)
        ccurl_set_long(easy, CURLOPT_SOCKS5_AUTH, Self.basic)
        Self.set(easy, CURLOPT_PROXYUSERNAME, credentials.user)
        Self.set(easy, CURLOPT_PROXYPASSWORD, credentials.password)
    }

    /// CURLAUTH_BASIC, a cast that Swift does not import.
    private static let basic = 1

    /// libcurl copies the text; ours is cleared at once.
    private static func set(_ easy: UnsafeMutableRawPointer, _ option: CURLoption, _ secret: Secret) {
        let text = UnsafeMutableRawBufferPointer.allocate(byteCount: secret.count + 1, alignment: 1)
        secret.withBytes { text.copyBytes(from: $0) }
        text[secret.count] = 0
        if let base = text.baseAddress {
            ccurl_set_string(easy, option, UnsafePointer(base.assumingMemoryBound(to: CChar.self)))
            ccurl_wipe(base, text.count)
        }
        text.deallocate()
    }
}
