// A moment, read from whatever a provider writes. Without Foundation, so that a worker stays small.

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Milliseconds since 1970-01-01T00:00:00Z.
public struct ProviderTime: Sendable, Hashable, Comparable {
    /// Since the epoch; negative before it.
    public var milliseconds: Int64

    /// The moment so many milliseconds after the epoch.
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// The wall clock.
    public static var now: ProviderTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return ProviderTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Earlier first.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.milliseconds < rhs.milliseconds }

    /// Later by so many seconds. What lies beyond the end of time stays there: seconds may be a provider's, so any number.
    public func adding(seconds: Int64) -> ProviderTime {
        let (added, isTooMuch) = seconds.multipliedReportingOverflow(by: 1000)
        let (sum, isBeyond) = milliseconds.addingReportingOverflow(added)
        return ProviderTime(milliseconds: isTooMuch || isBeyond ? (seconds < 0 ? .min : .max) : sum)
    }

    /// A time as a provider wrote it: a number is milliseconds since the epoch (seconds when below 100,000,000,000),
    /// as is text of digits, up to the year 2199; other text is a date and time. nil when absent, unreadable, or before
    /// 1971, which providers write for "never".
    public init?(_ node: JSONNode?) {
        guard let node else { return nil }
        switch node.kind {
        case .number: self.init(digits: node.rawBytes)
        case .string where !node.isEscaped: self.init(text: node.rawBytes)
        case .string: self.init(text: Array((node.string ?? "").utf8)[...])
        default: return nil
        }
    }

    /// Text as in `init(_:)` for nodes.
    public init?(_ text: String) { self.init(text: Array(text.utf8)[...]) }

    /// `2026-03-04T10:21:07.000Z`; years that take no four digits stand as 0000 or 9999.
    public var rfc3339: String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { buffer in
            write(to: buffer)
            return String(decoding: buffer, as: UTF8.self)
        }
    }
}
