// Feeds stay open: without a bound of their own a subscriber that leaks them would leave its user no connection for anything else.

import BerthModel
import Synchronization

/// How many feeds each local user has open.
final class FeedPlaces: Sendable {
    /// Of one user.
    private static let most = 64

    private let open = Mutex<[UInt32: Int]>([:])
    private let onRefused: @Sendable (ConnectionRefusal) -> Void

    init(_ onRefused: @escaping @Sendable (ConnectionRefusal) -> Void) { self.onRefused = onRefused }

    /// Takes a place, which `giveBack` frees; throws when the user has all of its own.
    func take(for uid: UInt32) throws(BerthError) {
        let isTaken = open.withLock { open in
            guard open[uid, default: 0] < Self.most else { return false }
            open[uid, default: 0] += 1
            return true
        }
        guard !isTaken else { return }
        onRefused(ConnectionRefusal(limit: .feeds, most: Self.most, from: "uid \(uid)"))
        throw BerthError(
            .overloaded, "uid \(uid) has \(Self.most) feeds open, the most of one user",
            hint: "end those that nobody reads (ss -xp shows whose they are), or let one reader tell the others", isRetryable: true,
            retryAfter: .seconds(10))
    }

    func giveBack(of uid: UInt32) {
        open.withLock { open in
            let left = (open[uid] ?? 1) - 1
            open[uid] = left > 0 ? left : nil
        }
    }
}
