// Providers that answer the same page for ever would keep a sync running for ever: this notices.

/// Watches positions of one read.
public struct LoopGuard {
    private var seen: [String: Int] = [:]
    private var bodies: [Int: Int] = [:]

    /// A new watch.
    public init() {}

    /// Call once per page with the position asked for, or the next one given, and what must differ from page to page: the
    /// body, or only its rows (`node.rawBytes`) where a body carries a number of its own.
    ///
    /// Throws `cursor_stalled` when the same position, or the same body, not empty, comes for the third time. The status is
    /// `internal`: asking again at once would only go round again.
    public mutating func pass(_ position: String, body: ArraySlice<UInt8> = []) throws {
        let times = seen[position, default: 0] + 1
        seen[position] = times
        guard times < 3 else { throw Self.stalled("the position '\(position.prefix(80))' came three times") }
        guard !body.isEmpty else { return }
        let print = Self.fingerprint(body)
        bodies[print, default: 0] += 1
        guard bodies[print, default: 0] < 3 else { throw Self.stalled("three pages were the same") }
    }

    private static func stalled(_ what: String) -> ProviderError {
        ProviderError(
            .internal, "cursor_stalled: the provider's paging stands still: \(what); the read ends here and keeps what it has",
            remoteCode: "cursor_stalled")
    }

    /// Both ends and the length are enough: pages that differ only in the middle are rare, and three of them rarer.
    private static func fingerprint(_ body: ArraySlice<UInt8>) -> Int {
        var hasher = Hasher()
        hasher.combine(body.count)
        body.prefix(2048).withUnsafeBytes { hasher.combine(bytes: $0) }
        body.suffix(2048).withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }
}
