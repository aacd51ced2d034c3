// A request's body, read once and within a limit. Hummingbird lets a body be iterated only once, so what reads it and
// what takes the unwanted rest share one reader.

import HTTPTypes
import HummingbirdCore
import NIOCore

/// Reads one request's body.
final class BodyReader {
    private let request: Request
    private var iterator: RequestBody.AsyncIterator?

    init(_ request: Request) { self.request = request }

    /// Whether the request announces a body.
    var isExpected: Bool { request.headers[.contentLength].map { $0 != "0" } ?? (request.headers[.transferEncoding] != nil) }

    /// The announced length; nil when there is none.
    var announced: Int? { request.headers[.contentLength].flatMap { Int($0) } }

    /// The whole body, or nil as soon as it is clear that it has more than `limit` bytes: by its announced length nothing is read.
    func collect(upTo limit: Int) async throws -> [UInt8]? {
        if let announced, announced > limit { return nil }
        var body: [UInt8] = []
        while let buffer = try await next() {
            guard body.count + buffer.readableBytes <= limit else { return nil }
            body.append(contentsOf: buffer.readableBytesView)
        }
        return body
    }

    /// Ends the connection after an answer that came before the body's end. Closing at once would make the kernel send a reset,
    /// which takes the answer away from a peer that is still sending: what it sends is taken for `seconds` and not kept.
    func endConnection(on channel: any Channel, seconds: Int64 = 2, bytesMax: Int = 32 << 20) async throws {
        let timer = channel.eventLoop.scheduleTask(in: .seconds(seconds)) { channel.close(promise: nil) }
        defer { timer.cancel() }
        var taken = 0
        while taken <= bytesMax, let buffer = try await next() { taken += buffer.readableBytes }
        throw CloseConnection()
    }

    private func next() async throws -> ByteBuffer? {
        var current = iterator ?? request.body.makeAsyncIterator()
        let buffer = try await current.next()
        iterator = current
        return buffer
    }
}

/// Ends a connection after its answer.
struct CloseConnection: Error {}
