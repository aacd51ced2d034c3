// Tells subscribers what became durable, after commit and in order. Recent notices are kept in memory; a
// subscriber that comes back later, or falls behind, reads the store.

import BerthModel
public import BerthSeams
import Synchronization

/// Fans committed notices out. Delivery is at least once, in order of sequence, from any id a subscriber names.
public final class EventFeed: Sendable {
    private let store: any FeedStore
    private let state = Mutex(State())
    /// Notices kept in memory.
    private let recentMax: Int

    private struct State {
        var recent: [Notice] = []
        /// Highest sequence published.
        var last: Int64 = 0
        var nextSubscriber = 0
        var wakeUps: [Int: AsyncStream<Void>.Continuation] = [:]
    }

    /// A feed over the stored notices.
    public init(store: any FeedStore, recentMax: Int = 4096) {
        self.store = store
        self.recentMax = recentMax
    }

    /// Called with what a committed transaction brought, by whoever committed it.
    public func publish(_ notices: [Notice]) {
        guard let newest = notices.last else { return }
        state.withLock { state in
            // Two commits may publish out of order; what is not in sequence is left to the store.
            if let first = notices.first, first.sequence == (state.recent.last?.sequence ?? first.sequence - 1) + 1 {
                state.recent.append(contentsOf: notices)
                if state.recent.count > recentMax * 2 { state.recent.removeFirst(state.recent.count - recentMax) }
            } else {
                state.recent.removeAll(keepingCapacity: true)
            }
            state.last = max(state.last, newest.sequence)
            for continuation in state.wakeUps.values { continuation.yield() }
        }
    }

    /// Subscribers now; for metrics.
    public var subscriberCount: Int { state.withLock { $0.wakeUps.count } }

    /// A reader of what comes after `sequence`. What it has not asked for costs no memory.
    public func reader(after sequence: Int64) -> FeedReader {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state in
            state.nextSubscriber += 1
            state.wakeUps[state.nextSubscriber] = continuation
            return state.nextSubscriber
        }
        return FeedReader(feed: self, position: sequence, wakeUps: stream, id: id)
    }

    fileprivate func leave(_ id: Int) {
        state.withLock { $0.wakeUps.removeValue(forKey: id) }?.finish()
    }

    /// What follows `position`: from memory when it is there, else from the store.
    fileprivate func batch(after position: Int64, limit: Int) async throws(BerthError) -> [Notice] {
        let inMemory: [Notice]? = state.withLock { state in
            if position >= state.last, state.last > 0 { return [] }
            guard let first = state.recent.first, position >= first.sequence - 1 else { return nil }
            let start = Int(position - first.sequence + 1)
            guard start < state.recent.count else { return nil }
            return Array(state.recent[start..<min(start + limit, state.recent.count)])
        }
        if let inMemory { return inMemory }
        return try await store.notices(after: position, limit: limit)
    }

    /// The sequence of the newest notice, whether it is still kept or not; 0 when there was none yet. Asked of the store: what is
    /// committed may not be published yet, and a subscriber may have read it there.
    func lastSequence() async throws(BerthError) -> Int64 { try await store.lastNotice() }
}

/// Where a subscriber was taken on without being told what stands in between.
public struct FeedGap: Sendable, Hashable {
    /// The id it wanted to go on after.
    public var asked: Int64
    /// The id it goes on after. Lower than `asked`: that id is not of this life of the database (a backup was put back).
    public var position: Int64
    /// How many notices stood in between and are not kept any more; nil: nobody knows.
    public var missed: Int64? { position > asked ? position - asked : nil }
}

/// What a reader gets next.
public enum FeedPart: Sendable {
    /// At most 500 notices without a gap, never empty.
    case notices([Notice])
    /// It goes on elsewhere.
    case gap(FeedGap)
}

/// One subscriber's position in the feed. Leaves the feed when it is let go.
public actor FeedReader {
    private let feed: EventFeed
    private var position: Int64
    private var isOpen = false
    private let wakeUps: AsyncStream<Void>
    private let id: Int

    init(feed: EventFeed, position: Int64, wakeUps: AsyncStream<Void>, id: Int) {
        self.feed = feed
        self.position = position
        self.wakeUps = wakeUps
        self.id = id
    }

    deinit { feed.leave(id) }

    /// The next part; waits for one. nil when the task is cancelled.
    public func next() async throws -> FeedPart? {
        if !isOpen {
            isOpen = true
            let newest = try await feed.lastSequence()
            if position > newest { return passOver(to: newest) }
            if position < newest, try await feed.batch(after: position, limit: 1).isEmpty { return passOver(to: newest) }
        }
        while !Task.isCancelled {
            let batch = try await feed.batch(after: position, limit: 500)
            if let first = batch.first {
                // Sequences have no holes but those that retention makes.
                guard first.sequence == position + 1 else { return passOver(to: first.sequence - 1) }
                let whole = batch.enumerated().prefix { $0.element.sequence == first.sequence + Int64($0.offset) }.map(\.element)
                position += Int64(whole.count)
                return .notices(whole)
            }
            // A wake-up between the look and this wait is kept by the stream.
            guard await wakeUps.first(where: { _ in true }) != nil else { return nil }
        }
        return nil
    }

    private func passOver(to other: Int64) -> FeedPart {
        let gap = FeedGap(asked: position, position: other)
        position = other
        return .gap(gap)
    }
}
