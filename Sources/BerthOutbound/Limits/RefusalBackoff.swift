// What to do about a 429 that says neither how long to wait nor what the limit is: ask less and less often until one is answered.

/// Growing pauses of one connection and class, or of what shares a limit. Pure: time is given.
struct RefusalBackoff {
    private var count = 0
    /// The last pause's end.
    private var end: Monotonic?

    private static let longestSeconds: Int64 = 60

    /// A request that went out at `sent` was refused: nanoseconds to pause, 1 s at first and double each time up to 60 s, and up to a
    /// quarter more, so that not all come back at once; `random` is any 64 bits. nil: it was on its way when the pause began, or before
    /// that ended, and says nothing new.
    mutating func refused(sent: Monotonic, now: Monotonic, random: UInt64) -> Int64? {
        if let end, sent < end { return nil }
        let seconds = min(Self.longestSeconds, 1 << Int64(min(count, 6)))
        let pause = seconds * 1_000_000_000 + Int64(random % UInt64(seconds * 250_000_000))
        count += 1
        end = now + pause
        return pause
    }

    /// One that went out at `sent` was not refused: the next pause is short again. What was on its way when the pause began does not count.
    mutating func accepted(sent: Monotonic) {
        if let end, sent < end { return }
        self = RefusalBackoff()
    }
}
