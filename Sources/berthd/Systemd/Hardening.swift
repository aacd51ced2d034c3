// What the process does to itself before it holds a secret.

import CBerthHeap
import CBerthLinux
import Glibc

enum Hardening {
    /// Swift's crash backtracer prints memory next to registers, and so secrets. It reads its setting when the runtime
    /// starts: without the setting the process starts itself again with it.
    static func quietBacktraces() {
        if let setting = getenv("SWIFT_BACKTRACE"), String(cString: setting).contains("enable=no") { return }
        setenv("SWIFT_BACKTRACE", "enable=no", 1)
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        execv("/proc/self/exe", &arguments)
        // Only a missing /proc brings us here: better to run with a noisy crash than not at all.
    }

    /// No core files, no tracing by other processes of the same user.
    static func closeProcess() {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        _ = berth_set_undumpable()
    }

    /// Whether freed memory is zeroed in this process. Not so under another heap, such as a sanitizer's.
    static var zeroesFreedMemory: Bool { berth_heap_zeroes() == 1 }
}
