// A provider made of raw sockets on loopback, so that a test decides every byte and every delay on the wire.

import Foundation
import Glibc
import Synchronization

/// One request as it came in.
struct SeenRequest: Sendable {
    var method: String
    var target: String
    var headers: [String: String]
    var body: String
}

/// One accepted connection, used by its own thread only.
final class Peer {
    let socket: Int32
    private var buffer: [UInt8] = []
    init(socket: Int32) { self.socket = socket }

    /// Writes all bytes; false when the other side is gone.
    @discardableResult func write(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }
    @discardableResult func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    /// A whole answer with its length.
    @discardableResult func answer(_ status: Int, _ headers: [String: String] = [:], _ body: [UInt8] = []) -> Bool {
        var head = "HTTP/1.1 \(status) Scripted\r\nContent-Length: \(body.count)\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        return write(Array((head + "\r\n").utf8) + body)
    }

    /// Ends with a TCP reset instead of a regular end.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    /// Blocks until the other side closes.
    func awaitClose() {
        var scratch = [UInt8](repeating: 0, count: 4096)
        while recv(socket, &scratch, scratch.count, 0) > 0 {}
    }

    /// The next request; nil when the other side closes.
    func next() -> SeenRequest? {
        let end = Array("\r\n\r\n".utf8)
        while true {
            if let range = find(end) {
                let lines = String(decoding: buffer[..<range], as: UTF8.self).components(separatedBy: "\r\n")
                let first = lines[0].split(separator: " ")
                var headers: [String: String] = [:]
                for line in lines.dropFirst() {
                    let parts = line.split(separator: ":", maxSplits: 1)
                    headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
                }
                buffer.removeFirst(range + 4)
                let length = Int(headers["content-length"] ?? "0") ?? 0
                while buffer.count < length { if !fill() { return nil } }
                let body = String(decoding: buffer[..<length], as: UTF8.self)
                buffer.removeFirst(length)
                return SeenRequest(method: String(first[0]), target: String(first[1]), headers: headers, body: body)
            }
            if !fill() { return nil }
        }
    }

    private func fill() -> Bool {
        var scratch = [UInt8](repeating: 0, count: 65536)
        let count = recv(socket, &scratch, scratch.count, 0)
        if count <= 0 { return false }
        buffer.append(contentsOf: scratch[..<count])
        return true
    }

    private func find(_ needle: [UInt8]) -> Int? {
        guard buffer.count >= needle.count else { return nil }
        return (0...(buffer.count - needle.count)).first { Array(buffer[$0..<($0 + needle.count)]) == needle }
    }
}

/// Listens on a port of the system's choice until `stop()`.
final class ScriptedServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let counts = Mutex((connections: 0, seen: [SeenRequest]()))
    private let open = Mutex<[Int32]>([])

    var connectionCount: Int { counts.withLock { $0.connections } }
    var seen: [SeenRequest] { counts.withLock { $0.seen } }
    var url: String { "http://127.0.0.1:\(port)" }

    /// `script` gets each request in order, with its number (from 1) over all connections; false ends the connection.
    init(address: String = "127.0.0.1", _ script: @escaping @Sendable (Peer, SeenRequest, Int) -> Bool) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        inet_pton(AF_INET, address, &name.sin_addr)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafePointer(to: &name) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) } }
        guard bound == 0, listen(descriptor, 512) == 0 else { throw POSIXError(.EADDRINUSE) }
        var length = size
        _ = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        port = UInt16(bigEndian: name.sin_port)
        listener = descriptor
        Thread.detachNewThread { [self] in
            while true {
                let peer = accept(listener, nil, nil)
                if peer < 0 {
                    // Here and not in `stop`: there the number could be another listener's before this thread asks it again.
                    close(listener)
                    return
                }
                var on: Int32 = 1
                setsockopt(peer, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(4))
                counts.withLock { $0.connections += 1 }
                open.withLock { $0.append(peer) }
                Thread.detachNewThread { [self] in
                    let connection = Peer(socket: peer)
                    while let request = connection.next() {
                        let number = counts.withLock {
                            $0.seen.append(request)
                            return $0.seen.count
                        }
                        if !script(connection, request, number) { break }
                    }
                    open.withLock { sockets in sockets.removeAll { $0 == peer } }
                    close(peer)
                }
            }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        open.withLock { for socket in $0 { shutdown(socket, Int32(SHUT_RDWR)) } }
    }
}
