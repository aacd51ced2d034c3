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

    init(keys: [VerificationKey], allowIPs: [String]) {
        self.keys = keys
        allowed = allowIPs.isEmpty ? nil : allowIPs.compactMap { IPRange($0) }
    }

    /// Whether a caller at that textual address may call.
    func allows(_ remoteAddress: String) -> Bool {
        guard let allowed else { return true }
        guard let address = IPAddress(remoteAddress) else { return false }
        return allowed.contains { $0.contains(address) }
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
        let policy = WebhookPolicy(keys: keys, allowIPs: rules.allowIPs)
        entry.policy.withLock { $0 = policy }
        return policy
    }
}
