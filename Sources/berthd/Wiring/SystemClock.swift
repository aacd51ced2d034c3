// The real clock and the real source of chance.

import BerthModel
import BerthSeams
import Glibc
import Synchronization

/// Wall time of the machine.
final class SystemClock: WallClock {
    /// The latest moment that anybody here was told, in milliseconds.
    private let latest = Atomic<Int64>(.min)

    /// By how much the clock was set back behind a moment that somebody was told, in milliseconds; counted from now on again.
    func takeStepBack() -> Int64 {
        let told = latest.exchange(.min, ordering: .relaxed)
        return told == .min ? 0 : max(0, told - now().milliseconds)
    }

    func now() -> Timestamp {
        let moment = read()
        if moment.milliseconds > latest.load(ordering: .relaxed) { latest.max(moment.milliseconds, ordering: .relaxed) }
        return moment
    }

    private func read() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

/// The kernel's generator, through Swift's.
struct SystemEntropy: Entropy {
    func next() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}
