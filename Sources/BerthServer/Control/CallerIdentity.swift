// Who is at the other end of the control socket: user and groups by the kernel, role by configuration.

import BerthControlAPI
import CBerthPeer
import Glibc
import NIOCore
import NIOPosix

/// Finds a caller's role.
struct CallerIdentity: Sendable {
    /// Members of this group get `groupRole`.
    let group: String
    let groupRole: Route.Permission

    /// Root and the daemon's own user may everything, the group what the configuration says, others nothing.
    func caller(on channel: any Channel) async throws -> Caller {
        guard let provider = channel as? any SocketOptionProvider else { return Caller(uid: .max, gid: .max, pid: 0, role: nil) }
        let peer: berth_peer = try await provider.unsafeGetSocketOption(level: .socket, name: .init(rawValue: SO_PEERCRED)).get()
        return Caller(uid: peer.uid, gid: peer.gid, pid: peer.pid, role: role(uid: peer.uid, gid: peer.gid))
    }

    func role(uid: UInt32, gid: UInt32) -> Route.Permission? {
        if uid == 0 || uid == geteuid() { return .admin }
        return isMember(uid: uid, gid: gid) ? groupRole : nil
    }

    private func isMember(uid: UInt32, gid: UInt32) -> Bool {
        guard !group.isEmpty else { return false }
        var record = passwd()
        var groupRecord = Glibc.group()
        var space = [CChar](repeating: 0, count: 16 << 10)
        var foundGroup: UnsafeMutablePointer<Glibc.group>?
        guard getgrnam_r(group, &groupRecord, &space, space.count, &foundGroup) == 0, foundGroup != nil else { return false }
        let wanted = groupRecord.gr_gid
        if gid == wanted { return true }
        var foundUser: UnsafeMutablePointer<passwd>?
        var userSpace = [CChar](repeating: 0, count: 16 << 10)
        guard getpwuid_r(uid, &record, &userSpace, userSpace.count, &foundUser) == 0, foundUser != nil else { return false }
        var groups = [gid_t](repeating: 0, count: 256)
        var count = Int32(groups.count)
        guard getgrouplist(record.pw_name, gid, &groups, &count) >= 0 else { return false }
        return groups.prefix(Int(count)).contains(wanted)
    }
}
