// Reads a token endpoint's answer (RFC 6749, 5) and says in plain words what is wrong with a bad one. No part of an
// answer's body goes into an error but its `error` and `error_description`, cut short: the rest may hold tokens.

import BerthModel
import BerthSeams

/// A failed token request.
struct GrantFailure: Error, Sendable {
    var message: String
    var hint: String
    /// Only a person can mend it: asking again would give the same, or do harm.
    var isFinal = false
    /// The provider said no in a way that waiting seldom mends; asked again all the same.
    var isRefusal = false
    /// The grant is gone: a person must consent again.
    var needsConsent = false
    var retryAfter: Int64?
    /// That this machine's clock and the server's differ; nil: they do not, or it is not known.
    var clock: String?
    /// What of a bad answer has to be kept all the same: the refresh token in it is the living one.
    var kept: StoredGrant?
}

/// An answer that gives tokens.
struct TokenReply {
    var accessToken: Secret
    var tokenType: String
    var expiresIn: Int64?
    /// An `expires_in` that says nothing, as a person may read it.
    var unreadLifetime: String?
    var refreshToken: Secret?
    var scope: String?
    var account: String?
    /// Why its access token can't be used. The refresh token is good all the same, and the one before it may be spent.
    var unfit: GrantFailure?

    static func read(_ response: ProviderResponse, _ spec: OAuthSpec, now: Timestamp, _ words: ForeignWords) -> Result<
        TokenReply, GrantFailure
    > {
        let type = response.headers.first { $0.name == "content-type" }?.value ?? ""
        let what = "the token endpoint answered \(response.status)"
        let document = LenientJSON.read(response.body)
        guard case .object(let members)? = document else {
            let shape =
                response.body.isEmpty
                ? "without a body" : "with \(response.body.count) bytes of \(type.isEmpty ? "no type" : words.plain(type, 60))"
            return .failure(
                GrantFailure(
                    message: "\(what) \(shape), \(document == nil ? "not JSON" : "no JSON object")",
                    hint: response.status < 500
                        ? "check the token address: berthctl plugin show" : "the provider is failing; it is asked again",
                    isRefusal: isRefusal(response.status),
                    retryAfter: ServerClock.retryAfter(response, now: now)))
        }
        if var failure = failure(members, response, what, now: now, words) {
            failure.clock = ServerClock.difference(response, now: now)
            if let clock = failure.clock { failure.hint += "; \(clock)" }
            return .failure(failure)
        }
        return tokens(members, spec, what, words)
    }

    /// What servers take in one header field is not much more.
    private static let tokenBytesMax = 16_384

    private static func tokens(_ members: [String: JSONValue], _ spec: OAuthSpec, _ what: String, _ words: ForeignWords) -> Result<
        TokenReply, GrantFailure
    > {
        guard case .string(let access)? = members["access_token"], !access.isEmpty else {
            return .failure(
                GrantFailure(message: "\(what) without an access_token", hint: "the provider's answer does not follow OAuth 2.0"))
        }
        var reply = TokenReply(accessToken: Secret(copying: access.utf8), tokenType: "Bearer")
        if case .string(let named)? = members["token_type"], case let type = named.trimmed, !type.isEmpty, type.lowercased() != "bearer" {
            reply.tokenType = type
        }
        if case .string(let refresh)? = members["refresh_token"], !refresh.isEmpty { reply.refreshToken = Secret(copying: refresh.utf8) }
        reply.readLifetime(members["expires_in"], spec, words)
        switch members["scope"] {
        case .string(let scope)?: reply.scope = scope
        case .array(let scopes)?: reply.scope = scopes.compactMap(\.scalarText).joined(separator: " ")
        default: break
        }
        if let pointer = spec.accountPointer { reply.account = JSONValue.object(members).value(at: pointer)?.scalarText }
        reply.unfit = unfit(reply, access, spec, what, words)
        return .success(reply)
    }

    private static func unfit(_ reply: TokenReply, _ access: String, _ spec: OAuthSpec, _ what: String, _ words: ForeignWords)
        -> GrantFailure?
    {
        guard access.utf8.count <= tokenBytesMax, access.utf8.allSatisfy({ (32...126).contains($0) }) else {
            return GrantFailure(
                message: "\(what) with an access_token of \(access.utf8.count) bytes that no header can carry",
                hint: "tokens are at most \(tokenBytesMax) characters of ASCII; it is asked again by and by")
        }
        guard ["bearer", "token"].contains(reply.tokenType.lowercased()) else {
            return GrantFailure(
                message: "\(what) with token_type '\(words.plain(reply.tokenType, 30))'", hint: "only bearer tokens are supported",
                isFinal: true)
        }
        let missing = reply.scope.map { GrantedScopes($0, spec.scopeSeparator).missing(of: spec.scopes) } ?? []
        guard missing.isEmpty else {
            return GrantFailure(
                message: "the provider granted less than was asked for: \(missing.joined(separator: " ")) is missing",
                hint: "give the application these scopes at the provider, then, where a person consented: berthctl connection connect NAME",
                isFinal: true)
        }
        return nil
    }

