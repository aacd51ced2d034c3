// Server-sent events: items as they come, a comment every fifteen seconds so that a dead peer is noticed. A peer that does
// not read is ended by the connection's guard; it comes back with its last id.

import BerthControlAPI
import HTTPTypes
import HummingbirdCore
import NIOCore

enum FeedWriter {
    private enum Part: Sendable {
        case items([FeedItem])
        case beat
        case end
    }

    /// Writes until the items end or the peer goes. A slow peer slows only its own reading: the next batch is asked for
    /// when the one before is written, so that at most one waits in memory and none is left out.
    static func write(_ items: AsyncThrowingStream<[FeedItem], any Error>, to writer: consuming ResponseWriter) async throws {
        let head = HTTPResponse(status: .ok, headerFields: [.contentType: "text/event-stream", .cacheControl: "no-store"])
        var body = try await writer.writeHead(head)
        try await body.write(ByteBuffer(string: ": berth\n\n"))
        let (parts, continuation) = AsyncStream<Part>.makeStream()
        let (written, allowance) = AsyncStream<Void>.makeStream()
        let producer = Task {
            var written = written.makeAsyncIterator()
            do {
                for try await batch in items {
                    continuation.yield(.items(batch))
                    guard await written.next() != nil else { return }
                }
            } catch {
                // The feed broke: the peer reconnects with its last id.
            }
            continuation.yield(.end)
        }
        let heart = Task {
            while !Task.isCancelled {
                do { try await Task.sleep(for: .seconds(15)) } catch { return }
                continuation.yield(.beat)
            }
        }
        defer {
            producer.cancel()
            heart.cancel()
            continuation.finish()
            allowance.finish()
        }
        for await part in parts {
            switch part {
            case .items(let batch):
                try await body.write(encode(batch))
                allowance.yield()
            case .beat: try await body.write(ByteBuffer(string: ": \n\n"))
            case .end:
                try await body.finish(nil)
                return
            }
        }
    }

    /// An item without data only tells where the feed stands: the peer keeps the id and sees no event.
    private static func encode(_ items: [FeedItem]) -> ByteBuffer {
        var buffer = ByteBuffer()
        for item in items {
            buffer.writeString(item.data.isEmpty ? "id: \(item.id)\n\n" : "id: \(item.id)\nevent: \(item.topic)\ndata: \(item.data)\n\n")
        }
        return buffer
    }
}
