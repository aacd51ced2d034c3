// The files of exchanges in the daemon's folder: per connection a lock, the room for an answer, the answer. What they mean is
// ExchangeDesk's affair.

import BerthModel
import Foundation

/// Paths, locks and room.
struct ExchangeFiles: Sendable {
    let folder: String

    enum Kind: String, CaseIterable {
        case reply, lock
        /// The answer of a revocation.
        case revocation = "revoked"
    }

    /// A system call's error.
    struct Cause: Error, CustomStringConvertible {
        var number: CInt
        var description: String { String(cString: strerror(number)) }
    }

    /// More than the largest answer needs: 1 MiB of body in base64, its headers, the seal.
    static let roomBytes = 2 << 20

    func path(_ connection: ConnectionID, _ kind: Kind) -> String { "\(folder)/\(connection).\(kind.rawValue)" }

    /// Held by every process that has the descriptor; nil with `errno` when it can't be had within so many seconds, or until there is no
    /// time left.
    func lock(_ connection: ConnectionID, seconds: Int, unless isOver: () -> Bool = { false }) -> CInt? {
        let path = path(connection, .lock)
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            var file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            // Somebody tidied up the folder itself: no reason to renew nothing until a restart.
            if file < 0, errno == ENOENT, mkdir(folder, 0o700) == 0 || errno == EEXIST {
                file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            }
            guard file >= 0 else { return nil }
            var (held, named) = (stat(), stat())
            if flock(file, LOCK_EX | LOCK_NB) == 0 {
                // Another one may have deleted the file between opening and locking: then this lock keeps nobody out.
                if fstat(file, &held) == 0, stat(path, &named) == 0, held.st_ino == named.st_ino { return file }
                close(file)
                continue
            }
            let cause = errno
            close(file)
            guard cause == EWOULDBLOCK || cause == EINTR, .now < end, !isOver() else {
                errno = cause
                return nil
            }
            _ = poll(nil, 0, 50)
        }
    }

    /// Whether there is surely no answer.
    func isAbsent(_ connection: ConnectionID) -> Bool { access(path(connection, .reply), F_OK) != 0 && errno == ENOENT }

    func read(_ path: String) -> Result<[UInt8], Cause> {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return .failure(Cause(number: errno)) }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Foundation.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return .failure(Cause(number: errno)) }
            guard count > 0 else { return .success(bytes) }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    /// Makes room for an answer; the exchange writes into it (`ExchangeProcess`).
    func reserve(_ path: String) -> Cause? {
        let part = path + ".part"
        let file = open(part, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { return Cause(number: errno) }
        defer { close(file) }
        var error = posix_fallocate(file, 0, off_t(Self.roomBytes))
        if error == 0, fsync(file) != 0 { error = errno }
        guard error != 0 else { return nil }
        unlink(part)
        return Cause(number: error)
    }

    /// Gives an answer its name that was written by a process that died before it could; whether it did.
    func name(partOf path: String) -> Bool { rename(path + ".part", path) == 0 }

    func dropPart(of path: String) { unlink(path + ".part") }

    /// What exchanges of a former life left that is worth nothing: the room for an answer that never came, the answer of a revocation.
    func dropLeftovers(_ connection: ConnectionID) {
        guard let lock = lock(connection, seconds: 0) else { return }
        defer { close(lock) }
        for kind in [Kind.reply, .revocation] { dropPart(of: path(connection, kind)) }
        unlink(path(connection, .revocation))
    }

    /// Deletes all files of a connection, when its lock can be had and it should be so then; whether it could.
    func sweep(_ connection: ConnectionID, seconds: Int, ifStill isDue: () -> Bool = { true }) -> Bool {
        guard let lock = lock(connection, seconds: seconds) else { return false }
        defer { close(lock) }
        guard isDue() else { return true }
        for kind in [Kind.reply, .revocation] {
            unlink(path(connection, kind))
            dropPart(of: path(connection, kind))
        }
        unlink(path(connection, .lock))
        return true
    }

    /// Those that have files here, and whether there is more than a lock and an answer.
    func connections() -> [ConnectionID: Bool] {
        guard let folder = opendir(folder) else { return [:] }
        defer { closedir(folder) }
        var found: [ConnectionID: Bool] = [:]
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let id = ConnectionID(String(name.prefix { $0 != "." })) else { continue }
            let isUsual = [Kind.reply, .lock].contains { name == "\(id).\($0.rawValue)" }
            found[id] = found[id, default: false] || !isUsual
        }
        return found
    }
}
