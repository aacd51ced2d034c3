// Which listeners are bound, and where the public one is.

import Synchronization

final class ListeningState: Sendable {
    private let state: Mutex<(left: Int, address: String)>

    init(expected: Int) { state = Mutex((expected, "")) }

    var address: String { state.withLock { $0.address } }
    func bound(to address: String) { state.withLock { $0.address = address } }

    /// Counts one listener; true for the last one.
    func countDown() -> Bool {
        state.withLock { state in
            state.left -= 1
            return state.left == 0
        }
    }
}
