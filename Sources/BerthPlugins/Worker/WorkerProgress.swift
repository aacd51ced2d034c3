// A page shared with a worker in which it notes the item it is at: costs it one store, and after its death tells the daemon
// which event of a batch to blame. The page's size is sealed, so that a worker cannot take it away from under a read; what
// stands in it is believed only within the batch's bounds.

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
    static let bytes = 4096

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
    func clear(slot: Int) { address[slot] = WireLimits.noItem }

    /// The item the slot's operation is at, if it said so and the number makes sense.
    func item(slot: Int, count: Int) -> Int? {
        let item = address[slot]
        return item < count ? Int(item) : nil
    }
}
