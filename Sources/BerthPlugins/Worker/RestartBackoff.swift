// How long to wait before a worker is started again. Pure.

/// Doubles from 250 ms to 30 s, each wait jittered by up to a half; a life of 60 s starts over. Never gives up.
struct RestartBackoff: Sendable {
    private var deathsInARow = 0

    /// Seconds of life after which a death counts as the first again.
    static let healthySeconds = 60
    static let firstNanoseconds: UInt64 = 250_000_000
    static let longestNanoseconds: UInt64 = 30_000_000_000

    /// The wait after a life of `lifeNanoseconds`; `random` in 0..<1.
    mutating func wait(afterLife lifeNanoseconds: UInt64, random: Double) -> UInt64 {
        if lifeNanoseconds >= MonotonicTime.seconds(Self.healthySeconds) { deathsInARow = 0 }
        let base = min(Self.longestNanoseconds, Self.firstNanoseconds << UInt64(min(deathsInARow, 10)))
        deathsInARow += 1
        return base / 2 + UInt64(Double(base / 2) * random)
    }
}
