// What of a request must not be stored: credentials that are the secret itself. Signatures stay, they prove only this
// one delivery.

import BerthModel

extension RawDelivery {
    /// The delivery without Authorization, Cookie and Proxy-Authorization, and, for the `token` scheme, without the
    /// headers and query fields in which a token may stand; in other headers it is covered. An Authorization header that
    /// holds an `hmac` signature stays.
    func withoutSecrets(_ spec: WebhookSpec, _ rules: ConnectionWebhook, _ policy: WebhookPolicy) -> RawDelivery {
        let keepsAuthorization = rules.scheme == .hmac && (rules.header ?? spec.hmac.header) == "authorization"
        let places = rules.scheme == .token ? spec.tokenPlaces : []
        func isSecret(_ name: String) -> Bool {
            name == "cookie" || name == "proxy-authorization" || (name == "authorization" && !keepsAuthorization)
                || places.contains(.header(name))
        }
        var cleaned = self
        cleaned.pathToken = nil
        if headers.contains(where: { isSecret($0.name) }) { cleaned.headers.removeAll { isSecret($0.name) } }
        for index in cleaned.headers.indices { cleaned.headers[index].value = policy.withoutKeys(cleaned.headers[index].value) }
        guard !query.isEmpty else { return cleaned }
        let names = places.compactMap { if case .query(let name) = $0 { name } else { nil } }
        if !names.isEmpty { cleaned.query = FormFields.removing(names, from: query) }
        return cleaned
    }
}
