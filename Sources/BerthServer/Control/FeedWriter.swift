// Server-sent events: items as they come, a comment every fifteen seconds so that a dead peer is noticed.

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

    /// Writes until the items end or the peer goes. A slow peer slows only its own reading.
    static func write(_ items: AsyncThrowingStream<[FeedItem], any Error>, to writer: consuming ResponseWriter) async throws {
        let head = HTTPResponse(status: .ok, headerFields: [.contentType: "text/event-stream", .cacheControl: "no-store"])
        var body = try await writer.writeHead(head)
        try await body.write(ByteBuffer(string: ": berth\n\n"))
        // Both sources feed one stream with room for one part: the producer waits for the peer.
        let (parts, continuation) = AsyncStream<Part>.makeStream(bufferingPolicy: .bufferingOldest(64))
        let producer = Task {
            do {
                for try await batch in items { continuation.yield(.items(batch)) }
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
        }
        for await part in parts {
            switch part {
            case .items(let batch): try await body.write(encode(batch))
            case .beat: try await body.write(ByteBuffer(string: ": \n\n"))
            case .end:
                try await body.finish(nil)
                return
            }
        }
    }

    private static func encode(_ items: [FeedItem]) -> ByteBuffer {
        var buffer = ByteBuffer()
        for item in items { buffer.writeString("id: \(item.id)\nevent: \(item.topic)\ndata: \(item.data)\n\n") }
        return buffer
    }
}
