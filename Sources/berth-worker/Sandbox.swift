// Which paths and how much memory this worker keeps. The kernel's side of it is in CBerthLinux.

import BerthLoader
import BerthWire
import CBerthLinux
import Glibc

enum Sandbox {
    /// Folders the dynamic linker reads from, beside the one the Swift runtime stands in.
    private static let libraryPaths = [
        "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/dev/null", "/dev/urandom",
        "/usr/share/zoneinfo",
    ]
    /// Address space for libraries and stacks, which a plugin's memory budget does not mean.
    private static let allowanceMiB: UInt64 = 192

    static func beforeLoad(_ hello: HostMessage.Hello, _ link: DaemonLink) {
        let paths = libraryPaths + swiftRuntimeFolder() + hello.readPaths
        var pointers = paths.map { UnsafePointer(strdup($0)) }
        var step: UnsafePointer<CChar>?
        let failed = berth_sandbox_before_load(
            &pointers, UInt32(pointers.count), (UInt64(hello.memoryMiB) + allowanceMiB) << 20, hello.isBestEffort ? 1 : 0, &step)
        for pointer in pointers { free(UnsafeMutablePointer(mutating: pointer)) }
        if failed != 0 { refuse(step, failed, link) }
    }

    static func afterLoad(_ hello: HostMessage.Hello, _ link: DaemonLink) {
        var step: UnsafePointer<CChar>?
        let failed = berth_sandbox_after_load(hello.isBestEffort ? 1 : 0, &step)
        if failed != 0 { refuse(step, failed, link) }
    }

    private static func refuse(_ step: UnsafePointer<CChar>?, _ code: Int32, _ link: DaemonLink) -> Never {
        let name = step.map { String(cString: $0) } ?? "?"
        link.refuse(
            "sandbox_unavailable", "the worker could not seal itself: \(name): \(String(cString: strerror(code)))",
            hint: "the kernel must offer Landlock (5.13) and seccomp; [plugins] sandbox = \"best-effort\" allows it without")
    }

    private static func swiftRuntimeFolder() -> [String] {
        // Any symbol of libswiftCore will do.
        guard let symbol = dlsym(UnsafeMutableRawPointer(bitPattern: 0), "swift_retain") else { return [] }
        var room = [CChar](repeating: 0, count: 4096)
        guard berth_library_folder(symbol, &room, room.count) == 0 else { return [] }
        return room.withUnsafeBufferPointer { buffer in buffer.baseAddress.map { [String(cString: $0)] } ?? [] }
    }
}
