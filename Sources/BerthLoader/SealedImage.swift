// A library's bytes in a sealed memory file: what was checked is what gets loaded, and every load is a new file to the
// dynamic linker, so that a reload never gets the old code back.

import BerthModel
import CBerthLinux
import Glibc
import Synchronization

/// A sealed copy of a library. The descriptor is closed when the image goes; what is loaded stays mapped.
public final class SealedImage: Sendable {
    /// The memory file, close-on-exec.
    public let descriptor: Int32
    /// Length in bytes.
    public let count: Int
    /// The path that gives the dynamic linker this very file. No two images of a process have the same one.
    public let path: String

    /// More than any library has.
    private static let bytesMax: off_t = 512 << 20

    /// Copies a file and seals the copy against any change. Anything but a regular file is refused: a pipe would block, a device never end.
    public init(path: String) throws(LoadRefusal) {
        let source = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard source >= 0 else {
            throw LoadRefusal(
                .libraryMissing, at: path, pluginValue: Self.problem(), hint: "build the plugin, or correct [library] in its plugin.toml")
        }
        defer { close(source) }
        var info = stat()
        guard fstat(source, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
            throw LoadRefusal(
                .libraryMissing, at: path, pluginValue: "no regular file", hint: "build the plugin, or correct [library] in its plugin.toml"
            )
        }
        guard info.st_size <= Self.bytesMax else {
            throw LoadRefusal(
                .libraryMissing, at: path, pluginValue: "it has \(info.st_size) bytes, \(Self.bytesMax) are allowed",
                hint: "is this the plugin's library?")
        }
        let target = berth_memfd("berth-plugin")
        guard target >= 0 else {
            throw LoadRefusal(.system, at: path, pluginValue: Self.problem(), hint: "the kernel must offer memfd_create")
        }
        var count = 0
        while true {
            let copied = sendfile(target, source, nil, 1 << 24)
            if copied == 0 { break }
            if copied < 0, errno == EINTR { continue }
            guard copied > 0 else {
                close(target)
                throw LoadRefusal(.libraryMissing, at: path, pluginValue: Self.problem(), hint: "the file must be readable to its end")
            }
            count += copied
        }
        // F_ADD_SEALS with F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
        guard fcntl(target, 1033, 0x0F) == 0 else {
            close(target)
            throw LoadRefusal(.system, at: path, pluginValue: Self.problem(), hint: "the kernel must offer sealing of memory files")
        }
        descriptor = target
        self.count = count
        self.path = Self.uniquePath(of: target)
    }

    /// Takes over a sealed descriptor, as a worker inherits it. Refuses one that could still be changed.
    public init(adopting descriptor: Int32) throws(LoadRefusal) {
        let seals = fcntl(descriptor, 1034)  // F_GET_SEALS; -1, all bits set, for what cannot be sealed
        var info = stat()
        guard seals >= 0, seals & 0x0F == 0x0F, fstat(descriptor, &info) == 0 else {
            throw LoadRefusal(
                .system, at: "descriptor \(descriptor)", pluginValue: "not sealed", hint: "berth-worker is started by berthd only")
        }
        self.descriptor = descriptor
        count = Int(info.st_size)
        path = Self.uniquePath(of: descriptor)
    }

    deinit { close(descriptor) }

    /// glibc looks for a library by the text of its path before it opens anything, and never forgets one. Descriptor numbers are
    /// used again, so that `/proc/self/fd/7` alone would give the code of the plugin that had descriptor 7 before (measured). A
    /// running number is spelled into the path where it means nothing: "/" for a 0, "/." for a 1.
    private static func uniquePath(of descriptor: Int32) -> String {
        let number = images.add(1, ordering: .relaxed).oldValue
        let spelled = (0..<32).map { number >> $0 & 1 == 0 ? "/" : "/." }.joined()
        return "/proc/self/fd\(spelled)/\(descriptor)"
    }
    private static let images = Atomic<Int>(0)

    /// Lends the bytes.
    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R? {
        guard count > 0, let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else { return nil }
        defer { munmap(address, count) }
        return body(UnsafeRawBufferPointer(start: address, count: count))
    }

    private static func problem() -> String { String(cString: strerror(errno)) }
}
