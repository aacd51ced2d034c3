// Who a request to the token or revocation endpoint says it is (RFC 6749 section 2.3), and its parameters, form or JSON.

import FoundationEssentials

/// The parameters of a request to the token or revocation endpoint.
struct TokenParameters: Sendable {
    private let values: [String: String]

    subscript(name: String) -> String? { values[name] }

    /// - Throws: `invalid_request` for a body of another form than `form`, or one that repeats a parameter.
    init(_ request: APIRequest, form: TokenRequestForm) throws(OAuthFailure) {
        let type = request.headers["content-type"] ?? ""
        if type.hasPrefix("application/json") {
            guard form != .form else { throw .invalidRequest("this server reads application/x-www-form-urlencoded only") }
            guard let document = request.document, case .object(let members) = document else {
                throw .invalidRequest("body is no JSON object")
            }
            values = members.compactMapValues(\.text)
        } else if type.hasPrefix("application/x-www-form-urlencoded") {
            guard form != .json else { throw .invalidRequest("this server reads application/json only") }
            let fields = request.form.fields.filter { !$0.value.isEmpty }
            guard Set(fields.map(\.name)).count == fields.count else { throw .invalidRequest("a parameter is repeated") }
            values = Dictionary(fields.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        } else {
            throw .invalidRequest("Content-Type is neither application/x-www-form-urlencoded nor application/json")
        }
    }
}

/// An authenticated, or public, client.
struct ClientCredentials: Sendable {
    let client: OAuthClient
    /// `basic`, `body`, `none`.
    let method: String

    /// - Throws: `invalid_client`, or `invalid_request` for two methods at once.
    init(_ request: APIRequest, _ parameters: TokenParameters, settings: OAuthSettings) throws(OAuthFailure) {
        let allowed = settings.clientAuthentication
        if let header = request.headers["authorization"] {
            guard allowed != .body else { throw .invalidClient("this server takes client credentials in the body only", usedBasic: true) }
            let words = header.split(separator: " ", maxSplits: 1)
            guard words.count == 2, words[0].lowercased() == "basic", let data = Data(base64Encoded: String(words[1])) else {
                throw .invalidClient("Authorization is not Basic", usedBasic: true)
            }
            guard parameters["client_secret"] == nil else { throw .invalidRequest("two methods of client authentication at once") }
            let pair = String(decoding: data, as: UTF8.self).split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, let client = settings.client(percentDecoded(pair[0])), client.secret == percentDecoded(pair[1]) else {
                throw .invalidClient("client id or secret is wrong", usedBasic: true)
            }
            guard parameters["client_id"] == nil || parameters["client_id"] == client.id else {
                throw .invalidRequest("client_id differs from the Authorization header's")
            }
            self.client = client
            method = "basic"
            return
        }
        guard let id = parameters["client_id"], let client = settings.client(id) else {
            throw .invalidClient("client is unknown", usedBasic: false)
        }
        if let secret = client.secret {
            guard allowed != .basic else { throw .invalidClient("this server takes client credentials by Basic only", usedBasic: false) }
            guard parameters["client_secret"] == secret else { throw .invalidClient("client id or secret is wrong", usedBasic: false) }
        } else {
            guard parameters["client_secret"] == nil else { throw .invalidClient("client is public and has no secret", usedBasic: false) }
        }
        self.client = client
        method = client.secret == nil ? "none" : "body"
    }
}
