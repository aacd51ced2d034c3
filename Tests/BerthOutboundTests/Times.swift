// When things happened, on the monotonic clock.

import Synchronization

@testable import BerthOutbound

final class Times: Sendable {
    private let kept = Mutex<[Int64]>([])
    var all: [Int64] { kept.withLock { $0.sorted() } }
    func add() { kept.withLock { $0.append(Monotonic.now().nanoseconds) } }
}
