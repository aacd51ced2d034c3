// A listening socket whose connections speak HTTP/1.1 through Hummingbird's channel, with the limits that Hummingbird
// leaves open: connections at once, at once per address or user, and time for head, body and silence.

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
    /// Connections at once of one local user; nil: no such limit (public listeners).
    public var connectionsPerUserMax: Int?
    /// From connecting, or the end of the last answer, to a whole head.
    public var headSeconds = 10
    /// From head to the end of the body.
    public var requestSeconds = 30
    /// From the end of a delivery to its answer; after that it is 503. Looked at once a second, so that it is a second more at most.
    public var answerSeconds = 4
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
    /// Told of each connection that a limit refused.
    var onRefused: ConnectionCensus.Refused = { _ in }
    /// How long connections in use may go on after a graceful shutdown has begun.
    var patience = TimeAmount.seconds(5)

    /// Binds, tells `onBound` the local address, and serves until graceful shutdown; connections in use may then finish
    /// their request for `patience`.
    func run(_ address: Address, on group: any EventLoopGroup, onBound: @Sendable (SocketAddress?) async -> Void) async throws {
        let limits = limits
        let census = ConnectionCensus(limits, onRefused)
        let child = HTTP1Channel(
            responder: responder,
            configuration: .init(
                additionalChannelHandlers: [ConnectionGuard(limits)],
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: limits.headerFieldBytesMax, maxHeaderListSize: limits.headerListBytesMax,
                    maxHeaderFieldCount: limits.headerCountMax)))
        let quiescing = ServerQuiescingHelper(group: group)
        let logger = logger
        let bootstrap = ServerBootstrap.listening(on: group, quiescing: quiescing, logger: logger)
        // Each connection gets its task where it is set up. Handed over through a stream instead, one that comes while the stream
        // ends would be dropped unserved, and NIO traps on that.
        let tasks = ConnectionTasks()
        let setUp: @Sendable (any Channel) -> EventLoopFuture<Void> = { channel in
            census.admit(channel).flatMap { refusal in
                if let refusal { return RefusalAnswer.add(for: refusal, to: channel) }
                return child.setup(channel: channel, logger: logger).flatMapThrowing { connection in
                    let isActive = channel.eventLoop.makePromise(of: Void.self)
                    try channel.pipeline.syncOperations.addHandler(ActivityNotice(isActive), position: .first)
                    tasks.add {
                        // A cancelled task closes its channel's input, which NIO bears only of a channel that is registered.
                        _ = try? await isActive.futureResult.get()  // never fails
                        await child.handle(value: connection, logger: logger)
                    }
                }
            }
        }
        let ready = bootstrap.childChannelInitializer(setUp)
        let server: any Channel
        switch address {
        case .host(let host, let port): server = try await ready.bind(host: host, port: port).get()
        case .descriptor(let descriptor): server = try await ready.withBoundSocket(descriptor).get()
        }
        await onBound(server.localAddress)
        let patience = patience
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await server.closeFuture.get()
                await tasks.end()
            } onGracefulShutdown: {
                quiescing.initiateShutdown(promise: nil)
                server.eventLoop.scheduleTask(in: patience) { tasks.cancel() }
            }
        } onCancel: {
            server.close(promise: nil)
            tasks.cancel()
        }
    }
}

/// Tells when a channel is registered, or gone without ever having been.
private final class ActivityNotice: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let promise: EventLoopPromise<Void>

    init(_ promise: EventLoopPromise<Void>) { self.promise = promise }

    func channelActive(context: ChannelHandlerContext) {
        promise.succeed()
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { promise.succeed() }
}

/// The tasks that serve connections.
final class ConnectionTasks: Sendable {
    private struct State {
        var next = 0
        var running: [Int: Task<Void, Never>] = [:]
        var isCancelled = false
    }
    private let state = Mutex(State())

    /// Runs `body` in a task of its own; after `cancel`, a cancelled one.
    func add(_ body: @escaping @Sendable () async -> Void) {
        state.withLock { state in
            state.next += 1
            let id = state.next
            let task = Task { [self] in
                await body()
                self.state.withLock { _ = $0.running.removeValue(forKey: id) }
            }
            if state.isCancelled { task.cancel() }
            state.running[id] = task
        }
    }

    /// Cancels all, now and later.
    func cancel() {
        let running = state.withLock { state in
            state.isCancelled = true
            return Array(state.running.values)
        }
        for task in running { task.cancel() }
    }

    /// Returns when none is left.
    func end() async {
        while let task = state.withLock({ $0.running.values.first }) { await task.value }
    }
}
