// Providers that answer the same page for ever would keep a sync running for ever: this notices.

/// Watches positions of one read.
public struct LoopGuard {
    private var last: (position: String, body: Int)?
    private var repeats = 0
    private var seen: [String: Int] = [:]

    /// A new watch.
    public init() {}

    /// Call once per page with the position asked for, or the next one given, and what must differ from page to page: the
    /// body, or only its rows (`node.rawBytes`) where a body carries a number of its own.
    ///
    /// Throws `cursor_stalled` when the same position comes for the third time, or the same body, not empty, for the third
    /// time in a row. The status is `internal`: asking again at once would only go round again.
    public mutating func pass(_ position: String, body: ArraySlice<UInt8> = []) throws {
        let times = seen[position, default: 0] + 1
        seen[position] = times
        guard times < 3 else { throw Self.stalled("the position '\(position.prefix(80))' came three times") }
        guard !body.isEmpty else { return }
        let print = Self.fingerprint(body)
        repeats = last?.body == print ? repeats + 1 : 0
        last = (position, print)
        guard repeats < 2 else { throw Self.stalled("three pages in a row were the same") }
    }

    private static func stalled(_ what: String) -> ProviderError {
        ProviderError(
            .internal, "cursor_stalled: the provider's paging stands still: \(what); the read ends here and keeps what it has",
            remoteCode: "cursor_stalled")
    }

    /// Both ends and the length are enough: pages that differ only in the middle are rare, and three in a row rarer.
    private static func fingerprint(_ body: ArraySlice<UInt8>) -> Int {
        var hasher = Hasher()
        hasher.combine(body.count)
        body.prefix(2048).withUnsafeBytes { hasher.combine(bytes: $0) }
        body.suffix(2048).withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }
}
