// Running operations by handle. A handle is a slot number and a generation: when the operation ends the generation
// moves on, so a late call finds nothing instead of freed memory.

import BerthModel
import CBerth
import Synchronization

/// One process-wide table.
final class OperationTable: Sendable {
    static let shared = OperationTable()

    /// A running operation.
    final class Entry: Sendable {
        let delegate: any OperationDelegate
        /// Items in the batch; emits and failures must name one below it.
        let itemCount: Int
        /// The answer lent to the plugin until its next request.
        let response = Mutex<LentResponse?>(nil)
        /// What the host itself has refused, by item; nil is the operation as a whole. The plugin's own status for it does not count.
        private let refusals = Mutex<[Int?: AttemptFailure]>([:])

        init(_ delegate: any OperationDelegate, itemCount: Int) {
            self.delegate = delegate
            self.itemCount = itemCount
        }

        /// The first refusal of an item stands.
        func refuse(_ item: Int?, _ failure: AttemptFailure) {
            refusals.withLock { if $0[item] == nil { $0[item] = failure } }
        }

        /// Tells the delegate why, and gives the statuses that stand in place of the plugin's.
        func settleRefusals() -> [Int?: AttemptStatus] {
            let refusals = refusals.withLock { $0 }
            for (item, failure) in refusals { delegate.fail(failure, item: item) }
            return refusals.mapValues(\.status)
        }
    }

    private struct State {
        var entries: [Entry?] = [nil]
        var generations: [UInt32] = [0]
        var free: [Int] = []
    }
    private let state = Mutex(State())

    /// Registers an operation; 0 is never a handle.
    func begin(_ entry: Entry) -> berth_operation {
        state.withLock { state in
            let slot: Int
            if let reused = state.free.popLast() {
                slot = reused
            } else {
                slot = state.entries.count
                state.entries.append(nil)
                state.generations.append(1)
            }
            state.entries[slot] = entry
            return UInt64(state.generations[slot]) << 32 | UInt64(slot)
        }
    }

    func find(_ handle: berth_operation) -> Entry? {
        state.withLock { state in
            let slot = Int(handle & 0xFFFF_FFFF)
            guard slot > 0, slot < state.entries.count, state.generations[slot] == UInt32(handle >> 32) else { return nil }
            return state.entries[slot]
        }
    }

    func end(_ handle: berth_operation) {
        state.withLock { state in
            let slot = Int(handle & 0xFFFF_FFFF)
            state.entries[slot] = nil
            state.generations[slot] &+= 1
            if state.generations[slot] == 0 { state.generations[slot] = 1 }
            state.free.append(slot)
        }
    }
}

/// A response laid out as the ABI wants it: one allocation for all bytes, one for the header table.
///
/// `@unchecked Sendable`: written once in `init`, read by the plugin's one operation thread, freed in `deinit`.
final class LentResponse: @unchecked Sendable {
    private let bytes: UnsafeMutableBufferPointer<UInt8>
    private let table: UnsafeMutableBufferPointer<berth_header_v1>
    let status: UInt32
    let body: berth_host_slice
    var headers: UnsafePointer<berth_header_v1>? { UnsafePointer(table.baseAddress) }
    var headerCount: UInt64 { UInt64(table.count) }

    init(_ response: PluginResponse) {
        status = response.status
        let headerBytes = response.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        let space = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, headerBytes + response.body.count))
        bytes = space
        table = .allocate(capacity: response.headers.count)
        var at = 0
        func place(_ content: some Collection<UInt8>) -> berth_host_slice {
            let target = UnsafeMutableBufferPointer(rebasing: space[at..<at + content.count])
            _ = target.initialize(from: content)
            defer { at += content.count }
            return berth_host_slice(ptr: UnsafePointer(space.baseAddress! + at), len: UInt64(content.count))
        }
        for (index, header) in response.headers.enumerated() {
            table.initializeElement(at: index, to: berth_header_v1(name: place(header.name.utf8), value: place(header.value.utf8)))
        }
        body = place(response.body)
    }

    deinit {
        bytes.deallocate()
        table.deallocate()
    }
}
