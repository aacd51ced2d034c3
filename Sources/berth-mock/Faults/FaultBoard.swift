// The faults in force, which tests change at run time.

import Synchronization

/// Draws faults. Shared by the listener and the senders.
final class FaultBoard: Sendable {
    private struct State: Sendable {
        var faults: [Fault]
        var random: SeededGenerator
        var requests = 0
    }
    private let state: Mutex<State>

    init(_ faults: [Fault], seed: UInt64) { state = Mutex(State(faults: faults, random: SeededGenerator(seed: seed, "faults"))) }

    /// The faults in force, as text.
    var texts: [String] { state.withLock { $0.faults.map(\.text) } }

    /// Replaces them, and counts requests from 0 again.
    func replace(_ faults: [Fault]) {
        state.withLock { state in
            state.faults = faults
            state.requests = 0
        }
    }

    /// What strikes one API request.
    func drawForRequest() -> Set<FaultKind> {
        state.withLock { state in
            state.requests += 1
            var drawn: Set<FaultKind> = []
            for fault in state.faults {
                let strikes =
                    fault.kind == .authExpired
                    ? state.requests > Int(fault.parameter) : fault.parameter >= 1 || state.random.chance(fault.parameter)
                if strikes { drawn.insert(fault.kind) }
            }
            return drawn
        }
    }

    /// Whether `kind` is in force at all.
    func isActive(_ kind: FaultKind) -> Bool { state.withLock { $0.faults.contains { $0.kind == kind } } }

    /// Whether it strikes now.
    func draw(_ kind: FaultKind) -> Bool {
        state.withLock { state in
            guard let fault = state.faults.first(where: { $0.kind == kind }) else { return false }
            return fault.parameter >= 1 || state.random.chance(fault.parameter)
        }
    }
}
