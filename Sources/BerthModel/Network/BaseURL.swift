// What may be a connection's address. One rule, asked when the address is stored and again before it is used.

/// Checks base URLs.
public enum BaseURL {
    /// Why the text cannot be a base URL; nil: it can. It is `http://` or `https://`, a host name in ASCII or an address (of version 6 in
    /// brackets, without zone), a port from 1 to 65535 if any, and a path without query. What names and addresses mean is not looked at.
    public static func problem(_ text: String) -> String? {
        guard text.utf8.allSatisfy({ $0 > 32 && $0 < 127 && !"?#\\@".utf8.contains($0) }) else {
            return "must be scheme, host and path in ASCII (international names as xn--...), without user, query or fragment"
        }
        guard let rest = ["https://", "http://"].first(where: { text.lowercased().hasPrefix($0) }).map({ text.dropFirst($0.utf8.count) })
        else { return "must begin with http:// or https://" }
        let authority = rest.prefix { $0 != "/" }
        let port: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]"), IPAddress(String(authority[..<end].dropFirst()))?.family == .v6 else {
                return "holds no address of IP version 6 in its brackets; zones are not allowed"
            }
            port = authority[end...].dropFirst().isEmpty ? nil : authority[end...].dropFirst()
        } else {
            let host = authority.prefix { $0 != ":" }
            guard !host.isEmpty, host.allSatisfy({ $0.isLetter || $0.isNumber || "-._".contains($0) }), host.first != ".", host.last != "."
            else {
                return "must have a host of letters, digits, '-', '.' and '_', without a dot at an end"
            }
            port = host.endIndex == authority.endIndex ? nil : authority[host.endIndex...]
        }
        guard let port else { return nil }
        guard port.first == ":", let number = UInt16(port.dropFirst()), number > 0, port.dropFirst().allSatisfy(\.isNumber) else {
            return "must have a port from 1 to 65535, or none"
        }
        return nil
    }
}
