// The socket to the daemon: whole messages in on the main thread, frames out from any thread, one message at a time.

import BerthLoader
import BerthWire
import Glibc
import Synchronization

/// The link. A daemon that is gone ends the worker.
final class DaemonLink: Sendable {
    private let socket: Int32
    private let writing = Monitor()
    private let reading: Mutex<Inbox>

    /// `@unchecked Sendable` is not needed: the assembler is reached only under the mutex.
    private struct Inbox: ~Copyable {
        var assembler = FrameAssembler()
        var waiting: [(message: HostMessage, operation: UInt64)] = []
        var next = 0
    }

    init(socket: Int32) {
        self.socket = socket
        reading = Mutex(Inbox())
        _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
    }

    /// The next message; nil when the daemon is gone. Only from the main thread.
    func receive() -> (message: HostMessage, operation: UInt64)? {
        reading.withLock { inbox in
            while inbox.next == inbox.waiting.count {
                inbox.waiting.removeAll(keepingCapacity: true)
                inbox.next = 0
                let count = inbox.assembler.receive { room in
                    var got: Int
                    repeat { got = read(socket, room.baseAddress, room.count) } while got < 0 && errno == EINTR
                    return got
                }
                guard count > 0 else { return nil }
                do throws(WireError) {
                    try inbox.assembler.drain { (kind, operation, payload) throws(WireError) in
                        inbox.waiting.append((try HostMessage(kind: kind, payload: payload), operation))
                    }
                } catch { _exit(71) }  // the daemon's own frames are wrong: a defect, and nothing to go on with
            }
            defer { inbox.next += 1 }
            return inbox.waiting[inbox.next]
        }
    }

    /// Sends one message.
    func send(_ message: WorkerMessage, operation: UInt64) { send(message.frames(operation: operation)) }

    /// Sends frames of one message.
    func send(_ bytes: [UInt8]) {
        writing.withLock {
            bytes.withUnsafeBytes { bytes in
                var sent = 0
                while sent < bytes.count {
                    let count = write(socket, bytes.baseAddress! + sent, bytes.count - sent)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { _exit(0) }
                    sent += count
                }
            }
        }
    }

    /// Says why this worker is of no use, and ends.
    func refuse(_ code: String, _ message: String, hint: String) -> Never {
        send(.refused(code: code, message: String(message.prefix(1000)), hint: String(hint.prefix(1000))), operation: 0)
        exit(0)
    }
}
