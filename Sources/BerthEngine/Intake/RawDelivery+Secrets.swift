// What of a request must not be stored: credentials that are the secret itself. Signatures stay, they prove only this
// one delivery.

import BerthModel

extension RawDelivery {
    /// The delivery without Authorization, Cookie and Proxy-Authorization, and, for the `token` scheme, without the
    /// headers and query fields in which a token may stand. An Authorization header that holds an `hmac` signature stays.
    func withoutSecrets(_ spec: WebhookSpec, _ rules: ConnectionWebhook) -> RawDelivery {
        var headerNames = ["cookie", "proxy-authorization"]
        if rules.scheme != .hmac || (rules.header ?? spec.hmac.header) != "authorization" { headerNames.append("authorization") }
        var queryNames: [String] = []
        if rules.scheme == .token {
            for place in spec.tokenPlaces {
                switch place {
                case .header(let name): headerNames.append(name)
                case .query(let name): queryNames.append(name)
                default: continue
                }
            }
        }
        var cleaned = self
        cleaned.pathToken = nil
        if headers.contains(where: { headerNames.contains($0.name) }) {
            cleaned.headers = headers.filter { !headerNames.contains($0.name) }
        }
        if !queryNames.isEmpty, !query.isEmpty { cleaned.query = FormFields.removing(queryNames, from: query) }
        return cleaned
    }
}
