// The faults in force, which tests change at run time.

import Synchronization

/// Draws faults. Shared by the listener and the senders.
final class FaultBoard: Sendable {
    private struct State: Sendable {
        var faults: [Fault]
        var random: SeededGenerator
        var requests = 0

        mutating func strike(_ index: Int, _ drawn: inout Set<FaultKind>) {
            drawn.insert(faults[index].kind)
            if let remaining = faults[index].remaining { faults[index].remaining = remaining - 1 }
        }

        mutating func dropSpent() { faults.removeAll { $0.remaining == 0 } }
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
            for index in state.faults.indices where state.faults[index].kind.place == .api {
                let fault = state.faults[index]
                let strikes =
                    fault.kind == .authExpired
                    ? state.requests > Int(fault.parameter) : fault.parameter >= 1 || state.random.chance(fault.parameter)
                if strikes { state.strike(index, &drawn) }
            }
            state.dropSpent()
            return drawn
        }
    }

    /// What strikes one token request, with the number behind each fault's colon.
    func drawForToken() -> [FaultKind: Double] {
        state.withLock { state in
            var drawn: Set<FaultKind> = [], parameters: [FaultKind: Double] = [:]
            for index in state.faults.indices where state.faults[index].kind.place == .token {
                let fault = state.faults[index]
                let isCertain = fault.kind.defaultParameter != nil || fault.parameter >= 1
                guard isCertain || state.random.chance(fault.parameter) else { continue }
                state.strike(index, &drawn)
                parameters[fault.kind] = fault.parameter
            }
            state.dropSpent()
            return parameters
        }
    }

    /// The number behind the colon of `kind`; nil when it is not in force.
    func parameter(of kind: FaultKind) -> Double? { state.withLock { $0.faults.first { $0.kind == kind }?.parameter } }

    /// Whether `kind` is in force at all.
    func isActive(_ kind: FaultKind) -> Bool { state.withLock { $0.faults.contains { $0.kind == kind } } }

    /// Whether it strikes now.
    func draw(_ kind: FaultKind) -> Bool {
        state.withLock { state in
            guard let index = state.faults.firstIndex(where: { $0.kind == kind }) else { return false }
            let parameter = state.faults[index].parameter
            guard parameter >= 1 || state.random.chance(parameter) else { return false }
            var drawn: Set<FaultKind> = []
            state.strike(index, &drawn)
            state.dropSpent()
            return true
        }
    }
}
