// Nanoseconds of the monotonic clock: deadlines and backoff are measured by nothing else, as wall time may jump.

import Glibc

/// The monotonic clock.
enum MonotonicTime {
    /// Nanoseconds since some start.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
    /// Nanoseconds of so many seconds.
    static func seconds(_ count: Int) -> UInt64 { UInt64(max(0, count)) * 1_000_000_000 }
}
