// HTTP/1.1 over the control socket with plain blocking calls: one request per connection, bodies by length, chunks, or
// until the end, and lines as they come for the feed. No library: the daemon's own dialect is all it must understand.

import BerthModel
import Glibc

/// An answer.
struct ControlAnswer {
    let status: Int
    let body: [UInt8]
}

/// Speaks to one daemon.
struct UnixHTTPClient {
    let socketPath: String

    /// Sends a request and reads the whole answer.
    func send(_ method: String, _ target: String, body: [UInt8]? = nil, headers: [(String, String)] = []) throws -> ControlAnswer {
        var stream = try open(method, target, body: body, headers: headers)
        defer { stream.close() }
        let head = try stream.readHead()
        var content: [UInt8] = []
        while let piece = try stream.readBody() { content += piece }
        return ControlAnswer(status: head, body: content)
    }

    /// Sends a request and hands the answer's body over as it comes; ends when `take` answers false or the daemon ends.
    func stream(_ target: String, headers: [(String, String)], take: ([UInt8]) throws -> Bool) throws -> ControlAnswer? {
        var stream = try open("GET", target, body: nil, headers: headers)
        defer { stream.close() }
        let status = try stream.readHead()
        guard status == 200 else {
            var content: [UInt8] = []
            while let piece = try stream.readBody() { content += piece }
            return ControlAnswer(status: status, body: content)
        }
        while let piece = try stream.readBody() { guard try take(piece) else { break } }
        return nil
    }

    private func open(_ method: String, _ target: String, body: [UInt8]?, headers: [(String, String)]) throws -> HTTPStream {
        guard socketPath.utf8.count < 108 else { throw Exit.usage("the socket path \(socketPath) is too long") }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Exit.system("no socket can be made") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: socketPath.utf8) }
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        guard isConnected else {
            let reason = errno
            close(descriptor)
            throw Exit.unavailable(socketPath, reason)
        }
        var text = "\(method) \(target) HTTP/1.1\r\nHost: berth\r\nConnection: close\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if let body { text += "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n" }
        text += "\r\n"
        let stream = HTTPStream(descriptor)
        try stream.write(Array(text.utf8) + (body ?? []))
        return stream
    }
}

/// One exchange's bytes.
struct HTTPStream {
    private enum Framing {
        case length(Int)
        case chunks
        case untilEnd
    }

    /// More than the daemon ever puts into one chunk.
    private static let chunkBytesMax = 1 << 30

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var framing = Framing.untilEnd
    private var isDone = false

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    func close() { Glibc.close(descriptor) }

    func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw Exit.system("the daemon closed the connection") }
            sent += count
        }
    }

    /// The status; sets how the body is framed.
    mutating func readHead() throws -> Int {
        let status = try readLine().split(separator: " ")
        guard status.count >= 2, let code = Int(status[1]) else { throw Exit.protocolError("no HTTP status") }
        while true {
            let line = try readLine()
            if line.isEmpty { break }
            let lower = line.lowercased()
            if lower.hasPrefix("content-length:") {
                guard let length = Int(lower.dropFirst(15).drop { $0 == " " }), length >= 0 else {
                    throw Exit.protocolError("no content length")
                }
                framing = .length(length)
            }
            if lower.hasPrefix("transfer-encoding:"), lower.hasSuffix("chunked") { framing = .chunks }
        }
        if code == 204 { framing = .length(0) }
        if code == 100 { return try readHead() }
        return code
    }

    /// The next piece of the body; nil at its end.
    mutating func readBody() throws -> [UInt8]? {
        if isDone { return nil }
        switch framing {
        case .length(let left):
            guard left > 0 else { return nil }
            if buffer.isEmpty { guard try fill() else { throw Exit.protocolError("the answer ends early") } }
            let piece = Array(buffer.prefix(left))
            buffer.removeFirst(piece.count)
            framing = .length(left - piece.count)
            return piece
        case .untilEnd:
            if buffer.isEmpty { guard try fill() else { return nil } }
            defer { buffer.removeAll() }
            return buffer
        case .chunks:
            guard let size = Int(try readLine().split(separator: ";").first ?? "", radix: 16), (0...Self.chunkBytesMax).contains(size)
            else {
                throw Exit.protocolError("no chunk size")
            }
            while buffer.count < size + 2 { guard try fill() else { throw Exit.protocolError("the answer ends early") } }
            let piece = Array(buffer.prefix(size))
            buffer.removeFirst(size + 2)
            if size == 0 {
                isDone = true
                return nil
            }
            return piece
        }
    }

    private mutating func readLine() throws -> String {
        while true {
            if let end = buffer.firstIndex(of: 0x0A) {
                let line = buffer[..<end].last == 0x0D ? buffer[..<end].dropLast() : buffer[..<end]
                let text = String(decoding: line, as: UTF8.self)
                buffer.removeSubrange(...end)
                return text
            }
            guard try fill() else { throw Exit.protocolError("the daemon closed the connection") }
        }
    }

    private mutating func fill() throws -> Bool {
        var space = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = recv(descriptor, &space, space.count, 0)
            if count > 0 {
                buffer += space[..<count]
                return true
            }
            if count == 0 { return false }
            guard errno == EINTR else { throw Exit.system("the connection broke: \(String(cString: strerror(errno)))") }
        }
    }
}
