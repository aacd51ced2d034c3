// A listening socket whose connections speak HTTP/1.1 through Hummingbird's channel, with the limits that Hummingbird
// leaves open: connections at once, at once per address, and time for head, body and silence.

import BerthModel
import HummingbirdCore
import Logging
import NIOCore
import NIOExtras
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Limits of connections.
public struct ConnectionLimits: Sendable {
    /// Connections at once.
    public var connectionsMax = 1024
    /// Connections at once from one address; nil: no such limit (Unix sockets).
    public var connectionsPerAddressMax: Int? = 64
    /// From connecting, or the end of the last answer, to a whole head.
    public var headSeconds = 10
    /// From head to the end of the body.
    public var requestSeconds = 30
    /// Least rate of a body after five seconds.
    public var bodyBytesPerSecondMin = 1024
    /// How long a peer may take nothing of an answer that waits for it.
    public var stallSeconds = 30
    /// All fields of one head.
    public var headerListBytesMax = 16 << 10
    /// One field.
    public var headerFieldBytesMax = 8 << 10
    /// Fields of one head.
    public var headerCountMax = 100
    /// Bodies that may be in memory at once, over all connections: received in part, or waiting for their commit.
    public var bodyBytesInFlightMax = 256 << 20
    /// Defaults of docs/limits.
    public init() {}
}

/// Accepts connections and serves each in a task of its own.
struct HTTPListener: Sendable {
    enum Address: Sendable {
        case host(String, port: Int)
        /// A bound, listening descriptor; the listener owns it.
        case descriptor(CInt)
    }

    let limits: ConnectionLimits
    let responder: HTTPChannelHandler.Responder
    let logger: Logger

    /// Binds, tells `onBound` the local address, and serves until graceful shutdown; connections in use may then finish
    /// their request for five seconds.
    func run(_ address: Address, on group: any EventLoopGroup, onBound: @Sendable (SocketAddress?) async -> Void) async throws {
        let limits = limits
        let census = ConnectionCensus(limits)
        let child = HTTP1Channel(
            responder: responder,
            configuration: .init(
                additionalChannelHandlers: [ConnectionGuard(limits)],
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: limits.headerFieldBytesMax, maxHeaderListSize: limits.headerListBytesMax,
                    maxHeaderFieldCount: limits.headerCountMax)))
        let quiescing = ServerQuiescingHelper(group: group)
        let logger = logger
        let bootstrap = ServerBootstrap(group: group)
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
        let setUp: @Sendable (any Channel) -> EventLoopFuture<HTTP1Channel.Value?> = { channel in
            guard census.admit(channel) else { return channel.close().map { nil } }
            return child.setup(channel: channel, logger: logger).map { $0 }
        }
        let server: NIOAsyncChannel<HTTP1Channel.Value?, Never>
        switch address {
        case .host(let host, let port): server = try await bootstrap.bind(host: host, port: port, childChannelInitializer: setUp)
        case .descriptor(let descriptor): server = try await bootstrap.bind(descriptor, childChannelInitializer: setUp)
        }
        await onBound(server.channel.localAddress)
        try await withGracefulShutdownHandler {
            try await withThrowingDiscardingTaskGroup { tasks in
                try await server.executeThenClose { inbound in
                    for try await connection in inbound {
                        guard let connection else { continue }
                        tasks.addTask { await child.handle(value: connection, logger: logger) }
                    }
                }
                tasks.cancelAll()
            }
        } onGracefulShutdown: {
            let promise = server.channel.eventLoop.makePromise(of: Void.self)
            quiescing.initiateShutdown(promise: promise)
            server.channel.eventLoop.scheduleTask(in: .seconds(5)) { server.channel.close(promise: nil) }
        }
    }
}

/// Counts connections, in all and by address.
final class ConnectionCensus: Sendable {
    private struct State {
        var total = 0
        var byAddress: [String: Int] = [:]
    }
    private let state = Mutex(State())
    private let limits: ConnectionLimits

    init(_ limits: ConnectionLimits) { self.limits = limits }

    /// Counts the connection in, and out when it closes; false when a limit is reached.
    func admit(_ channel: any Channel) -> Bool {
        let address = limits.connectionsPerAddressMax == nil ? nil : channel.remoteAddress?.ipAddress
        let isAdmitted = state.withLock { state in
            guard state.total < limits.connectionsMax else { return false }
            if let address, let most = limits.connectionsPerAddressMax {
                guard state.byAddress[address, default: 0] < most else { return false }
                state.byAddress[address, default: 0] += 1
            }
            state.total += 1
            return true
        }
        if isAdmitted {
            channel.closeFuture.whenComplete { [self] _ in
                state.withLock { state in
                    state.total -= 1
                    guard let address else { return }
                    let left = (state.byAddress[address] ?? 1) - 1
                    state.byAddress[address] = left > 0 ? left : nil
                }
            }
        }
        return isAdmitted
    }
}
