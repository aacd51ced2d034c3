// Plays a client of the mock's authorization server: the steps every OAuth test repeats.

import Crypto
import Foundation
import Testing

extension MockProcess {
    static let redirect = "http://127.0.0.1:1/callback"
    static let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    static let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    static let secret = ["client_id": "mock-client", "client_secret": "mock-client-secret"]

    /// A mock with the authorization server alone; `settings` as `--oauth-set` takes them.
    static func oauth(_ settings: String..., more: [String] = []) throws -> MockProcess {
        try MockProcess(["--oauth"] + settings.flatMap { ["--oauth-set", $0] } + more)
    }

    static func encoded(_ fields: [String: String]) -> String {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-._~")
        return fields.sorted { $0.key < $1.key }
            .map { "\($0.key)=\($0.value.addingPercentEncoding(withAllowedCharacters: allowed) ?? "")" }.joined(separator: "&")
    }

    /// The authorization request with PKCE; an empty value leaves a parameter out.
    func authorization(_ changes: [String: String] = [:]) throws -> Answer {
        let fields = [
            "response_type": "code", "client_id": "mock-client", "redirect_uri": Self.redirect, "state": "st ate",
            "code_challenge": Self.challenge, "code_challenge_method": "S256",
        ].merging(changes) { $1 }.filter { !$0.value.isEmpty }
        return try request("GET", "/oauth/authorize?" + Self.encoded(fields))
    }

    /// What the redirect tells; empty when there is none.
    static func told(_ answer: Answer) -> [String: String] {
        let items = answer.headers["location"].flatMap { URLComponents(string: $0)?.queryItems } ?? []
        return Dictionary(items.map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { first, _ in first })
    }

    func code(_ changes: [String: String] = [:]) throws -> String { try #require(Self.told(try authorization(changes))["code"]) }

    func token(_ fields: [String: String], headers: [String: String] = [:]) throws -> Answer {
        let headers = ["Content-Type": "application/x-www-form-urlencoded"].merging(headers) { $1 }
        return try request("POST", "/oauth/token", headers: headers, body: Self.encoded(fields.filter { !$0.value.isEmpty }))
    }

    func redeem(_ code: String, _ changes: [String: String] = [:]) throws -> Answer {
        let fields = ["grant_type": "authorization_code", "code": code, "redirect_uri": Self.redirect, "code_verifier": Self.verifier]
        return try token(fields.merging(Self.secret) { $1 }.merging(changes) { $1 })
    }

    func refresh(_ token: String, _ changes: [String: String] = [:]) throws -> Answer {
        try self.token(["grant_type": "refresh_token", "refresh_token": token].merging(Self.secret) { $1 }.merging(changes) { $1 })
    }

    /// A new grant's access and refresh token, by the whole flow.
    func connect() throws -> (access: String, refresh: String) {
        let reply = try redeem(try code()).object
        return (try #require(reply["access_token"] as? String), try #require(reply["refresh_token"] as? String))
    }

    func api(_ path: String, _ token: String, method: String = "GET", headers: [String: String] = [:]) throws -> Answer {
        try request(method, "/api/" + path, headers: headers.merging(["Authorization": "Bearer " + token]) { $1 })
    }

    func told(_ route: String) throws -> [String: Any] { try request("GET", "/_mock/oauth/" + route).object }

    func set(_ settings: [String: Any]) throws { #expect(try json("PUT", "/_mock/oauth/settings", settings).status == 200) }

    func fault(_ faults: String...) throws { #expect(try json("PUT", "/_mock/faults", ["faults": faults]).status == 200) }

    func grants() throws -> [[String: Any]] { try told("grants")["grants"] as? [[String: Any]] ?? [] }

    func entries() throws -> [[String: Any]] { try told("ledger")["entries"] as? [[String: Any]] ?? [] }
}

extension MockProcess.Answer {
    /// The OAuth error code.
    var error: String? { object["error"] as? String }
    var access: String { object["access_token"] as? String ?? "" }
    var refresh: String? { object["refresh_token"] as? String }
}
