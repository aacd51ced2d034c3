// The grants are made before the connections that want to hear of them.

import BerthSeams
import Synchronization

/// Passes news on once somebody listens; before that nothing happens to a grant.
final class GrantNewsRelay: Sendable {
    private let listener = Mutex<(@Sendable (GrantNews) async -> Void)?>(nil)

    func listen(_ listener: @escaping @Sendable (GrantNews) async -> Void) { self.listener.withLock { $0 = listener } }
    func tell(_ news: GrantNews) async { await listener.withLock { $0 }?(news) }
}
