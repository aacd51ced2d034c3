// Time that never jumps, for deadlines, windows and backoff. Wall time is not used for any of these.

import Glibc

/// Nanoseconds of the system's monotonic clock.
package struct Monotonic: Comparable, Hashable, Sendable {
    /// Since an arbitrary origin.
    package var nanoseconds: Int64

    /// A moment.
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Never reached.
    package static let never = Monotonic(nanoseconds: .max)

    /// Now.
    package static func now() -> Monotonic {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Monotonic(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Earlier first.
    package static func < (lhs: Self, rhs: Self) -> Bool { lhs.nanoseconds < rhs.nanoseconds }
    /// Later by nanoseconds; stays at `never` rather than overflow.
    package static func + (lhs: Self, rhs: Int64) -> Self {
        let (sum, overflow) = lhs.nanoseconds.addingReportingOverflow(rhs)
        return overflow ? .never : Monotonic(nanoseconds: sum)
    }
    /// Nanoseconds from `rhs` to `lhs`.
    package static func - (lhs: Self, rhs: Self) -> Int64 { lhs.nanoseconds - rhs.nanoseconds }
}

extension Duration {
    /// Whole nanoseconds, cut to what 64 bits hold.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, overflowed) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflowed ? .max : sum
    }
}
