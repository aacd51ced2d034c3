// Whose limits requests count against. Not the provider's alone: connections choose their own base_url, and what a server of one
// workspace's choice asks for must not hold back another's.

import BerthModel
import BerthSeams

/// A provider at one of its servers; what is shared by connections is shared by those that go there.
struct LimitedServer: Hashable, Sendable {
    var provider: ProviderName
    /// Of the base URL: `https://api.example.com:443`.
    var origin: String

    init(_ provider: ProviderName, origin: String) {
        self.provider = provider
        self.origin = origin
    }

    /// Where a target's requests are counted; a base URL that cannot be used is its own.
    init(of target: OutboundTarget) {
        let origin = try? ParsedURL.parse(target.baseURL).flatMap(Origin.of).get()
        self.init(target.provider, origin: origin?.text ?? target.baseURL)
    }
}
