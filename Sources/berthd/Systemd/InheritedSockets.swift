// Socket activation: descriptors that the service manager bound for us. Known names decide; others (systemd's own is the unit's, such
// as `berthd.socket`) are no reason to leave the clients of a socket waiting: then its family does.

import BerthModel
import Glibc

/// Inherited listening sockets.
struct InheritedSockets {
    private let descriptors: [String: Int32]

    /// Takes LISTEN_FDS when it is meant for this process; sets close-on-exec and unsets the variables for children. Throws for what
    /// is neither of Berth's sockets, and for a second of one kind: nobody would answer there.
    init(environment: [String: String]) throws(BerthError) {
        defer {
            unsetenv("LISTEN_PID")
            unsetenv("LISTEN_FDS")
            unsetenv("LISTEN_FDNAMES")
        }
        guard environment["LISTEN_PID"] == String(getpid()), let count = environment["LISTEN_FDS"].flatMap(Int32.init), count > 0 else {
            descriptors = [:]
            return
        }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        var found: [String: Int32] = [:]
        for index in 0..<count {
            let descriptor = 3 + index
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            let name = Int(index) < names.count ? names[Int(index)] : ""
            let shown = "inherited socket \(index + 1) of \(count)\(name.isEmpty ? "" : " ('\(name)')")"
            guard let role = Self.role(of: descriptor, named: name) else {
                throw BerthError(
                    "inherited_socket_invalid", "\(shown) is no listening stream socket that berthd can serve",
                    hint: "ListenStream= with an address and a port for deliveries, with a path for the control socket; one of each at most"
                )
            }
            guard found[role] == nil else {
                throw BerthError(
                    "inherited_socket_invalid", "\(shown) would be the second one for '\(role)'",
                    hint:
                        "berthd serves one of each: leave one out, or name them with FileDescriptorName=public and FileDescriptorName=control"
                )
            }
            found[role] = descriptor
        }
        descriptors = found
    }

    /// The descriptor of `control` or `public`.
    func descriptor(_ name: String) -> Int32? { descriptors[name] }

    /// What a socket is for; nil when it is for nothing of ours. A caller is known by its Unix socket, so control can't be anything else.
    private static func role(of descriptor: Int32, named name: String) -> String? {
        guard option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue), option(SO_ACCEPTCONN, of: descriptor) == 1 else { return nil }
        let family = option(SO_DOMAIN, of: descriptor)
        switch name {
        case "public": return "public"
        case "control": return family == AF_UNIX ? "control" : nil
        default: return family == AF_UNIX ? "control" : family == AF_INET || family == AF_INET6 ? "public" : nil
        }
    }

    private static func option(_ name: Int32, of descriptor: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }
}
