// The part of a URL that decides where a request goes.

import CCurl

/// Scheme, host and port.
struct Origin: Hashable, Sendable {
    /// `http` or `https`.
    var scheme: String
    /// Lower case; IPv6 without brackets.
    var host: String
    /// With the scheme's default filled in.
    var port: UInt16
    /// `https://api.example.com:443`, the same for every spelling of one origin.
    var text: String { "\(scheme)://\(host.contains(":") ? "[\(host)]" : host):\(port)" }

    /// Of a parsed URL; nil with the reason when no request may go to such a URL at all.
    static func of(_ url: ParsedURL) -> Result<Origin, Refusal> {
        guard let scheme = url.part(CURLUPART_SCHEME)?.lowercased(), scheme == "http" || scheme == "https" else {
            return .failure(Refusal("only http and https are allowed"))
        }
        guard url.part(CURLUPART_ZONEID) == nil else { return .failure(Refusal("an address with a zone id is not allowed")) }
        guard var host = url.part(CURLUPART_HOST)?.lowercased(), !host.isEmpty else { return .failure(Refusal("it has no host")) }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard host.utf8.allSatisfy({ isHostByte($0) }), !host.hasSuffix("."), !host.hasPrefix(".") else {
            return .failure(Refusal("the host name holds characters that host names do not have, or ends with a dot"))
        }
        guard let port = url.part(CURLUPART_PORT, flags: Int32(CURLU_DEFAULT_PORT)).flatMap(UInt16.init), port > 0 else {
            return .failure(Refusal("the port is not a port"))
        }
        return .success(Origin(scheme: scheme, host: host, port: port))
    }

    /// Why a URL is refused.
    struct Refusal: Error {
        var reason: String
        init(_ reason: String) { self.reason = reason }
    }

    /// Letters, digits, `-._` and the colon of IPv6. International names must be given in their ASCII form.
    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"): true
        default: false
        }
    }

    /// Whether an `allowed_hosts` entry means this origin: `host`, `host:port`, `*.domain`. Without a port only the
    /// scheme's own port is meant.
    func matches(_ allowed: String) -> Bool {
        var name = Substring(allowed.lowercased())
        var wantedPort: UInt16 = scheme == "https" ? 443 : 80
        if let colon = name.lastIndex(of: ":"), name.firstIndex(of: ":") == colon, let given = UInt16(name[name.index(after: colon)...]) {
            wantedPort = given
            name = name[..<colon]
        }
        guard port == wantedPort else { return false }
        if name.hasPrefix("*.") {
            let suffix = name.dropFirst()
            return host.count > suffix.count && host.hasSuffix(suffix)
        }
        return host == name
    }
}
