// A Unix socket that answers as a script says: what berthctl does with answers that a healthy daemon would never give.

import Foundation
import Glibc
import Synchronization

/// Answers one request per connection.
final class ScriptedDaemon: Sendable {
    struct Request: Sendable, Equatable {
        var method: String
        var target: String
        var headers: [String: String]
        var body: String
    }

    /// Bytes as they go out; the connection is closed after them.
    typealias Script = @Sendable (Request) -> String

    let path: String
    private let descriptor: Int32
    private let received = Mutex<[Request]>([])
    private let script: Script

    init(_ script: @escaping Script) throws {
        self.script = script
        path = NSTemporaryDirectory() + "berthctl-\(UInt64.random(in: 0 ... .max)).sock"
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let descriptor = descriptor
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        guard isBound, listen(descriptor, 16) == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0, let self else {
                    // Here and not in `deinit`: there the number could be another socket's before this thread asks it again.
                    close(descriptor)
                    return
                }
                self.serve(connection)
            }
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        unlink(path)
    }

    var requests: [Request] { received.withLock { $0 } }

    /// A JSON answer with its length.
    static func json(_ body: String, status: String = "200 OK", type: String = "application/json") -> String {
        "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
    }

    /// A problem document.
    static func problem(_ status: Int, _ detail: String, hint: String? = nil) -> String {
        let hint = hint.map { ",\"hint\":\"\($0)\"" } ?? ""
        return json("{\"code\":\"x\",\"detail\":\"\(detail)\"\(hint)}", status: "\(status) X", type: "application/problem+json")
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var data: [UInt8] = []
        var space = [UInt8](repeating: 0, count: 65_536)
        func more() -> Bool {
            let count = recv(connection, &space, space.count, 0)
            if count > 0 { data += space.prefix(count) }
            return count > 0
        }
        let blank = Array("\r\n\r\n".utf8)
        while data.firstRange(of: blank) == nil { guard more() else { return } }
        guard let split = data.firstRange(of: blank) else { return }
        let lines = String(decoding: data[..<split.lowerBound], as: UTF8.self).split(separator: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        while data.count - split.upperBound < length { guard more() else { return } }
        let first = lines[0].split(separator: " ").map(String.init)
        let request = Request(
            method: first[0], target: first[1], headers: headers, body: String(decoding: data[split.upperBound...], as: UTF8.self))
        received.withLock { $0.append(request) }
        let answer = Array(script(request).utf8)
        _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
    }
}
