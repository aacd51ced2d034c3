// The token endpoint without its faults of transport: every grant type, and the bookkeeping of each request.

extension AuthorizationServer {
    /// What happened to the tokens in place of what should have.
    struct TokenTwist: Sendable {
        var hasWrongType = false
        var hasWrongScope = false
        var isForOtherAccount = false
    }

    /// A token request came. - Returns: its number in the ledger.
    func tokenRequestBegan() -> Int { ledger.begin(at: clock()) }

    /// A token request's answer left. - Parameter isReset: the connection was broken instead.
    func tokenRequestEnded(_ number: Int, isReset: Bool) {
        if isReset { ledger.change(number) { $0.status = 0 } }
        ledger.finish(number, at: clock())
    }

    /// A fault answered instead; nothing was issued or spent.
    func note(_ number: Int, fault: String, status: Int, request: APIRequest) {
        let parameters = try? TokenParameters(request, form: .any)  // A request that can't be read has no grant type to note.
        ledger.change(number) { entry in
            entry.grantType = parameters?["grant_type"]
            entry.client = parameters?["client_id"]
            entry.outcome = fault
            entry.faults = [fault]
            entry.status = status
        }
    }

    /// Processes a token request to its end. - Parameter faults: names of those that strike, for the ledger.
    func token(_ request: APIRequest, number: Int, twist: TokenTwist, faults: [String]) -> Reply {
        let reply: Reply
        do throws(OAuthFailure) {
            let parameters = try TokenParameters(request, form: settings.tokenForm)
            ledger.change(number) { $0.grantType = parameters["grant_type"] }
            let issued = try issue(request, parameters, number, twist)
            reply = tokenReply(issued, hasWrongType: twist.hasWrongType)
            ledger.change(number) { entry in
                entry.outcome = "issued"
                entry.grant = issued.grant.id
                entry.account = issued.token.account
                entry.issued = issued.refresh == nil ? nil : issued.grant.generation
            }
        } catch {
            reply = error.reply
            ledger.change(number) { $0.outcome = error.code }
        }
        ledger.change(number) { entry in
            entry.status = reply.status
            entry.faults = faults
        }
        return reply
    }

    private func issue(
        _ request: APIRequest, _ parameters: TokenParameters, _ number: Int, _ twist: TokenTwist
    ) throws(OAuthFailure) -> IssuedTokens {
        guard let name = parameters["grant_type"] else { throw .invalidRequest("grant_type is missing") }
        guard let type = GrantType(rawValue: name) else {
            throw OAuthFailure(code: "unsupported_grant_type", text: "no grant type \(name)")
        }
        if type == .jwtBearer { return try assert(request, parameters, number, twist) }
        let credentials = try ClientCredentials(request, parameters, settings: settings)
        let client = credentials.client.id
        ledger.change(number) { entry in
            entry.client = client
            entry.authentication = credentials.method
        }
        switch type {
        case .authorizationCode:
            guard let code = parameters["code"] else { throw .invalidRequest("code is missing") }
            let found = try book.redeem(
                code, client: client, redirect: parameters["redirect_uri"], verifier: parameters["code_verifier"], now: now)
            let issued = try grant(type, client, found.account, found.scopes, withRefresh: settings.issuesRefresh, twist)
            book.bind(code, to: issued.grant.id)
            return issued
        case .refreshToken:
            guard let text = parameters["refresh_token"] else { throw .invalidRequest("refresh_token is missing") }
            return try refresh(text, client, scopes: parameters["scope"], number, twist)
        case .clientCredentials:
            guard credentials.method != "none" else { throw OAuthFailure(code: "unauthorized_client", text: "client is public") }
            return try grant(type, client, settings.account, try scopes(parameters["scope"]), withRefresh: false, twist)
        case .password:
            guard parameters["username"] == settings.user.name, parameters["password"] == settings.user.password else {
                throw .invalidGrant("user name or password is wrong")
            }
            return try grant(type, client, settings.account, try scopes(parameters["scope"]), withRefresh: settings.issuesRefresh, twist)
        case .jwtBearer: throw .invalidRequest("assertion is missing")
        }
    }

    private func refresh(
        _ text: String, _ client: String, scopes asked: String?, _ number: Int, _ twist: TokenTwist
    ) throws(OAuthFailure) -> IssuedTokens {
        let token = try book.present(text, client: client, settings: settings, now: now)
        ledger.change(number) { entry in
            entry.presented = token.generation
            entry.grant = token.grant
        }
        let granted = book.grants[token.grant]
        let wanted = asked?.split(separator: " ").map(String.init)
        if let excess = wanted?.first(where: { granted?.scopes.contains($0) == false }) {
            throw OAuthFailure(code: "invalid_scope", text: "scope \(excess) was not granted")
        }
        try mint(client, granted?.account ?? "")
        let isRotated = settings.refreshReply == .rotate
        let issued = try book.issue(
            token.grant, withRefresh: isRotated, replacing: isRotated ? text : nil, account: twist.isForOtherAccount ? "acct-other" : nil,
            scopes: twist.hasWrongScope ? ["other.scope"] : wanted, settings: settings, now: now)
        guard settings.refreshReply == .same else { return issued }
        return IssuedTokens(grant: issued.grant, access: issued.access, token: issued.token, refresh: text)
    }

