// Blocking sockets on loopback: a client's connection, and a receiver that keeps what it is sent.

import Foundation
import Glibc
import Synchronization

struct SocketFailure: Error { var operation: String, number: Int32 }

struct LoopbackSocket {
    let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.address(port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard result == 0 else { throw SocketFailure(operation: "connect", number: errno) }
    }

    static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    /// Sends, then reads until the other side closes or resets.
    func exchange(_ text: String) throws -> Data {
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw SocketFailure(operation: "send", number: errno)
        }
        var result = Data()
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw SocketFailure(operation: "recv", number: errno) }
            if count == 0 { return result }
            result += buffer.prefix(count)
        }
    }
}

/// A receiver of webhooks: answers each request with the next status it was given, then 202.
final class WebhookSink: Sendable {
    struct Delivery: Sendable {
        var method: String, target: String, headers: [String: String], body: Data
        var query: [String: String] {
            let items = URLComponents(string: target)?.queryItems ?? []
            return Dictionary(items.map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { first, _ in first })
        }
        var object: [String: Any] { (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] ?? [:] }
    }

    let port: UInt16
    private let descriptor: Int32
    private let received = Mutex<[Delivery]>([])
    private let arrived = NSCondition()
    private let statuses: Mutex<[Int]>

    init(statuses: [Int] = []) throws {
        self.statuses = Mutex(statuses)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = LoopbackSocket.address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> Int32 in
                guard bind(listener, pointer, length) == 0, listen(listener, 128) == 0 else { return -1 }
                return getsockname(listener, pointer, &length)
            }
        }
        guard port == 0 else { throw SocketFailure(operation: "listen", number: errno) }
        self.port = UInt16(bigEndian: address.sin_port)
        descriptor = listener
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0, let sink = self else {
                    // Nobody else closes it: an accept on a number that was closed would take another listener's connections.
                    if connection >= 0 { close(connection) }
                    close(listener)
                    return
                }
                Thread.detachNewThread { while sink.serve(connection) {} }
            }
        }
    }

    deinit { shutdown(descriptor, Int32(SHUT_RDWR)) }

    var deliveries: [Delivery] { received.withLock { $0 } }

    /// The first delivery that `matches`: waits up to ten seconds for one that has not come yet.
    func delivery(where matches: (Delivery) -> Bool) -> Delivery? {
        let end = Date() + 10
        arrived.lock()
        defer { arrived.unlock() }
        while true {
            if let found = deliveries.first(where: matches) { return found }
            guard arrived.wait(until: end) else { return nil }
        }
    }
    var url: String { "http://127.0.0.1:\(port)" }

    private func serve(_ connection: Int32) -> Bool {
        var data = Data()
        func more() -> Bool {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(connection, &buffer, buffer.count, 0)
            if count > 0 { data += buffer.prefix(count) }
            return count > 0
        }
        while data.firstRange(of: Data("\r\n\r\n".utf8)) == nil { guard more() else { close(connection); return false } }
        guard let split = data.firstRange(of: Data("\r\n\r\n".utf8)) else { return false }
        let lines = String(decoding: data[..<split.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        let length = Int(headers["content-length"] ?? "0") ?? 0
        while data.count - split.upperBound < length { guard more() else { close(connection); return false } }
        let first = lines[0].split(separator: " ").map(String.init)
        let delivery = Delivery(method: first[0], target: first[1], headers: headers, body: Data(data[split.upperBound...].prefix(length)))
        received.withLock { $0.append(delivery) }
        arrived.withLock { arrived.broadcast() }
        let status = statuses.withLock { $0.isEmpty ? 202 : $0.removeFirst() }
        let answer = Array("HTTP/1.1 \(status) X\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n".utf8)
        return send(connection, answer, answer.count, Int32(MSG_NOSIGNAL)) == answer.count
    }
}
