// Stops asking a provider that keeps failing, so that work fails at once instead of after a timeout each.

public import BerthModel

/// One circuit. Pure: time is given.
///
///     closed --5 failures in a row--> open --60 s--> half-open, one probe --success--> closed
///                                       ^-------------------- failure ------|
package struct CircuitBreaker: Sendable {
    private let threshold: Int
    private let openNanoseconds: Int64
    /// Failures in a row.
    package private(set) var failures = 0
    private var openUntil: Monotonic?
    private var probe: UInt64?

    /// Opens after `threshold` failures in a row, lets one probe through after `openNanoseconds`.
    package init(threshold: Int = 5, openNanoseconds: Int64 = 60_000_000_000) {
        self.threshold = threshold
        self.openNanoseconds = openNanoseconds
    }

    /// Nanoseconds until a request would be let through; nil: now.
    package func refusal(_ now: Monotonic) -> Int64? {
        guard let openUntil else { return nil }
        if openUntil > now { return openUntil - now }
        return probe == nil ? nil : openNanoseconds
    }

    /// Lets `request` through, or says how long not. In half-open only one is let through.
    package mutating func enter(_ request: UInt64, _ now: Monotonic) -> Int64? {
        if let refusal = refusal(now) { return refusal }
        if openUntil != nil { probe = request }
        return nil
    }

    /// The provider answered sensibly; true when that closed the circuit. Only the probe closes an open circuit: a
    /// slow answer to an older request says nothing of now.
    package mutating func succeed(_ request: UInt64) -> Bool {
        if openUntil != nil, probe != request { return false }
        defer { self = CircuitBreaker(threshold: threshold, openNanoseconds: openNanoseconds) }
        return openUntil != nil
    }

    /// The provider failed; true when that opened the circuit.
    package mutating func fail(_ request: UInt64, _ now: Monotonic) -> Bool {
        failures += 1
        if openUntil != nil {
            guard probe == request else { return false }
            probe = nil
            openUntil = now + openNanoseconds
            return true
        }
        guard failures >= threshold else { return false }
        openUntil = now + openNanoseconds
        return true
    }

    /// The request ended without saying anything of the provider: cancelled, refused by a rule.
    package mutating func leave(_ request: UInt64) { if probe == request { probe = nil } }

    /// As seen now.
    package func state(_ now: Monotonic) -> CircuitStatus.State {
        guard let openUntil else { return .closed }
        return openUntil > now ? .open : .halfOpen
    }
}

/// One connection's circuit, for the operator.
public struct CircuitStatus: Sendable, Hashable {
    /// A circuit's state.
    public enum State: String, Sendable, Codable, Hashable, CaseIterable { case closed, open, halfOpen = "half_open" }
    /// Which provider.
    public var provider: ProviderName
    /// Which connection.
    public var connection: ConnectionID
    /// Its state.
    public var state: State
    /// Failures in a row.
    public var failures: Int
    /// Until a probe is let through; nil unless open.
    public var retryAfter: Duration?
}
