// Tells the dispatcher which connections have work, from a hot path: a set under a lock and one wake-up.

public import BerthModel
import Synchronization

/// Collects connection ids; the first one after a drain wakes the waiter.
public final class WorkSignal: Sendable {
    private let waiting = Mutex<Set<ConnectionID>>([])
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    /// Nothing to do yet.
    public init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Marks a connection as having work. Cheap and never blocks for long: callable for every accepted delivery.
    public func raise(_ connection: ConnectionID) {
        let isFirst = waiting.withLock { waiting in
            let wasEmpty = waiting.isEmpty
            waiting.insert(connection)
            return wasEmpty
        }
        if isFirst { continuation.yield() }
    }

    /// Wakes the waiter without naming a connection: look at everything.
    public func raiseAll() { continuation.yield() }

    /// What was marked since the last call.
    func drain() -> Set<ConnectionID> {
        waiting.withLock { waiting in
            let drained = waiting
            waiting.removeAll(keepingCapacity: true)
            return drained
        }
    }

    /// Wake-ups; for one waiter.
    var wakeUps: AsyncStream<Void> { stream }
}
