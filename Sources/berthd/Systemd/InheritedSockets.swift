// Socket activation: descriptors that the service manager bound for us, by name.

import Glibc

/// Inherited listening sockets.
struct InheritedSockets {
    private let descriptors: [String: Int32]

    /// Takes LISTEN_FDS when it is meant for this process; sets close-on-exec and unsets the variables for children.
    init(environment: [String: String]) {
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
            found[Int(index) < names.count ? names[Int(index)] : "unknown", default: descriptor] = descriptor
        }
        descriptors = found
    }

    /// The descriptor of a `FileDescriptorName=`: `control` or `public`.
    func descriptor(_ name: String) -> Int32? { descriptors[name] }
}
