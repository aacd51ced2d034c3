// Reads [credentials.oauth].

import BerthModel

enum OAuthReader {
    private static let keys = [
        "authorize_url", "token_url", "revoke_url", "revoke_ends", "scopes", "scope_separator", "client_authentication", "request_format",
        "pkce",
        "authorize_parameters", "token_parameters", "refresh_before_seconds", "lifetime_seconds", "account", "audience", "algorithm",
    ]

    /// Nil for kinds that are no OAuth.
    static func oauth(
        _ credential: ManifestSection, _ kind: CredentialSpec.Kind, _ settings: [String: SettingSpec]
    ) throws(BerthError) -> OAuthSpec? {
        let section = try credential.section("oauth", keys: keys)
        guard kind.isOAuth else {
            guard section == nil else { throw credential.refusal("oauth", "does not belong to kind \"\(kind.rawValue)\"") }
            return nil
        }
        guard let section else {
            throw credential.refusal("oauth", "is required for kind \"\(kind.rawValue)\"", hint: "oauth = { token_url = \"https://...\" }")
        }
        guard let tokenURL = try address("token_url", section, settings) else {
            throw section.refusal("token_url", "is required and missing")
        }
        var spec = OAuthSpec(
            authorizeURL: try address("authorize_url", section, settings), tokenURL: tokenURL,
            revokeURL: try address("revoke_url", section, settings))
        if kind == .authorizationCode, spec.authorizeURL == nil {
            throw section.refusal("authorize_url", "is required for kind \"\(kind.rawValue)\"")
        }
        spec.revocationReach = try section.choice("revoke_ends", OAuthSpec.RevocationReach.allCases) ?? .authorization
        spec.scopes = try section.texts("scopes") ?? []
        spec.scopeSeparator = try section.text("scope_separator") ?? " "
        spec.clientAuthentication = try section.choice("client_authentication", OAuthSpec.ClientAuthentication.allCases) ?? .body
        spec.requestFormat = try section.choice("request_format", OAuthSpec.RequestFormat.allCases) ?? .form
        spec.usesPKCE = try section.bool("pkce") ?? true
        if spec.clientAuthentication == .none, !spec.usesPKCE, kind == .authorizationCode {
            throw section.refusal("pkce", "a public client needs PKCE", hint: "pkce = true")
        }
        spec.authorizeParameters = try texts("authorize_parameters", section)
        spec.tokenParameters = try texts("token_parameters", section)
        spec.refreshBeforeSeconds = Int64(try section.integer("refresh_before_seconds", in: 0...86_400) ?? 300)
        spec.lifetimeSeconds = try section.integer("lifetime_seconds", in: 1...31_536_000).map { Int64($0) }
        if let pointer = try section.text("account") {
            guard pointer.hasPrefix("/") else {
                throw section.refusal("account", "\"\(pointer)\" is not a JSON pointer", hint: "such as /account/id")
            }
            spec.accountPointer = pointer
        }
        spec.audience = try section.text("audience")
        if let algorithm = try section.text("algorithm") {
            guard ["RS256", "ES256"].contains(algorithm) else { throw section.unknownChoice("algorithm", algorithm, ["RS256", "ES256"]) }
            spec.algorithm = algorithm
        }
        return spec
    }

    private static func address(_ key: String, _ section: ManifestSection, _ settings: [String: SettingSpec]) throws(BerthError) -> String?
    {
        guard let url = try section.text(key) else { return nil }
        guard url.hasPrefix("https://") || url.hasPrefix("http://") || url.hasPrefix("/") else {
            throw section.refusal(key, "\"\(url.prefix(120))\" is not an address", hint: "https://host/path, or /path below base_url")
        }
        for piece in url.split(separator: "{").dropFirst() {
            let name = String(piece.prefix { $0 != "}" })
            guard piece.contains("}"), settings[name] != nil else {
                throw section.refusal(key, "{\(name)} is not one of the plugin's settings")
            }
        }
        return url
    }

    private static func texts(_ key: String, _ section: ManifestSection) throws(BerthError) -> [String: String] {
        guard let node = section.members[key] else { return [:] }
        guard case .table(let members) = node else { throw section.refusal(key, "is not a table of texts") }
        var texts: [String: String] = [:]
        for (name, value) in members {
            guard case .string(let text) = value else { throw section.refusal(key, "\(name) is not a text") }
            texts[name] = text
        }
        return texts
    }
}
