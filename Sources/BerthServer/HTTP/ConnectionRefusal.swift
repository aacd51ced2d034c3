// What is told of a connection, or a feed, that a limit refused: to the metrics each time, to the log now and then, to the caller where
// it can be.

import BerthModel
public import Logging
import NIOCore
import Synchronization

/// A connection, or a feed, that there was no place for.
public struct ConnectionRefusal: Sendable {
    /// Which limit it was.
    public enum Limit: String, Sendable {
        /// Connections of one address or one local user.
        case share
        /// Connections in all.
        case all
        /// Feeds of one local user.
        case feeds
    }
    /// Which limit it was.
    public let limit: Limit
    /// How many it allows.
    public let most: Int
    /// Who came: an address, or `uid N`.
    public let from: String
}

/// Warns of refusals, once in ten seconds at most: who fills a listener must not fill the log as well.
final class RefusalLog: Sendable {
    private struct State {
        var last: NIODeadline?
        var since = 0
    }
    private let state = Mutex(State())
    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    /// `hint` names the setting or what to do.
    func tell(_ refusal: ConnectionRefusal, _ what: String, hint: String) {
        let count = state.withLock { state -> Int? in
            state.since += 1
            let now = NIODeadline.now()
            if let last = state.last, now - last < .seconds(10) { return nil }
            state.last = now
            defer { state.since = 0 }
            return state.since
        }
        guard let count else { return }
        logger.warning(
            "\(what)",
            metadata: [
                "from": "\(refusal.from)", "limit": "\(refusal.limit.rawValue)", "most": "\(refusal.most)",
                "refused_since_last_told": "\(count)", "hint": "\(hint)",
            ])
    }
}

/// Tells a local caller why, before its connection is closed: "reset by peer" would look like a daemon that died.
final class RefusalAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let text: String

    private init(_ refusal: ConnectionRefusal) {
        let problem = Reply.problem(Self.error(refusal))
        let body = problem.body.map { String(buffer: $0) } ?? ""
        text =
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: \(body.utf8.count)\r\n"
            + "Retry-After: 1\r\nConnection: close\r\n\r\n\(body)"
    }

    static func add(for refusal: ConnectionRefusal, to channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(RefusalAnswer(refusal)) }
    }

    private static func error(_ refusal: ConnectionRefusal) -> BerthError {
        BerthError(
            .overloaded, "\(refusal.from) finds no place: \(refusal.most) connections are the most at once",
            hint: "end feeds and connections that nobody reads: ss -xp | grep berth; unfinished requests end within ten seconds",
            isRetryable: true, retryAfter: .seconds(1))
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        channel.writeAndFlush(ByteBuffer(string: text)).whenComplete { _ in channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}
