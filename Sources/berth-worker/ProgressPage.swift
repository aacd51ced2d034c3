// Where this worker notes the item each of its operations is at, for the daemon to read after a crash.

import BerthWire
import CBerthLinux
import Glibc

/// The shared page.
///
/// `@unchecked Sendable`: each slot is written only by the thread of the operation that has it.
final class ProgressPage: @unchecked Sendable {
    private let slots: UnsafeMutablePointer<UInt32>

    init?(descriptor: Int32) {
        guard let address = berth_map_shared(descriptor, 4096) else { return nil }
        close(descriptor)
        slots = address.bindMemory(to: UInt32.self, capacity: 1024)
    }

    func note(_ item: UInt32, slot: UInt32) {
        if slot < WireLimits.operationsMax { slots[Int(slot)] = item }
    }
}
