// The manifest's [webhook] table: how deliveries are verified and understood without plugin code.

import BerthModel

/// Reads `[webhook]`.
enum WebhookReader {
    static func webhook(_ root: ManifestSection) throws(BerthError) -> WebhookSpec? {
        guard
            let section = try root.section(
                "webhook",
                keys: [
                    "methods", "schemes", "default_scheme", "event_kind", "dedup_key", "ordering_key", "token_places", "hmac",
                    "plugin_signed", "success", "handshake",
                ])
        else { return nil }
        let methods = try section.texts("methods") ?? ["POST"]
        let known = ["POST", "GET", "PUT", "PATCH", "DELETE"]
        for method in methods where !known.contains(method) { throw section.unknownChoice("methods", method, known) }
        var schemes: [SignatureScheme.Kind] = []
        for text in try section.texts("schemes") ?? [] {
            guard let scheme = SignatureScheme.Kind(rawValue: text) else {
                throw section.unknownChoice("schemes", text, SignatureScheme.Kind.allCases.map(\.rawValue))
            }
            schemes.append(scheme)
        }
        guard let first = schemes.first else { throw section.refusal("schemes", "names no scheme", hint: "schemes = [\"token\"]") }
        let scheme = try section.choice("default_scheme", schemes) ?? first
        var spec = WebhookSpec(methods: Set(methods), schemes: schemes, defaultScheme: scheme)
        for text in try section.texts("token_places") ?? [] { spec.tokenPlaces += try section.selectors("token_places", text) }
        if let text = try section.text("event_kind") { spec.eventKind = try section.selectors("event_kind", text) }
        for text in try section.texts("dedup_key") ?? [] { spec.dedupKey.append(try section.selectors("dedup_key", text)) }
        for text in try section.texts("ordering_key") ?? [] { spec.orderingKey.append(try section.selectors("ordering_key", text)) }
        if let hmac = try hmac(section) { spec.hmac = hmac }
        spec.pluginSigned = try section.texts("plugin_signed")?.map { text throws(BerthError) in
            let parts: [String: SignatureScheme.HMAC.Part] = ["body": .body, "query": .query, "method": .method]
            guard let part = parts[text] else { throw section.unknownChoice("plugin_signed", text, parts.keys.sorted()) }
            return part
        }
        if let success = try section.section("success", keys: ["status", "body", "content_type"]) {
            spec.success = .init(
                status: try success.integer("status", in: 200...299) ?? 202, body: try success.text("body", max: 65_536, lines: true),
                contentType: try success.text("content_type") ?? "application/json")
            if [204, 205].contains(spec.success.status), spec.success.body?.isEmpty == false {
                throw success.refusal(
                    "body", "an answer of status \(spec.success.status) has none", hint: "status = 200, or leave body out")
            }
        }
        spec.handshake = try handshake(section)
        try refuseUnproven(spec, section)
        return spec
    }

    /// Kind and dedup key that stand only where no offered scheme proves anything would never be found.
    private static func refuseUnproven(_ spec: WebhookSpec, _ section: ManifestSection) throws(BerthError) {
        let unproven = spec.schemes.reduce(into: UnprovenParts(rawValue: ~0)) { $0.formIntersection(spec.unproven(by: $1)) }
        func isLost(_ alternatives: [ValueSelector]) -> Bool {
            let places = alternatives.filter { if case .constant = $0 { false } else { true } }
            return !places.isEmpty
                && places.allSatisfy {
                    switch $0 {
                    case .query: unproven.contains(.query)
                    case .form, .json: unproven.contains(.body)
                    case .header, .constant: false
                    }
                }
        }
        for (key, parts) in [("event_kind", [spec.eventKind]), ("dedup_key", spec.dedupKey)] where parts.contains(where: isLost) {
            throw section.refusal(
                key, "reads what none of its schemes signs",
                hint: "add the part to webhook.hmac.signed or webhook.plugin_signed, or read the value from a part that is signed")
        }
    }

    private static func hmac(_ webhook: ManifestSection) throws(BerthError) -> SignatureScheme.HMAC? {
        guard
            let section = try webhook.section(
                "hmac", keys: ["algorithm", "header", "encoding", "prefix", "signed", "timestamp_header", "tolerance_seconds"])
        else { return nil }
        var hmac = SignatureScheme.HMAC()
        hmac.algorithm = try section.choice("algorithm", [.sha1, .sha256, .sha512]) ?? hmac.algorithm
        hmac.header = try section.headerName("header") ?? hmac.header
        hmac.encoding = try section.choice("encoding", [.hex, .base64]) ?? hmac.encoding
        hmac.prefix = try section.text("prefix")
        hmac.timestampHeader = try section.headerName("timestamp_header")
        hmac.toleranceSeconds = Int64(try section.integer("tolerance_seconds", in: 1...86_400) ?? Int(hmac.toleranceSeconds))
        if let texts = try section.texts("signed") {
            hmac.signed = []
            for text in texts { hmac.signed.append(try part(section, text)) }
            guard hmac.signed.contains(.body) || hmac.signed.contains(.query) else {
                throw section.refusal("signed", "signs neither body nor query: such a signature proves nothing")
            }
        }
        if hmac.signed.contains(.timestamp), hmac.timestampHeader == nil {
            throw section.refusal("timestamp_header", "is required where the timestamp is signed")
        }
        return hmac
    }

    private static func part(_ section: ManifestSection, _ text: String) throws(BerthError) -> SignatureScheme.HMAC.Part {
        switch text {
        case "body": return .body
        case "timestamp": return .timestamp
        case "method": return .method
        case "path": return .path
        case "query": return .query
        case _ where text.hasPrefix("literal:"): return .literal(String(text.dropFirst("literal:".count)))
        default: throw section.unknownChoice("signed", text, ["body", "timestamp", "method", "path", "query", "literal:TEXT"])
        }
    }

    private static func handshake(_ webhook: ManifestSection) throws(BerthError) -> WebhookSpec.Handshake? {
        guard let section = try webhook.section("handshake", keys: ["kind", "value"]) else { return nil }
        switch try section.requiredText("kind") {
        case "echo":
            let selectors = try section.selectors("value", try section.requiredText("value"))
            guard selectors.count == 1 else { throw section.refusal("value", "has \(selectors.count) alternatives, one is allowed") }
            return .echo(selectors[0])
        case "probe": return .probe
        case "cloudevents": return .cloudEvents
        case let other: throw section.unknownChoice("kind", other, ["echo", "probe", "cloudevents"])
        }
    }
}
