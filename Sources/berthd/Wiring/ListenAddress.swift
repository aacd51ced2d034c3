// `host:port`, with the host of an IPv6 address in brackets.

import BerthModel

struct ListenAddress {
    let host: String
    let port: Int

    init(_ text: String, setting: String) throws(BerthError) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]), (0...65_535).contains(port) else {
            throw BerthError(
                "configuration_invalid", "\(setting): '\(text)' is not host:port",
                hint: "for example 127.0.0.1:8700, 0.0.0.0:8700 or [::]:8700")
        }
        var host = String(text[..<colon])
        // Nobody opens a daemon to all networks by leaving something out.
        guard !host.isEmpty else {
            throw BerthError(
                "configuration_invalid", "\(setting): '\(text)' names no address",
                hint: "0.0.0.0\(text) or [::]\(text) is every one of this machine")
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        self.host = host
        self.port = port
    }
}
