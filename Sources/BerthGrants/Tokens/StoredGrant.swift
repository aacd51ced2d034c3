// What is kept of a grant: one sealed value per connection, so that access and refresh token change together or not at all.

import BerthModel
import BerthSeams

/// Tokens and what is known of them. Lives in memory only as long as it is needed; at rest it is sealed.
struct StoredGrant: Sendable {
    var accessToken: Secret
    var tokenType = "Bearer"
    /// Nil: until the provider refuses it.
    var expiresAt: Timestamp?
    var refreshToken: Secret?
    var scope: String?
    /// Who the tokens are for, where the manifest says how to tell.
    var account: String?
    /// SHA-256 in hex of the refresh token that the operator gave and this descends from; nil: of a consent, or of credentials.
    var given: String?
    /// A person consented to it. Consents that earlier versions stored say so after their first use by this one.
    var isConsent = false
    var obtainedAt: Timestamp
    /// Why only a person can mend it; nil: it is alive.
    var deadReason: String?

    /// Whether it comes of what a connection of this kind was given. Grants that earlier versions stored for a given refresh token don't
    /// say of which: they are kept, or a spent one would be sent.
    func descends(from given: String?, _ kind: CredentialSpec.Kind) -> Bool {
        self.given == given ? kind == .authorizationCode || !isConsent : kind == .refreshToken && self.given == nil && !isConsent
    }

    /// Good at `now` for at least `seconds` more.
    func isGood(at now: Timestamp, for seconds: Int64) -> Bool {
        guard deadReason == nil, accessToken.count > 0 else { return false }
        return expiresAt.map { now.adding(seconds: seconds) < $0 } ?? true
    }

    /// Whether it should be renewed now. Short-lived tokens are renewed at half their life, or they always would be.
    func isDue(at now: Timestamp, before seconds: Int64) -> Bool {
        guard let expiresAt else { return false }
        let life = max(0, expiresAt.milliseconds - obtainedAt.milliseconds) / 1000
        return now.adding(seconds: min(seconds, life / 2)) >= expiresAt
    }
}

extension StoredGrant {
    /// The text that is sealed.
    var sealable: Secret {
        var members: [String: JSONValue] = [
            "access_token": .string(accessToken.exposedText), "token_type": .string(tokenType),
            "obtained_at": .integer(obtainedAt.milliseconds),
        ]
        members["expires_at"] = expiresAt.map { .integer($0.milliseconds) }
        members["refresh_token"] = refreshToken.map { .string($0.exposedText) }
        members["scope"] = scope.map { .string($0) }
        members["account"] = account.map { .string($0) }
        members["given"] = given.map { .string($0) }
        members["consent"] = isConsent ? .bool(true) : nil
        members["dead"] = deadReason.map { .string($0) }
        return Secret(copying: JSONValue.object(members).text.utf8)
    }

    /// Nil when the text is none of ours.
    init?(_ secret: Secret) {
        guard case .object(let members)? = secret.withBytes({ JSONValue(text: Array($0)) }),
            case .string(let access)? = members["access_token"], case .integer(let obtained)? = members["obtained_at"]
        else { return nil }
        func text(_ name: String) -> String? { if case .string(let value)? = members[name] { value } else { nil } }
        accessToken = Secret(copying: access.utf8)
        tokenType = text("token_type") ?? "Bearer"
        if case .integer(let expires)? = members["expires_at"] { expiresAt = Timestamp(milliseconds: expires) }
        refreshToken = text("refresh_token").map { Secret(copying: $0.utf8) }
        scope = text("scope")
        account = text("account")
        given = text("given")
        isConsent = members["consent"] == .bool(true)
        obtainedAt = Timestamp(milliseconds: obtained)
        deadReason = text("dead")
    }
}

extension Secret {
    /// The bytes as text, for the one place that must put them into a request or seal them.
    var exposedText: String { withBytes { String(decoding: $0, as: UTF8.self) } }
}
