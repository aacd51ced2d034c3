// Where this worker notes how far each of its operations is, for the daemon to read after a crash.

import BerthWire
import CBerthLinux
import Glibc

/// The shared page.
///
/// `@unchecked Sendable`: each slot is written only by the thread of the operation that has it.
final class ProgressPage: @unchecked Sendable {
    private let slots: UnsafeMutablePointer<UInt32>

    init?(descriptor: Int32) {
        guard let address = berth_map_shared(descriptor, WireLimits.progressBytes) else { return nil }
        close(descriptor)
        slots = address.bindMemory(to: UInt32.self, capacity: WireLimits.progressBytes / 4)
    }

    /// The place for an operation's statuses; nil when there are too many.
    func statuses(slot: UInt32, count: Int) -> UnsafeMutableBufferPointer<Int32>? {
        guard slot < WireLimits.operationsMax, count <= WireLimits.sharedStatuses else { return nil }
        let start = UnsafeMutableRawPointer(slots + 1024 + Int(slot) * WireLimits.sharedStatuses)
        return UnsafeMutableBufferPointer(start: start.assumingMemoryBound(to: Int32.self), count: count)
    }

    func note(_ item: UInt32, slot: UInt32) {
        if slot < WireLimits.operationsMax { slots[Int(slot)] = item }
    }
}
