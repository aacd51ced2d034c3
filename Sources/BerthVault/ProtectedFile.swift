// Opening a file that holds a secret: who may own it and who may read it, checked through the descriptor it is read from,
// so that it cannot be swapped between check and reading.

package import BerthModel
import Glibc

/// A file that only its owner may read.
package enum ProtectedFile {
    /// A descriptor to read from, which the caller closes. The file must be regular, owned by root or the caller, with mode 0600
    /// or stricter. `isCredential`: it lies in `$CREDENTIALS_DIRECTORY`, where systemd's access list for the unit's user shows as
    /// a group-read bit. `what`: its name in errors, such as "key file". `missing`: what to do when it is not there.
    package static func open(
        _ path: String, what: String, code: BerthError.Code, isCredential: Bool, missing: String
    ) throws(BerthError) -> Int32 {
        let descriptor = Glibc.open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let number = errno
            throw BerthError(
                code, "cannot open the \(what) \(path): \(number == ELOOP ? "it is a symbolic link" : systemMessage(number))",
                hint: number == ENOENT ? missing : "give the path of a regular file that berthd can read")
        }
        do throws(BerthError) {
            try checkProtection(of: descriptor, path: path, what: what, code: code, isCredential: isCredential)
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// Everything in it, or nil when that is more than `bytesMax`. The buffer is the caller's to clear and free.
    package static func contents(
        of descriptor: Int32, path: String, what: String, code: BerthError.Code, bytesMax: Int
    ) throws(BerthError) -> (buffer: UnsafeMutableRawBufferPointer, count: Int) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytesMax, alignment: 1)
        var count = 0
        while count < buffer.count {
            let got = read(descriptor, buffer.baseAddress! + count, buffer.count - count)
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else {
                let number = errno
                wipe(buffer)
                throw BerthError(code, "cannot read the \(what) \(path): \(systemMessage(number))", hint: "check the file system")
            }
            if got == 0 { break }
            count += got
        }
        return (buffer, count)
    }

    /// Clears and frees a buffer of `contents`.
    package static func wipe(_ buffer: UnsafeMutableRawBufferPointer) {
        if let base = buffer.baseAddress { explicit_bzero(base, buffer.count) }
        buffer.deallocate()
    }

    private static func checkProtection(
        of descriptor: Int32, path: String, what: String, code: BerthError.Code, isCredential: Bool
    ) throws(BerthError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw BerthError(code, "cannot look at the \(what) \(path): \(systemMessage(errno))", hint: "check the file system")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw BerthError(code, "the \(what) \(path) is not a regular file", hint: "give the path of a regular file")
        }
        let mine = geteuid()
        guard status.st_uid == 0 || status.st_uid == mine else {
            throw BerthError(
                code, "the \(what) \(path) belongs to uid \(status.st_uid), which is neither root nor the daemon's (\(mine))",
                hint: "chown \(mine) \(path)")
        }
        let tolerated: mode_t = isCredential && status.st_uid == 0 ? 0o640 : 0o600
        guard status.st_mode & 0o7777 & ~tolerated == 0 else {
            throw BerthError(
                code,
                "the \(what) \(path) has mode 0\(String(status.st_mode & 0o7777, radix: 8)): others could read it or it is executable",
                hint: "chmod 0600 \(path)")
        }
    }
}
