// Deadlines of the loop's thread in a binary heap. It only orders; the loop decides when to look.

/// Actions by time. Cancelled entries stay in the heap until their time comes and are then skipped.
struct TimerQueue {
    private var heap: [(time: Monotonic, id: UInt64)] = []
    private var actions: [UInt64: () -> Void] = [:]
    private var nextID: UInt64 = 1

    /// When to look next; nil: never.
    var earliest: Monotonic? { heap.first?.time }
    /// Whether nothing waits.
    var isEmpty: Bool { actions.isEmpty }

    /// Calls `action` once after `time`.
    mutating func add(_ time: Monotonic, _ action: @escaping () -> Void) -> UInt64 {
        let id = nextID
        nextID += 1
        actions[id] = action
        heap.append((time, id))
        var child = heap.count - 1
        while child > 0, heap[child].time < heap[(child - 1) / 2].time {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
        return id
    }

    /// Forgets an action; nothing happens when it ran already.
    mutating func cancel(_ id: UInt64) {
        actions[id] = nil
        // Long-lived cancelled entries must not pile up: ten thousand requests with a 30 s deadline each second.
        if heap.count > 1024, heap.count > 4 * actions.count { rebuild() }
    }

    /// The next due action, removed.
    mutating func popDue(_ now: Monotonic) -> (() -> Void)? {
        while let first = heap.first, first.time <= now {
            removeFirst()
            if let action = actions.removeValue(forKey: first.id) { return action }
        }
        return nil
    }

    private mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        siftDown(0)
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].time < heap[least].time { least = child }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private mutating func rebuild() {
        heap.removeAll { actions[$0.id] == nil }
        for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
    }
}
