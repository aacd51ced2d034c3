// Who has how many connections. One owner - an address at the public listener, a local user at the control socket - uses up its own
// share and keeps nobody else out.

import CBerthPeer
import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// Counts connections, in all and by owner.
final class ConnectionCensus: Sendable {
    typealias Refused = @Sendable (ConnectionRefusal) -> Void

    private enum Owner: Hashable {
        case address(String)
        case user(UInt32)
        /// All users but root and the daemon's own, together.
        case others
    }
    private struct State {
        var total = 0
        var byOwner: [Owner: Int] = [:]
    }
    private let state = Mutex(State())
    private let limits: ConnectionLimits
    private let onRefused: Refused

    init(_ limits: ConnectionLimits, _ onRefused: @escaping Refused) {
        self.limits = limits
        self.onRefused = onRefused
    }

    /// Counts the connection in, and out when it closes; answers why not when a limit is reached.
    func admit(_ channel: any Channel) -> EventLoopFuture<ConnectionRefusal?> {
        guard let share = limits.connectionsPerUserMax, let provider = channel as? any SocketOptionProvider else {
            let address = channel.remoteAddress?.ipAddress
            let owners = limits.connectionsPerAddressMax.flatMap { most in address.map { [(Owner.address($0), most)] } } ?? []
            return channel.eventLoop.makeSucceededFuture(count(channel, owners, from: address ?? ""))
        }
        let peer: EventLoopFuture<berth_peer> = provider.unsafeGetSocketOption(level: .socket, name: .init(rawValue: SO_PEERCRED))
        return peer.map { [self] peer in
            // Root and the daemon's own user always find a place, whatever all others do.
            let isOwn = peer.uid == 0 || peer.uid == geteuid()
            let owners = [(Owner.user(peer.uid), share)] + (isOwn ? [] : [(.others, share)])
            return count(channel, owners, from: "uid \(peer.uid)")
        }
    }

    private func count(_ channel: any Channel, _ owners: [(Owner, most: Int)], from: String) -> ConnectionRefusal? {
        let refusal = state.withLock { state -> ConnectionRefusal? in
            guard state.total < limits.connectionsMax else {
                return ConnectionRefusal(limit: .all, most: limits.connectionsMax, from: from)
            }
            if let (_, most) = owners.first(where: { state.byOwner[$0.0, default: 0] >= $0.most }) {
                return ConnectionRefusal(limit: .share, most: most, from: from)
            }
            for (owner, _) in owners { state.byOwner[owner, default: 0] += 1 }
            state.total += 1
            return nil
        }
        if let refusal {
            onRefused(refusal)
            return refusal
        }
        channel.closeFuture.whenComplete { [self] _ in
            state.withLock { state in
                state.total -= 1
                for (owner, _) in owners {
                    let left = (state.byOwner[owner] ?? 1) - 1
                    state.byOwner[owner] = left > 0 ? left : nil
                }
            }
        }
        return nil
    }
}
