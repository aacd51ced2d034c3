// What the authorization server says no with (RFC 6749 section 5.2). Success is not its business.

/// A refusal of the token, authorization or revocation endpoint.
struct OAuthFailure: Error, Sendable {
    /// `invalid_grant` and the like.
    var code: String
    var text: String
    var status = 400
    var headers: [(name: String, value: String)] = []

    static func invalidGrant(_ text: String) -> OAuthFailure { OAuthFailure(code: "invalid_grant", text: text) }
    static func invalidRequest(_ text: String) -> OAuthFailure { OAuthFailure(code: "invalid_request", text: text) }

    /// 401; with the challenge RFC 6749 asks for when Basic was used.
    static func invalidClient(_ text: String, usedBasic: Bool) -> OAuthFailure {
        OAuthFailure(
            code: "invalid_client", text: text, status: 401,
            headers: usedBasic ? [("WWW-Authenticate", "Basic realm=\"berth-mock\"")] : [])
    }

    /// The JSON answer, not to be stored.
    var reply: Reply {
        .json(status, headers: OAuthFailure.unstored + headers) { json in
            json.object { json in
                json.put("error", code)
                json.put("error_description", text)
            }
        }
    }

    /// Headers of every answer of the token endpoint.
    static let unstored: [(name: String, value: String)] = [("Cache-Control", "no-store"), ("Pragma", "no-cache")]
}
