// The control socket on disk: bound under a temporary name with no rights for others, given its mode and group, then
// renamed into place, so that it is never open wider than configured. A live daemon's socket is not touched.

import BerthModel
import Glibc

/// A bound, listening Unix socket.
struct ControlSocket {
    let descriptor: Int32
    let path: String
    /// Of the file at `path` when it was put there: another daemon's socket is not this one's to remove.
    private let mark: Mark?

    /// Which file it is. File systems give an inode number again at once, so its time of change counts too.
    private struct Mark: Equatable {
        let inode: ino_t
        let seconds: Int
        let nanoseconds: Int

        init?(_ path: String) {
            var info = stat()
            guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFSOCK else { return nil }
            (inode, seconds, nanoseconds) = (info.st_ino, info.st_ctim.tv_sec, info.st_ctim.tv_nsec)
        }
    }

    /// Binds at `path`. Throws when another daemon answers there or something that is no socket stands there.
    init(path: String, mode: UInt32, group: String?, warn: (String) -> Void) throws(BerthError) {
        self.path = path
        try Self.clear(path)
        let temporary = "\(path).\(getpid())"
        unlink(temporary)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Self.failure("no socket can be made", path) }
        let old = umask(0o177)
        let isBound = Self.withAddress(temporary) { bind(descriptor, $0, $1) == 0 }
        umask(old)
        guard isBound else {
            close(descriptor)
            throw Self.failure("the socket can't be bound", path)
        }
        if let group, !group.isEmpty { Self.give(temporary, to: group, warn) }
        guard chmod(temporary, mode_t(mode)) == 0, listen(descriptor, 128) == 0, rename(temporary, path) == 0 else {
            close(descriptor)
            unlink(temporary)
            throw Self.failure("the socket can't be put in place", path)
        }
        self.descriptor = descriptor
        mark = Mark(path)
    }

    /// Whether a socket, live or dead, stands at `path`; throws where none ever can.
    @discardableResult
    static func check(_ path: String) throws(BerthError) -> Bool {
        guard path.utf8.count < 100 else {
            throw BerthError(
                "control_socket_invalid", "the path \(path) is too long for a Unix socket",
                hint: "set [control] socket to less than 100 bytes")
        }
        var info = stat()
        guard lstat(path, &info) == 0 else {
            guard errno != ENOTDIR else { throw failure("the socket can't be bound", path) }
            return false
        }
        guard info.st_mode & S_IFMT == S_IFSOCK else {
            throw BerthError(
                "control_socket_invalid", "\(path) exists and is no socket", hint: "move it away, or set [control] socket to another path")
        }
        return true
    }

    /// Removes a dead daemon's socket; throws for a live one and for what is no socket.
    private static func clear(_ path: String) throws(BerthError) {
        guard try check(path) else { return }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard probe >= 0 else { throw failure("no socket can be made", path) }
        defer { close(probe) }
        let isConnected = withAddress(path) { connect(probe, $0, $1) == 0 }
        // Only a refusal proves that nobody listens: a full queue or missing rights do not.
        guard !isConnected, errno == ECONNREFUSED || errno == ENOENT else {
            throw BerthError(
                "control_socket_in_use", "another berthd answers at \(path)\(isConnected ? "" : ": \(String(cString: strerror(errno)))")",
                hint: "stop it first, or set [control] socket to another path")
        }
        unlink(path)
    }

    private static func give(_ path: String, to group: String, _ warn: (String) -> Void) {
        guard let entry = getgrnam(group) else {
            warn("group '\(group)' does not exist: the control socket stays with the daemon's own group")
            return
        }
        if chown(path, uid_t.max, entry.pointee.gr_gid) != 0 {
            warn("the control socket can't be given to group '\(group)': \(String(cString: strerror(errno)))")
        }
    }

    private static func failure(_ what: String, _ path: String) -> BerthError {
        BerthError(
            "control_socket_invalid", "\(what) at \(path): \(String(cString: strerror(errno)))",
            hint: "its folder must exist and be writable by the daemon: mkdir -p, or RuntimeDirectory= in the unit")
    }

    private static func withAddress<R>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    /// Takes the name away if it is still this socket's.
    func unlinkName() {
        guard let mark, Mark(path) == mark else { return }
        unlink(path)
    }
}
