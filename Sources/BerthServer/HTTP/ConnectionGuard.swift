// Closes connections that take too long: over a head, over a body, by saying nothing, or by not reading their answer.
// Hummingbird has no such limit by default, and its idle timeout does not see a body that drips.

import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Watches one connection on its event loop.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// A body in transit.
    private struct Arrival {
        let since = NIODeadline.now()
        var bytes = 0
    }

    private let limits: ConnectionLimits
    /// nil between requests.
    private var arrival: Arrival?
    /// Requests whose answer has not been written whole; more than one when the peer pipelines.
    private var answersDue = 0
    private var deadline = NIODeadline.distantFuture
    /// Since when the peer takes no more of an answer.
    private var stalledSince: NIODeadline?
    private var timer: Scheduled<Void>?

    init(_ limits: ConnectionLimits) { self.limits = limits }

    func handlerAdded(context: ChannelHandlerContext) {
        deadline = .now() + .seconds(Int64(limits.headSeconds))
        schedule(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            arrival = Arrival()
            answersDue += 1
            deadline = .now() + .seconds(Int64(limits.requestSeconds))
        case .body(let buffer): arrival?.bytes += buffer.readableBytes
        case .end:
            arrival = nil
            rest()
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) {
            answersDue = max(0, answersDue - 1)
            rest()
        }
        context.write(data, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        stalledSince = context.channel.isWritable ? nil : .now()
        context.fireChannelWritabilityChanged()
    }

    /// What is waited for when no body is: our own answer without end, or the next head.
    private func rest() {
        guard arrival == nil else { return }
        deadline = answersDue > 0 ? .distantFuture : .now() + .seconds(Int64(limits.headSeconds))
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
        if let arrival, now - arrival.since > .seconds(5) {
            let seconds = (now - arrival.since).nanoseconds / 1_000_000_000
            isLate = isLate || arrival.bytes < Int(seconds) * limits.bodyBytesPerSecondMin
        }
        if let stalledSince, now - stalledSince > .seconds(Int64(limits.stallSeconds)) { isLate = true }
        guard isLate else { return schedule(context) }
        if arrival != nil, answersDue == 1 {
            let fields: HTTPFields = [.connection: "close", .contentLength: "0"]
            context.write(wrapOutboundOut(.head(HTTPResponse(status: .requestTimeout, headerFields: fields))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
        context.close(promise: nil)
    }
}
