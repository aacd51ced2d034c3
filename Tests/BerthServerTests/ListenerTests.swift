// Limits of the listener with real sockets: sizes, times, numbers.

import BerthModel
import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization
import Testing

@testable import BerthServer

extension Server {
    @Suite struct ListenerTests {
        private var quick: ConnectionLimits {
            var limits = ConnectionLimits()
            limits.headSeconds = 1
            limits.requestSeconds = 2
            limits.stallSeconds = 1
            return limits
        }

        @Test func answersInOrderOnOneConnection() async throws {
            // Would break: pipelining, keep-alive.
            let text = try await listening(ConnectionLimits(), echoLength) { port in
                try await blocking {
                    let client = try Client(port)
                    client.send(
                        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcPOST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n")
                    client.send("Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")
                    return client.rest().text
                }
            }
            let bodies = text.components("\r\n\r\n").dropFirst().map { $0.prefix(1) }
            #expect(bodies == ["3", "5"])
        }

        @Test func slowHeadsSilenceAndIdlenessEnd() async throws {
            // Would break: a descriptor per patient client.
            try await listening(quick, echoLength) { port in
                for text in ["", "POST / HT", "POST / HTTP/1.1\r\nHost: a\r\nX: "] {
                    let (answer, seconds) = try await blocking {
                        let client = try Client(port)
                        client.send(text)
                        return client.rest()
                    }
                    #expect(answer.isEmpty)
                    #expect(seconds < 4)
                }
                let (answer, seconds) = try await blocking {
                    let client = try Client(port)
                    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
                    return client.rest()
                }
                #expect(answer.hasPrefix("HTTP/1.1 200"))
                #expect(seconds < 4)
            }
        }

        @Test func aBodyThatDoesNotComeIsAnswered408() async throws {
            // Would break: a request that holds its task and memory for ever.
            let (answer, seconds) = try await listening(quick, echoLength) { port in
                try await blocking {
                    let client = try Client(port)
                    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
                    return client.rest()
                }
            }
            #expect(answer.hasPrefix("HTTP/1.1 408"))
            #expect(seconds < 5)
        }

        @Test func aSlowAnswerIsNotEndedByTheDeadlineOfTheNextHead() async throws {
            // Would break: pipelined or slow work cut off by a deadline that is meant for idle connections.
            let text = try await listening(
                quick,
                { request, writer, _ in
                    _ = try await BodyReader(request).collect(upTo: 100)
                    try await Task.sleep(for: .milliseconds(1700))
                    try await Reply(.ok, body: ByteBuffer(string: "done")).write(to: writer)
                },
                { port in
                    try await blocking {
                        let client = try Client(port)
                        let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
                        client.send(request + request)
                        return client.rest().text
                    }
                })
            #expect(text.components("done").count == 3)
        }

        @Test func aPeerThatDoesNotReadIsEnded() async throws {
            // Would break: a writer that waits for ever, with its buffers.
            let ended = Mutex(false)
            try await listening(
                quick,
                { _, writer, _ in
                    defer { ended.withLock { $0 = true } }
                    var body = try await writer.writeHead(HTTPResponse(status: .ok))
                    let piece = ByteBuffer(repeating: 65, count: 1 << 16)
                    for _ in 0..<2000 { try await body.write(piece) }
                    try await body.finish(nil)
                },
                { port in
                    let client = try Client(port, receiveBuffer: 4096)
                    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    let end = ContinuousClock.now + .seconds(8)
                    while !ended.withLock({ $0 }), ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(20)) }
                })
            #expect(ended.withLock { $0 })
        }

        @Test func aReaderThatIsSlowButReadsIsServed() async throws {
            // Would break: the stall limit taken for a limit of the whole answer.
            let size = 3 << 20
            let text = try await listening(
                quick,
                { _, writer, _ in
                    var body = try await writer.writeHead(
                        HTTPResponse(status: .ok, headerFields: [.contentLength: "\(size)", .connection: "close"]))
                    for _ in 0..<(size >> 16) { try await body.write(ByteBuffer(repeating: 65, count: 1 << 16)) }
                    try await body.finish(nil)
                },
                { port in
                    try await blocking {
                        let client = try Client(port, receiveBuffer: 65_536)
                        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                        return client.rest().text
                    }
                })
            #expect(text.utf8.count > size)
        }

        @Test func connectionsAreCountedInAndOut() async throws {
            // Would break: more connections than configured, or fewer and fewer over time.
            var limits = ConnectionLimits()
            limits.connectionsPerAddressMax = 3
            // One that is let in where it should be refused ends by this.
            limits.headSeconds = 3
            try await listening(limits, echoLength) { port in
                for _ in 0..<3 {
                    var served = 0
                    let end = ContinuousClock.now + .seconds(5)
                    // What closed a moment ago may still be counted.
                    while served < 3, ContinuousClock.now < end {
                        served = try await blocking {
                            let clients = try (0..<5).map { _ in try Client(port) }
                            return clients.count { client in
                                client.send("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                                return client.rest().text.hasPrefix("HTTP/1.1 200")
                            }
                        }
                    }
                    #expect(served >= 3)
                }
                var refused = ""
                let end = ContinuousClock.now + .seconds(20)
                while refused.isEmpty, ContinuousClock.now < end {
                    refused = try await blocking {
                        let held = try (0..<5).map { _ in try Client(port) }
                        let more = try Client(port).rest().text
                        return withExtendedLifetime(held) { more }
                    }
                }
                #expect(refused.hasPrefix("HTTP/1.1 503 ") && refused.contains("connections are the most"))
            }
        }

        @Test func aShutdownUnderLoadEndsInOrder() async throws {
            // Would break: R12: a connection that comes while the listener ends trapped the whole process.
            for _ in 0..<20 {
                try await listening(ConnectionLimits(), echoLength) { port in
                    Thread.detachNewThread {
                        // Ends when the listener is gone.
                        while let client = try? Client(port) { client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello") }
                    }
                    _ = try await blocking {
                        let client = try Client(port)
                        client.send("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                        return client.rest().text
                    }
                }
            }
        }

        @Test func headsHaveLimits() async throws {
            // Would break: memory by header.
            try await listening(ConnectionLimits(), echoLength) { port in
                let great = "X: " + String(repeating: "y", count: 9000) + "\r\n"
                let many = String(repeating: "X: y\r\n", count: 101)
                let list = (0..<20).map { "X\($0): " + String(repeating: "y", count: 1000) + "\r\n" }.joined()
                for fields in [great, many, list] {
                    let answer = try await blocking {
                        let client = try Client(port)
                        client.send("POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
                        client.endSending()
                        return client.rest().text
                    }
                    #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"), "\(answer.prefix(40))")
                }
            }
        }
    }
}

extension String {
    func components(_ separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
