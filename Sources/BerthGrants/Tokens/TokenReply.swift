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
    /// The grant is gone: a person must consent again.
    var needsConsent = false
    var retryAfter: Int64?
    /// That this machine's clock and the server's differ; nil: they do not, or it is not known.
    var clock: String?
}

/// A good answer.
struct TokenReply {
    var accessToken: Secret
    var tokenType: String
    var expiresIn: Int64?
    var refreshToken: Secret?
    var scope: String?
    var account: String?

    static func read(_ response: ProviderResponse, _ spec: OAuthSpec, now: Timestamp, _ words: ForeignWords) -> Result<
        TokenReply, GrantFailure
    > {
        let type = response.headers.first { $0.name == "content-type" }?.value ?? ""
        let what = "the token endpoint answered \(response.status)"
        let document = JSONValue(text: response.body)
        guard case .object(let members)? = document else {
            let shape =
                response.body.isEmpty
                ? "without a body" : "with \(response.body.count) bytes of \(type.isEmpty ? "no type" : words.plain(type, 60))"
            return .failure(
                GrantFailure(
                    message: "\(what) \(shape), \(document == nil ? "not JSON" : "no JSON object")",
                    hint: response.status < 500
                        ? "check the token address: berthctl plugin show" : "the provider is failing; it is asked again",
                    retryAfter: retryAfter(response)))
        }
        if var failure = failure(members, response, what, words) {
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
        guard access.utf8.count <= tokenBytesMax, access.utf8.allSatisfy({ (32...126).contains($0) }) else {
            return .failure(
                GrantFailure(
                    message: "\(what) with an access_token of \(access.utf8.count) bytes that no header can carry",
                    hint: "tokens are at most \(tokenBytesMax) characters of ASCII; it is asked again by and by"))
        }
        var type = "Bearer"
        if case .string(let named)? = members["token_type"], !named.isEmpty { type = named.lowercased() == "bearer" ? "Bearer" : named }
        guard type == "Bearer" || type.lowercased() == "token" else {
            return .failure(
                GrantFailure(
                    message: "\(what) with token_type '\(words.plain(type, 30))'", hint: "only bearer tokens are supported", isFinal: true))
        }
        var reply = TokenReply(accessToken: Secret(copying: access.utf8), tokenType: type)
        switch members["expires_in"] {
        case .integer(let seconds)?: reply.expiresIn = seconds
        case .number(let seconds)? where seconds.isFinite && abs(seconds) < 1e12: reply.expiresIn = Int64(seconds)
        case .string(let text)?: reply.expiresIn = Int64(text)
        default: reply.expiresIn = spec.lifetimeSeconds
        }
        // Zero and less are taken for "does not say" by no standard, but a token that is dead at once helps nobody.
        if let seconds = reply.expiresIn, seconds <= 0 { reply.expiresIn = spec.lifetimeSeconds }
        if case .string(let refresh)? = members["refresh_token"], !refresh.isEmpty { reply.refreshToken = Secret(copying: refresh.utf8) }
        if case .string(let scope)? = members["scope"] { reply.scope = scope }
        if let pointer = spec.accountPointer { reply.account = JSONValue.object(members).value(at: pointer)?.scalarText }
        if let scope = reply.scope, !scope.isEmpty {
            let granted = Set(scope.split { $0 == " " || $0 == "," }.map(String.init))
            let missing = spec.scopes.filter { !granted.contains($0) }
            guard missing.isEmpty else {
                return .failure(
                    GrantFailure(
                        message: "the provider granted less than was asked for: \(missing.joined(separator: " ")) is missing",
                        hint: "give the application these scopes at the provider, then connect again", isFinal: true, needsConsent: true))
            }
        }
        return .success(reply)
    }

    private static func failure(_ members: [String: JSONValue], _ response: ProviderResponse, _ what: String, _ words: ForeignWords)
        -> GrantFailure?
    {
        guard !(200...299).contains(response.status) || members["error"] != nil else { return nil }
        var code = ""
        if case .string(let text)? = members["error"] { code = words.plain(text, 60) }
        var detail = ""
        if case .string(let text)? = members["error_description"] { detail = ": " + words.plain(text, 160) }
        let message = "\(what) \(code.isEmpty ? "" : "\(code)")\(detail)"
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
            return GrantFailure(message: message, hint: "it is asked again by and by", retryAfter: retryAfter(response))
        }
    }

    private static func retryAfter(_ response: ProviderResponse) -> Int64? {
        response.headers.first { $0.name == "retry-after" }.flatMap { Int64($0.value) }
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
