// What a listener does when a connection can't be accepted, mostly because the process has no descriptor left: it waits a
// little and tries again. Without this the error ends the listener; NIO's AcceptBackoffHandler keeps it, but leaves the
// descriptor registered, so that the loop spins on a core.

import Logging
import NIOCore

/// Sits in the server channel's pipeline.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let logger: Logger
    private var isPaused = false
    private var lastWarning: NIODeadline?

    init(_ logger: Logger) { self.logger = logger }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError else { return context.fireErrorCaught(error) }
        guard !isPaused else { return }
        isPaused = true
        let now = NIODeadline.now()
        if lastWarning.map({ now - $0 > .seconds(10) }) ?? true {
            lastWarning = now
            logger.warning(
                "connections can't be accepted for now, trying again",
                metadata: ["error": "\(error)", "hint": "raise LimitNOFILE of the unit, or lower [server] max_connections"])
        }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.channel.setOption(.autoRead, value: false).assumeIsolated().whenComplete { _ in
            context.eventLoop.scheduleTask(in: .milliseconds(200)) {
                let (pause, context) = bound.value
                pause.isPaused = false
                // A channel that closed meanwhile has nothing more to accept.
                context.channel.setOption(.autoRead, value: true).whenFailure { _ in }
            }
        }
    }
}
