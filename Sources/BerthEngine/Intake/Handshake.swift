// Requests by which a provider validates the URL: no deliveries, answered as the manifest declares.

import BerthModel
import BerthSeams

/// Answers handshakes.
enum Handshake {
    /// Longest value that is echoed.
    private static let echoBytesMax = 4096

    /// The answer, or nil when the request is none of the declared kind and so a delivery.
    static func answer(_ delivery: RawDelivery, _ spec: WebhookSpec) -> IntakeAnswer? {
        switch spec.handshake {
        case nil: return nil
        case .echo(let selector):
            var selectors = DeliverySelectors(delivery)
            guard let value = selectors.value([selector]), value.utf8.count <= echoBytesMax else { return nil }
            // Plain text that no browser takes for a page: the value is the caller's.
            return .handshake(
                status: 200, body: value, contentType: "text/plain; charset=utf-8", headers: [("x-content-type-options", "nosniff")])
        case .probe:
            guard delivery.method == "HEAD" || delivery.method == "GET" && delivery.query.isEmpty else { return nil }
            return .handshake(status: 200, body: "", contentType: "text/plain; charset=utf-8", headers: [])
        case .cloudEvents:
            guard delivery.method == "OPTIONS", let origin = delivery.header("webhook-request-origin"), isOrigin(origin) else { return nil }
            var headers = [
                (name: "webhook-allowed-origin", value: origin), (name: "allow", value: spec.methods.sorted().joined(separator: ", ")),
            ]
            if delivery.header("webhook-request-rate") != nil { headers.append((name: "webhook-allowed-rate", value: "*")) }
            return .handshake(status: 200, body: "", contentType: "text/plain; charset=utf-8", headers: headers)
        }
    }

    /// What may stand in a header of the answer.
    private static func isOrigin(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count) && text.utf8.allSatisfy { (33...126).contains($0) }
    }
}
