// What a connection's deliveries are judged by, made once per version of the connection so that a request needs no
// hop to the vault.

import BerthModel
import BerthSeams
import Synchronization

/// Keys and allowed addresses of one version of a connection.
final class WebhookPolicy: Sendable {
    /// The current key first. Empty: nothing is verified.
    let keys: [VerificationKey]
    /// Nil when any address may call. Texts that are no range allow nobody.
    private let allowed: [IPRange]?
    /// Finds keys that deliveries show themselves; nil where they only sign.
    private let shown: SecretSearch?
    private let shownBytesMin: Int

    init(keys: [VerificationKey], allowIPs: [String], areShown: Bool = false) {
        self.keys = keys
        shown = areShown ? SecretSearch(keys.compactMap { SecretForms($0.secret) }, short: .anywhere) : nil
        shownBytesMin = keys.map(\.secret.count).min() ?? 0
        allowed = allowIPs.isEmpty ? nil : allowIPs.compactMap { IPRange($0) }
    }

    /// Whether a caller at that textual address may call.
    func allows(_ remoteAddress: String) -> Bool {
        guard let allowed else { return true }
        guard let address = IPAddress(remoteAddress) else { return false }
        return allowed.contains { $0.contains(address) }
    }

    /// A header's value with `***` for keys: proxies repeat the path, and a token in it, in headers of their own.
    func withoutKeys(_ value: String) -> String {
        guard let shown, value.utf8.count >= shownBytesMin else { return value }
        let bytes = Array(value.utf8)
        var kept: [UInt8] = []
        var end = 0
        for place in shown.places(in: bytes) {
            kept += bytes[end..<place.lowerBound] + Array("***".utf8)
            end = place.upperBound
        }
        return end == 0 ? value : String(decoding: kept + bytes[end...], as: UTF8.self)
    }

    /// Slots of the current key and of the one before it.
    private static let slots: [SecretSlot] = [.webhook(index: 0), .webhook(index: 1)]

    /// The policy of an entry: kept with it, so that it goes when the connection changes or goes.
    static func of(_ entry: ConnectionDirectory.Entry, _ rules: ConnectionWebhook, _ secrets: any SecretStore)
        async throws(BerthError) -> WebhookPolicy
    {
        if let known = entry.policy.withLock({ $0 }) { return known }
        var keys: [VerificationKey] = []
        for slot in slots {
            if let secret = try await secrets.secret(slot, of: entry.connection.id), let key = VerificationKey(secret) { keys.append(key) }
        }
        let policy = WebhookPolicy(keys: keys, allowIPs: rules.allowIPs, areShown: rules.scheme == .token || rules.scheme == .basic)
        entry.policy.withLock { $0 = policy }
        return policy
    }
}
