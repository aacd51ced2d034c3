// When things happened, on the monotonic clock.

@testable import BerthOutbound
import Synchronization

final class Times: Sendable {
    private let kept = Mutex<[Int64]>([])
    var all: [Int64] { kept.withLock { $0.sorted() } }
    func add() { kept.withLock { $0.append(Monotonic.now().nanoseconds) } }
}