    // RFC 7523: the assertion is the authentication too; client parameters may come beside it and must then be right.
    private func assert(
        _ request: APIRequest, _ parameters: TokenParameters, _ number: Int, _ twist: TokenTwist
    ) throws(OAuthFailure) -> IssuedTokens {
        guard let text = parameters["assertion"] else { throw .invalidRequest("assertion is missing") }
        let issuer = Self.issuer(request)
        let assertion = try JWTAssertion(
            text, keys: settings.assertionKeys, audiences: settings.assertionAudience.map { [$0] } ?? [issuer + "/oauth/token", issuer],
            now: now)
        guard let client = settings.client(assertion.issuer) else { throw .invalidGrant("assertion iss is no client id") }
        if request.headers["authorization"] != nil || parameters["client_id"] != nil {
            guard try ClientCredentials(request, parameters, settings: settings).client.id == client.id else {
                throw .invalidClient("client differs from the assertion's iss", usedBasic: false)
            }
        }
        ledger.change(number) { entry in
            entry.client = client.id
            entry.authentication = "assertion"
        }
        if let id = assertion.id, !usedAssertions.insert("\(client.id) \(id)").inserted {
            throw .invalidGrant("assertion was used before (jti)")
        }
        return try grant(.jwtBearer, client.id, assertion.subject, try scopes(parameters["scope"]), withRefresh: false, twist)
    }

    private func grant(
        _ type: GrantType, _ client: String, _ account: String, _ scopes: [String], withRefresh: Bool, _ twist: TokenTwist
    ) throws(OAuthFailure) -> IssuedTokens {
        try mint(client, account)
        let grant = book.begin(client: client, account: account, scopes: scopes, type: type.rawValue, now: now)
        return try book.issue(
            grant.id, withRefresh: withRefresh, account: twist.isForOtherAccount ? "acct-other" : nil,
            scopes: twist.hasWrongScope ? ["other.scope"] : nil, settings: settings, now: now)
    }

    private func scopes(_ asked: String?) throws(OAuthFailure) -> [String] {
        let scopes = (asked ?? settings.defaultScope).split(separator: " ").map(String.init)
        if let known = settings.scopes, let unknown = scopes.first(where: { !known.contains($0) }) {
            throw OAuthFailure(code: "invalid_scope", text: "scope \(unknown) is unknown")
        }
        return scopes
    }

    // At most one token per client and account in `mintSeconds`.
    private func mint(_ client: String, _ account: String) throws(OAuthFailure) {
        let key = "\(client) \(account)"
        if settings.mintSeconds > 0, let last = lastMints[key] {
            let wait = last + Milliseconds(settings.mintSeconds) * 1000 - now
            guard wait <= 0 else {
                throw OAuthFailure(
                    code: "rate_limited", text: "one token per \(settings.mintSeconds) s", status: 429,
                    headers: [("Retry-After", String((wait + 999) / 1000))])
            }
        }
        lastMints[key] = now
    }

    // `extra` has the last word: a member of the same name replaces what would stand there, and null leaves it out.
    private func tokenReply(_ issued: IssuedTokens, hasWrongType: Bool) -> Reply {
        let extra = settings.extra.flatMap { JSONDocument(parsing: Array($0.utf8)) }?.members ?? [:]
        return .json(headers: OAuthFailure.unstored) { json in
            json.object { json in
                func own(_ name: String, _ write: (inout JSONText) -> Void) { if extra[name] == nil { write(&json) } }
                own("access_token") { $0.put("access_token", issued.access) }
                own("token_type") { $0.put("token_type", hasWrongType ? "mac" : "Bearer") }
                if settings.tellsExpiry, let seconds = settings.accessSeconds { own("expires_in") { $0.put("expires_in", seconds) } }
                if let refresh = issued.refresh { own("refresh_token") { $0.put("refresh_token", refresh) } }
                own("scope") { $0.put("scope", issued.token.scopes.joined(separator: " ")) }
                own("created_at") { $0.put("created_at", Int(issued.token.issuedAt / 1000)) }
                for (name, value) in extra.sorted(by: { $0.key < $1.key }) {
                    if case .null = value { continue }
                    json.put(name, value)
                }
            }
        }
    }

    /// RFC 7009: 200 also for tokens it does not know.
    func revoke(_ request: APIRequest) -> Reply {
        do throws(OAuthFailure) {
            let parameters = try TokenParameters(request, form: .any)
            let credentials = try ClientCredentials(request, parameters, settings: settings)
            guard let token = parameters["token"] else { throw .invalidRequest("token is missing") }
            let isKnown = book.revoke(token: token, client: credentials.client.id, now: now)
            ledger.revocations[isKnown ? "revoked" : "unknown_token", default: 0] += 1
            return Reply(status: 200, headers: OAuthFailure.unstored)
        } catch {
            ledger.revocations[error.code, default: 0] += 1
            return error.reply
        }
    }
}
