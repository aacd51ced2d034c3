// The authorization endpoint: answers at once as if the user had consented, or had not.

extension AuthorizationServer {
    /// 302 to the redirect with a code or an error; 400 without a redirect when client or redirect are not to be trusted.
    func authorize(_ request: APIRequest) -> Reply {
        let form = request.method == "POST" ? request.form : request.query
        guard let client = form["client_id"].flatMap(settings.client) else { return refuse("unknown_client", "client_id is unknown") }
        guard let redirect = form["redirect_uri"] else { return refuse("no_redirect", "redirect_uri is missing") }
        guard settings.redirects.contains(redirect) || Self.isLoopback(redirect) else {
            return refuse("wrong_redirect", "redirect_uri is not registered")
        }
        func answer(_ fields: [(String, String)]) -> Reply {
            var fields = fields
            if let state = form["state"] { fields.append(("state", state)) }
            fields.append(("iss", Self.issuer(request)))
            let query = fields.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&")
            return Reply(
                status: 302,
                headers: [("Location", redirect + (redirect.contains("?") ? "&" : "?") + query), ("Cache-Control", "no-store")])
        }
        func fail(_ code: String, _ text: String) -> Reply {
            ledger.authorizations[code, default: 0] += 1
            return answer([("error", code), ("error_description", text)])
        }
        guard let type = form["response_type"] else { return fail("invalid_request", "response_type is missing") }
        guard type == "code" else { return fail("unsupported_response_type", "only response_type=code") }
        let challenge = form["code_challenge"]
        if let challenge {
            guard form["code_challenge_method"] == "S256" else { return fail("invalid_request", "code_challenge_method must be S256") }
            guard PKCE.isWellFormed(challenge) else { return fail("invalid_request", "code_challenge is malformed") }
        } else if settings.isPKCERequired || client.secret == nil {
            return fail("invalid_request", "code_challenge is required")
        }
        let scopes = (form["scope"] ?? settings.defaultScope).split(separator: " ").map(String.init)
        if let known = settings.scopes, let unknown = scopes.first(where: { !known.contains($0) }) {
            return fail("invalid_scope", "scope \(unknown) is unknown")
        }
        if settings.isConsentDenied || form["prompt"] == "deny" { return fail("access_denied", "The user denied the request") }
        ledger.authorizations["granted", default: 0] += 1
        let code = book.add(
            AuthorizationCode(
                client: client.id, redirect: redirect, challenge: challenge, scopes: scopes,
                account: form["login_hint"] ?? settings.account,
                expiresAt: now + Milliseconds(settings.codeSeconds) * 1000))
        return answer([("code", code)])
    }

    private func refuse(_ outcome: String, _ text: String) -> Reply {
        ledger.authorizations[outcome, default: 0] += 1
        return OAuthFailure.invalidRequest(text).reply
    }

    // http on 127.0.0.1, [::1] or localhost with any port and path (RFC 8252 section 7.3).
    private static func isLoopback(_ uri: String) -> Bool {
        guard uri.hasPrefix("http://"), !uri.contains("#") else { return false }
        let authority = uri.dropFirst(7).prefix { $0 != "/" && $0 != "?" }
        let port = authority.hasPrefix("[") ? authority.drop { $0 != "]" }.dropFirst() : authority.drop { $0 != ":" }
        let host = authority.dropLast(port.count)
        return ["127.0.0.1", "[::1]", "localhost"].contains(String(host))
            && (port.isEmpty || port.first == ":" && Int(port.dropFirst()).map { (1...65_535).contains($0) } == true)
    }
}
