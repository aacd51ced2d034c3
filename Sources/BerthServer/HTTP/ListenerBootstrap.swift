// How both listeners accept: what their server channels have in common.

import Logging
import NIOCore
import NIOExtras
import NIOPosix

extension ServerBootstrap {
    /// A bootstrap that pauses when nothing more can be accepted, and that `quiescing` can end in order. A peer may close its half
    /// first and still be answered; four reads at a time keep one busy peer from holding a loop.
    static func listening(on group: any EventLoopGroup, quiescing: ServerQuiescingHelper, logger: Logger) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(logger))
                    try channel.pipeline.syncOperations.addHandler(quiescing.makeServerChannelHandler(channel: channel))
                }
            }
    }
}
