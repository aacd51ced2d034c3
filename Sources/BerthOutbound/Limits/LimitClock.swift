// The time that counts of limits are kept in: wall time as it was believed at the boot's first start, carried on by the clock of
// the kernel that nobody sets and that a suspended machine does not stop. Across a boot only the wall clock knows how long it took.

import BerthModel
import BerthSeams
import Glibc

/// Time for what outlives the process but not the boot.
struct LimitClock: Sendable {
    private let began: Timestamp

    /// A clock that no store vouches for.
    init(_ wall: any WallClock) { began = Self.believed(wall) }

    /// The clock of the boot that runs. Throws when the store cannot be asked.
    init(_ wall: any WallClock, _ store: any RateLimitStore) async throws(BerthError) {
        let believed = Self.believed(wall)
        began = if let boot = Self.boot() { try await store.began(boot: boot, believed: believed) } else { believed }
    }

    func now() -> Timestamp { began.adding(milliseconds: Self.sinceBoot()) }

    private static func believed(_ wall: any WallClock) -> Timestamp { wall.now().adding(milliseconds: -sinceBoot()) }

    /// Milliseconds.
    private static func sinceBoot() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// The kernel's id of this boot (random(4)); nil where /proc is not mounted.
    private static func boot() -> String? {
        let file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        let text = [UInt8](unsafeUninitializedCapacity: 36) { buffer, count in count = max(0, read(file, buffer.baseAddress, 36)) }
        return text.count == 36 ? String(decoding: text, as: UTF8.self) : nil
    }
}
