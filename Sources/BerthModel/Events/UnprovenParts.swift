// What of a delivery its sender has not proven. A signature over the body says nothing of the query: whoever sees one signed request can
// send it again with a query of his own. Such parts are kept for people; kind, keys and plugin do not see them.

/// Parts of a delivery that its signature does not cover. Headers are not among them: few providers sign them, and a manifest that
/// reads one says with it that it trusts it.
public struct UnprovenParts: OptionSet, Sendable, Hashable {
    /// As stored with an event.
    public let rawValue: Int64
    /// Of a stored number.
    public init(rawValue: Int64) { self.rawValue = rawValue }
    /// The query.
    public static let query = UnprovenParts(rawValue: 1)
    /// The body.
    public static let body = UnprovenParts(rawValue: 2)
    /// The request method.
    public static let method = UnprovenParts(rawValue: 4)

    /// The parts' names, for people.
    public var names: [String] {
        [(UnprovenParts.query, "query"), (.body, "body"), (.method, "method")].filter { contains($0.0) }.map(\.1)
    }
}

extension WebhookSpec {
    /// What a scheme leaves unproven. `token` and `basic` prove the sender, and with him all he sends; a plugin that verifies has
    /// seen all, and answers for all unless the manifest says which parts.
    public func unproven(by scheme: SignatureScheme.Kind) -> UnprovenParts {
        switch scheme {
        case .token, .basic: []
        case .standardWebhooks: Self.unproven(beside: [.body])
        case .hmac: Self.unproven(beside: hmac.signed)
        case .plugin: pluginSigned.map(Self.unproven(beside:)) ?? []
        }
    }

    private static func unproven(beside signed: [SignatureScheme.HMAC.Part]) -> UnprovenParts {
        var parts: UnprovenParts = [.query, .body, .method]
        for part in signed {
            switch part {
            case .query: parts.remove(.query)
            case .body: parts.remove(.body)
            case .method: parts.remove(.method)
            case .timestamp, .path, .literal: break
            }
        }
        return parts
    }
}

extension RawDelivery {
    /// The delivery as it is believed. A method that nothing proves counts as POST, as it nearly always is: sent again with another
    /// one it is the same delivery.
    public func proven(but parts: UnprovenParts) -> RawDelivery {
        var delivery = self
        if parts.contains(.query) { delivery.query = "" }
        if parts.contains(.body) { delivery.body = [] }
        if parts.contains(.method) { delivery.method = "POST" }
        return delivery
    }
}

extension Event {
    /// The event as its plugin sees it: without what its sender has not proven. The method stays; what it may be is the manifest's to say.
    public var proven: Event {
        guard !unproven.isEmpty else { return self }
        var event = self
        if unproven.contains(.query) { event.query = "" }
        if unproven.contains(.body) { event.body = [] }
        return event
    }
}
