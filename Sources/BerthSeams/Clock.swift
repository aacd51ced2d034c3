// Wall time and randomness as parameters, so that a test runs them by hand.

public import BerthModel

/// Wall time. May jump; used for schedules, signature tolerance and display only.
public protocol WallClock: Sendable {
    /// Now.
    func now() -> Timestamp
}

/// Random bits.
public protocol Entropy: Sendable {
    /// 64 bits from a cryptographic source.
    func next() -> UInt64
}

extension Identifier {
    /// A new id.
    public init(_ clock: any WallClock, _ entropy: any Entropy) {
        self.init(time: clock.now(), random: (entropy.next(), entropy.next()))
    }
}
