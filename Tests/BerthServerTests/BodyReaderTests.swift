// Answers that come before the body's end: they must arrive, and the connection must end.

import BerthModel
import Glibc
import HTTPTypes
import HummingbirdCore
import NIOCore
import Testing

@testable import BerthServer

extension Server {
    @Suite struct BodyReaderTests {
        private static let refusing: @Sendable (Int) -> HTTPChannelHandler.Responder = { limit in
            { request, writer, channel in
                let reader = BodyReader(request)
                guard let body = try await reader.collect(upTo: limit) else {
                    try await Reply(.contentTooLarge, fields: [.connection: "close"]).write(to: writer)
                    return try await reader.endConnection(on: channel)
                }
                try await Reply(.ok, body: ByteBuffer(string: "\(body.count)")).write(to: writer)
            }
        }

        @Test func aGreatBodyIsRefusedAndTheAnswerArrives() async throws {
            // Would break: the sender sees a reset instead of 413, and sends it all again.
            let answers = try await listening(ConnectionLimits(), Self.refusing(1000)) { port in
                try await blocking {
                    let known = try Client(port)
                    known.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n" + String(repeating: "x", count: 8_000_000))
                    let chunked = try Client(port)
                    chunked.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                    for _ in 0..<100 where !chunked.send("10000\r\n" + String(repeating: "x", count: 65_536) + "\r\n") { break }
                    return [known.rest().text, chunked.rest().text]
                }
            }
            for answer in answers { #expect(answer.hasPrefix("HTTP/1.1 413"), "\(answer.prefix(40))") }
        }

        @Test func theAnswerComesBeforeTheBody() async throws {
            // Would break: 413 only after 25 MiB were taken.
            let (answer, seconds) = try await listening(ConnectionLimits(), Self.refusing(1000)) { port in
                try await blocking {
                    let client = try Client(port)
                    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n")
                    var space = [UInt8](repeating: 0, count: 12)
                    let began = ContinuousClock.now
                    _ = recvAll(client.descriptor, &space)
                    return (String(decoding: space, as: UTF8.self), (ContinuousClock.now - began) / .seconds(1))
                }
            }
            #expect(answer == "HTTP/1.1 413")
            #expect(seconds < 1)
        }

        @Test func exactlyTheLimitIsTaken() async throws {
            // Would break: an off-by-one.
            let answers = try await listening(ConnectionLimits(), Self.refusing(1000)) { port in
                try await blocking {
                    try [1000, 1001].map { size in
                        let client = try Client(port)
                        client.send(
                            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: \(size)\r\n\r\n"
                                + String(repeating: "x", count: size))
                        return client.rest().text
                    }
                }
            }
            #expect(answers[0].hasPrefix("HTTP/1.1 200") && answers[0].hasSuffix("1000"))
            #expect(answers[1].hasPrefix("HTTP/1.1 413"))
        }
    }
}
