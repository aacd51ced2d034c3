// Closes connections that take too long: over a head, over a body, or by saying nothing. Hummingbird has no such limit
// by default, and its idle timeout does not see a body that drips.

import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Watches one connection on its event loop.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum Phase {
        /// Waits for a head.
        case head
        /// Receives a body.
        case body(since: NIODeadline, bytes: Int)
        /// The request is whole, the answer is being made.
        case answer
    }

    private let limits: ConnectionLimits
    private var phase = Phase.head
    private var deadline = NIODeadline.distantFuture
    private var timer: Scheduled<Void>?
    private var hasAnswered = false

    init(_ limits: ConnectionLimits) { self.limits = limits }

    func handlerAdded(context: ChannelHandlerContext) {
        deadline = .now() + .seconds(Int64(limits.headSeconds))
        schedule(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            phase = .body(since: .now(), bytes: 0)
            hasAnswered = false
            deadline = .now() + .seconds(Int64(limits.requestSeconds))
        case .body(let buffer):
            if case .body(let since, let bytes) = phase { phase = .body(since: since, bytes: bytes + buffer.readableBytes) }
        case .end:
            phase = hasAnswered ? .head : .answer
            deadline = hasAnswered ? .now() + .seconds(Int64(limits.headSeconds)) : .distantFuture
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) {
            hasAnswered = true
            if case .answer = phase {
                phase = .head
                deadline = .now() + .seconds(Int64(limits.headSeconds))
            }
        }
        context.write(data, promise: promise)
    }

    /// One timer per connection that looks once a second: cheaper than one per request.
    private func schedule(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: .seconds(1)) {
            let (guardian, context) = bound.value
            guardian.look(context)
        }
    }

    private func look(_ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        let now = NIODeadline.now()
        var isLate = now > deadline
        if case .body(let since, let bytes) = phase, now - since > .seconds(5) {
            let seconds = (now - since).nanoseconds / 1_000_000_000
            isLate = isLate || bytes < Int(seconds) * limits.bodyBytesPerSecondMin
        }
        guard isLate else { return schedule(context) }
        if case .body = phase, !hasAnswered {
            let fields: HTTPFields = [.connection: "close", .contentLength: "0"]
            context.write(wrapOutboundOut(.head(HTTPResponse(status: .requestTimeout, headerFields: fields))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
        context.close(promise: nil)
    }
}
