// Server-sent events: items as they come, a comment every fifteen seconds so that a dead peer is noticed. A peer that does
// not read is ended by the connection's guard; it comes back with its last id.

import BerthControlAPI
import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization

/// Tells open feeds that the daemon stops.
final class FeedShutdown: Sendable {
    private struct State {
        var next = 0
        var open: [Int: @Sendable () -> Void] = [:]
        var hasBegun = false
    }
    private let state = Mutex(State())

    /// Calls `end` when the shutdown begins, or now if it has.
    func add(_ end: @escaping @Sendable () -> Void) -> Int {
        let (id, hasBegun) = state.withLock { state in
            state.next += 1
            state.open[state.next] = end
            return (state.next, state.hasBegun)
        }
        if hasBegun { end() }
        return id
    }

    func remove(_ id: Int) { state.withLock { _ = $0.open.removeValue(forKey: id) } }

    func begin() {
        let open = state.withLock { state in
            state.hasBegun = true
            return Array(state.open.values)
        }
        for end in open { end() }
    }
}

enum FeedWriter {
    private enum Part: Sendable {
        case items([FeedItem])
        case beat
        case end
    }

    /// Writes until the items end or the peer goes. A slow peer slows only its own reading: the next batch is asked for
    /// when the one before is written, so that at most one waits in memory and none is left out.
    static func write(
        _ items: AsyncThrowingStream<[FeedItem], any Error>, to writer: consuming ResponseWriter, until shutdown: FeedShutdown
    ) async throws {
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
        let registration = shutdown.add { continuation.yield(.end) }
        defer {
            shutdown.remove(registration)
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
