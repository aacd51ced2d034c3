// A real HTTPListener on a free loopback port with a responder of the test's own, and blocking sockets to it on threads
// of their own, so that waiting never holds a thread that the server needs.

import BerthModel
import Foundation
import Glibc
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import BerthServer

/// All tests in turn: they look at times and descriptors.
@Suite(.serialized) enum Server {}

/// Runs blocking code beside the cooperative threads.
func blocking<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}

/// Serves for as long as `body` runs; `body` gets the port.
func listening<R: Sendable>(
    _ limits: ConnectionLimits, _ responder: @escaping HTTPChannelHandler.Responder, _ body: @Sendable (UInt16) async throws -> R
) async throws -> R {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let listener = HTTPListener(limits: limits, responder: responder, logger: logger)
    let (ports, found) = AsyncStream<UInt16>.makeStream()
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            try await listener.run(.host("127.0.0.1", port: 0), on: MultiThreadedEventLoopGroup.singleton) { address in
                found.yield(UInt16(address?.port ?? 0))
            }
        }
        let port = try #require(await ports.first { _ in true })
        let result = try await body(port)
        group.cancelAll()
        return result
    }
}

/// Reads the body and answers its length.
let echoLength: HTTPChannelHandler.Responder = { request, writer, _ in
    let body = try await BodyReader(request).collect(upTo: 1 << 20) ?? []
    try await Reply(.ok, contentType: "text/plain", body: ByteBuffer(string: "\(body.count)")).write(to: writer)
}

/// A client's socket with a receive timeout.
final class Client: Sendable {
    let descriptor: Int32

    init(_ port: UInt16, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        if var size = receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size)) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        // deinit closes it: also of an object whose init throws once all its properties are set.
        guard result == 0 else { throw IOError(errnoCode: errno, reason: "connect") }
    }

    deinit { close(descriptor) }

    /// False when the peer is gone.
    @discardableResult func send(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Everything until the peer ends, and how long that took.
    func rest() -> (text: String, seconds: Double) {
        let began = ContinuousClock.now
        var all: [UInt8] = []
        var space = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &space, space.count, 0)
            guard count > 0 else { break }
            all += space.prefix(count)
        }
        return (String(decoding: all, as: UTF8.self), (ContinuousClock.now - began) / .seconds(1))
    }
}

/// Fills the space or ends with the peer; how many bytes came.
func recvAll(_ descriptor: Int32, _ space: inout [UInt8]) -> Int { recv(descriptor, &space, space.count, Int32(MSG_WAITALL)) }
