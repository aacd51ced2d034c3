// How the daemon answers a running operation, wherever its code runs: frames to a worker, or a woken thread in the daemon.

import BerthModel
import BerthWire

/// The way back into one host's running operations. Called from any thread; never blocks.
protocol OperationPort: AnyObject, Sendable {
    /// Asks the plugin to end soon; what it waits for wakes with `BERTH_CANCELLED`.
    func cancel(_ operation: UInt64)
    /// Ends it by force: past its deadline and grace.
    func endByForce(_ operation: UInt64)
    /// A checkpoint is durable (0), or the read is to end.
    func checkpointed(_ operation: UInt64, status: Int32)
    /// The provider's answer.
    func answered(_ operation: UInt64, _ answer: WireAnswer)
    /// The verdict on a keyed hash.
    func judgedHash(_ operation: UInt64, status: Int32)
}

/// How an operation ended.
enum OperationEnd: Sendable {
    /// The plugin returned.
    case returned(status: Int32, statuses: [Int32])
    /// The host says so: crashed, hung, contract violation, or never begun. `item`: index being processed, if known.
    case verdict(AttemptFailure, item: Int?)
}
