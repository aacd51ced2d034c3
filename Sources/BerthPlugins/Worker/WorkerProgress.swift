// Pages shared with a worker: the item an operation touched last, and the statuses the plugin has written so far. They cost a
// store each, and after the worker's death tell which event of a batch to blame. Their size is sealed, so that a worker
// cannot take it away from under a read; what stands in it is believed only within the batch's bounds.

import BerthWire
import CBerthLinux
import Glibc
import Synchronization

/// Progress of every operation of one worker.
///
/// `@unchecked Sendable`: the mapping is never changed by this side after it is zeroed for a new operation, and is read
/// word by word; a torn or stale word is a wrong guess at worst.
final class WorkerProgress: @unchecked Sendable {
    /// The page could not be made; errno says why.
    struct Unavailable: Error {}

    private let address: UnsafeMutablePointer<UInt32>
    /// Handed to the worker, then closed.
    let descriptor: Int32
    private static let bytes = WireLimits.progressBytes

    init() throws(Unavailable) {
        let descriptor = berth_shared_page(Self.bytes)
        guard descriptor >= 0 else { throw Unavailable() }
        guard let address = berth_map_shared(descriptor, Self.bytes) else {
            let cause = errno
            close(descriptor)
            errno = cause
            throw Unavailable()
        }
        self.descriptor = descriptor
        self.address = address.bindMemory(to: UInt32.self, capacity: Self.bytes / 4)
    }

    deinit { berth_unmap(address, Self.bytes) }

    func closeDescriptor() { close(descriptor) }

    /// Forgets what an earlier operation left in the slot.
    func clear(slot: Int, count: Int) {
        address[slot] = WireLimits.noItem
        guard count <= WireLimits.sharedStatuses else { return }
        for index in 0..<count { address[Self.statuses(slot) + index] = Self.unset }
    }

    private static func statuses(_ slot: Int) -> Int { 1024 + slot * WireLimits.sharedStatuses }
    /// BERTH_INTERNAL, what statuses are preset to.
    private static let unset = UInt32(ABIStatus.internal)

    /// The item the slot's operation was at: the one after the last with a status, or the one touched last if that is later; nil
    /// when nothing tells.
    func item(slot: Int, count: Int) -> Int? {
        guard count > 1 else { return count == 1 ? 0 : nil }
        let touched = address[slot]
        var item = touched < count ? Int(touched) : nil
        if count <= WireLimits.sharedStatuses,
            let set = (0..<count).last(where: { address[Self.statuses(slot) + $0] != Self.unset }), set + 1 < count, set + 1 > item ?? 0
        {
            item = set + 1
        }
        return item
    }
}
