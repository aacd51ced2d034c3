// The little of URLs a webhook needs: http, a loopback host, a port, a target. Sending beyond this machine takes a flag.

/// An http URL taken apart.
struct OutgoingURL: Sendable, Hashable {
    var host: String
    var port: Int
    /// Starts with a slash.
    var path: String
    /// Without the question mark; nil when there is none.
    var query: String?

    /// nil when it is no http URL.
    init?(_ text: String) {
        guard text.hasPrefix("http://") else { return nil }
        let rest = text.dropFirst(7)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let target = rest[authority.endIndex...]
        var hostText = authority
        port = 80
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            guard let number = Int(authority[authority.index(after: colon)...]), (1...65_535).contains(number) else { return nil }
            port = number
            hostText = authority[..<colon]
        }
        guard !hostText.isEmpty else { return nil }
        host = hostText.hasPrefix("[") ? String(hostText.dropFirst().dropLast()) : String(hostText)
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts.first.map(String.init) ?? ""
        if path.isEmpty { path = "/" }
        query = parts.count > 1 ? String(parts[1]) : nil
    }

    /// What stands in the request line.
    var requestTarget: String { query.map { "\(path)?\($0)" } ?? path }
    /// Whether it stays on this machine.
    var isLoopback: Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.") && host.split(separator: ".").allSatisfy { Int($0) != nil }
    }
}