    private mutating func readLifetime(_ value: JSONValue?, _ spec: OAuthSpec, _ words: ForeignWords) {
        switch value {
        case .integer(let seconds)?: expiresIn = seconds
        case .number(let seconds)?: expiresIn = Self.whole(seconds)
        case .string(let text)?, .verbatim(let text)?: expiresIn = Int64(text.trimmed) ?? Double(text.trimmed).flatMap(Self.whole)
        default: break
        }
        if let value, value != .null, expiresIn == nil { unreadLifetime = words.plain(value.text, 60) }
        // Zero and less are taken for "does not say" by no standard, but a token that is dead at once helps nobody.
        if expiresIn.map({ $0 <= 0 }) ?? true { expiresIn = spec.lifetimeSeconds }
    }

    private static func whole(_ seconds: Double) -> Int64? { abs(seconds) < 1e12 ? Int64(seconds) : nil }

    private static func failure(
        _ members: [String: JSONValue], _ response: ProviderResponse, _ what: String, now: Timestamp, _ words: ForeignWords
    ) -> GrantFailure? {
        if (200...299).contains(response.status) {
            // Many say "no error" by null, "" or 0 beside the tokens. A token that is there is taken, whatever is said of it: refused,
            // it costs a request; thrown away, the grant, because the refresh token before it may be spent.
            if case .string(let access)? = members["access_token"], !access.isEmpty { return nil }
            if case .null = members["error"] ?? .null { return nil }
        }
        var code = ""
        if case .string(let text)? = members["error"] { code = words.plain(text, 60) }
        var detail = ""
        if let text = explanation(members) { detail = ": " + words.plain(text, 160) }
        let message = what + (code.isEmpty ? "" : " " + code) + detail
        switch code {
        case "invalid_grant":
            return GrantFailure(
                message: message, hint: "the grant was revoked, has expired or was used elsewhere: berthctl connection connect NAME",
                isFinal: true, needsConsent: true)
        case "invalid_client", "unauthorized_client":
            return GrantFailure(message: message, hint: "check client_id and client_secret of the connection", isFinal: true)
        case "invalid_scope":
            return GrantFailure(message: message, hint: "the provider does not know a scope of the plugin's manifest", isFinal: true)
        case "unsupported_grant_type", "invalid_request":
            return GrantFailure(message: message, hint: "the plugin's manifest does not fit this provider", isFinal: true)
        default:
            let passes = ["slow_down", "temporarily_unavailable", "server_error"].contains(code)
            let isRefusal = isRefusal(response.status) && !passes
            return GrantFailure(
                message: message,
                hint: isRefusal
                    ? "see at the provider what the application may do and from where; it is asked again by and by"
                    : "it is asked again by and by", isRefusal: isRefusal,
                retryAfter: ServerClock.retryAfter(response, now: now))
        }
    }

    /// Redirects are not followed, and of what is left only these say "later".
    private static func isRefusal(_ status: Int) -> Bool { (300...499).contains(status) && ![408, 425, 429].contains(status) }

    /// Why, in the provider's words: as the standard has it, or as others do.
    private static func explanation(_ members: [String: JSONValue]) -> String? {
        let document = JSONValue.object(members)
        let places = [
            "/error_description", "/message", "/error/message", "/detail", "/errors/0/detail", "/errors/0/message", "/errors/0/title",
            "/errors/0",
        ]
        return places.lazy.compactMap { document.value(at: $0)?.scalarText }.first { !$0.isEmpty }
    }
}

extension JSONValue {
    /// What a JSON pointer (RFC 6901) leads to.
    func value(at pointer: String) -> JSONValue? {
        pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst().reduce(self as JSONValue?) { value, step in
            let name = String(step).replacing("~1", with: "/").replacing("~0", with: "~")
            return switch value {
            case .object(let members)?: members[name]
            case .array(let items)?: Int(name).flatMap { items.indices.contains($0) ? items[$0] : nil }
            default: nil
            }
        }
    }
}

extension String {
    /// Without blanks around it.
    fileprivate var trimmed: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(self[first...last])
    }
}
