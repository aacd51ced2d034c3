// Whether a provider granted what was asked for. The names in a reply are often not those of the request though they mean the same
// (RFC 6749, 3.3 leaves them to the server), so only what has no likeness in the reply is missing.

/// The scopes that a reply names.
struct GrantedScopes {
    private let names: Set<String>
    private let separator: String

    /// Of the `scope` of a reply; `separator`: the provider's own, beside those that anybody may use.
    init(_ text: String, _ separator: String) {
        self.separator = separator
        names = Set(Self.names(text, separator))
    }

    /// Asked for to get another kind of token, or listed under other names: `https://host/.default` stands for all that was given before.
    private static let neverListed: Set<String> = ["openid", "profile", "email", "offline_access", "refresh_token", ".default"]

    /// Those of `asked` that are not among them. A reply that names none says nothing.
    func missing(of asked: [String]) -> [String] {
        guard !names.isEmpty else { return [] }
        return asked.filter { !Self.names($0, separator).allSatisfy(isGranted) }
    }

    private func isGranted(_ name: String) -> Bool {
        let short = Self.short(name)
        if Self.neverListed.contains(short) || names.contains(name) { return true }
        // Only one of the two may stand without its address: scopes of different services may end alike.
        return name == short ? names.contains { Self.short($0) == name } : names.contains(short)
    }

    private static func names(_ text: String, _ separator: String) -> [String] {
        text.lowercased().replacing(separator, with: " ").split { $0 == "," || $0 == "+" || $0.isWhitespace }.map { name in
            name.hasSuffix("/") ? String(name.dropLast()) : String(name)
        }
    }

    /// `user.read` of `https://graph.microsoft.com/user.read`.
    private static func short(_ name: String) -> String {
        name.contains("://") ? name.split(separator: "/").last.map(String.init) ?? name : name
    }
}
