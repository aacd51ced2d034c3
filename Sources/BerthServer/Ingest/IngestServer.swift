// The public listener: webhook paths, the way back from a consent page and two health
// paths, nothing else. It makes no promise of its own: a 2xx for a
// delivery exists only where the receiver gave a receipt.

import BerthModel
public import BerthSeams
public import Logging
import NIOCore
import NIOExtras
import NIOHTTP1
import NIOPosix
public import ServiceLifecycle

/// Serves `/webhooks/...`, `/oauth/callback`, `/healthz`, `/readyz`.
public struct IngestServer: Service {
    /// Settings.
    public struct Configuration: Sendable {
        /// Host to bind.
        public var host: String
        /// Port; 0 picks a free one.
        public var port: Int
        /// An inherited listening socket instead.
        public var descriptor: Int32?
        /// Largest body.
        public var bodyBytesMax: Int
        /// Limits of connections.
        public var limits = ConnectionLimits()
        /// Settings.
        public init(host: String, port: Int, descriptor: Int32? = nil, bodyBytesMax: Int) {
            self.host = host
            self.port = port
            self.descriptor = descriptor
            self.bodyBytesMax = bodyBytesMax
        }
    }

    /// Whether the daemon is ready, part by part.
    public typealias Readiness = @Sendable () async -> (isReady: Bool, parts: [String: String])

    /// Takes what a browser brings back from a provider's consent page; answers a status and a line of text.
    public typealias ConsentReturn = @Sendable ([(name: String, value: String)]) async -> (status: Int, text: String)

    private let configuration: Configuration
    private let receiver: any WebhookReceiver
    private let readiness: Readiness
    private let consent: ConsentReturn
    private let clock: any WallClock
    private let logger: Logger
    private let onBound: @Sendable (String) async -> Void
    private let onRefused: @Sendable (ConnectionRefusal) -> Void

    /// A server; `onBound` is told `host:port` once it listens, `onRefused` of each connection that a limit refused.
    public init(
        configuration: Configuration, receiver: any WebhookReceiver, readiness: @escaping Readiness,
        consent: @escaping ConsentReturn, clock: any WallClock, logger: Logger, onBound: @escaping @Sendable (String) async -> Void,
        onRefused: @escaping @Sendable (ConnectionRefusal) -> Void
    ) {
        self.configuration = configuration
        self.receiver = receiver
        self.readiness = readiness
        self.consent = consent
        self.clock = clock
        self.logger = logger
        self.onBound = onBound
        self.onRefused = onRefused
    }

    /// Serves until graceful shutdown; requests in hand then have five seconds to be answered.
    public func run() async throws {
        let shared = IngestShared(configuration, receiver, readiness, consent, clock)
        let limits = configuration.limits
        var decoding = NIOHTTPDecoderLimitConfiguration()
        decoding.maxHeaderFieldSize = limits.headerFieldBytesMax
        decoding.maxHeaderListSize = limits.headerListBytesMax
        decoding.maxHeaderFieldCount = limits.headerCountMax
        let decoderLimits = decoding
        let census = census(limits)
        let quiescing = ServerQuiescingHelper(group: group)
        let logger = logger
        let bootstrap = ServerBootstrap.listening(on: group, quiescing: quiescing, logger: logger)
            .childChannelInitializer { channel in
                census.admit(channel).flatMap { refusal in
                    // Closed without a word: who comes too often gets no work done for it.
                    guard refusal == nil else { return channel.close() }
                    return channel.eventLoop.makeCompletedFuture {
                        let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: decoderLimits)
                        try channel.pipeline.syncOperations.addHandlers([ByteToMessageHandler(decoder), IngestConnection(shared)])
                    }
                }
            }
        let server: any Channel
        do {
            server =
                switch configuration.descriptor {
                case let descriptor?: try await bootstrap.withBoundSocket(descriptor).get()
                case nil: try await bootstrap.bind(host: configuration.host, port: configuration.port).get()
                }
        } catch let error as IOError {
            throw BerthError(
                "listen_failed", "\(configuration.host):\(configuration.port) can't be listened on: \(error)",
                hint: "another process may use the port: ss -ltnp; or set [server] listen")
        }
        let local = server.localAddress
        let host = local?.ipAddress ?? configuration.host
        await onBound("\(host.contains(":") ? "[\(host)]" : host):\(local?.port ?? configuration.port)")
        try await withGracefulShutdownHandler {
            // Cancelled when another part of the daemon fails: then nothing more is answered.
            try await withTaskCancellationHandler {
                try await server.closeFuture.get()
            } onCancel: {
                server.close(promise: nil)
            }
        } onGracefulShutdown: {
            let promise = server.eventLoop.makePromise(of: Void.self)
            quiescing.initiateShutdown(promise: promise)
            server.eventLoop.scheduleTask(in: .seconds(5)) { server.close(promise: nil) }
        }
    }

    private func census(_ limits: ConnectionLimits) -> ConnectionCensus {
        let refusals = RefusalLog(logger)
        return ConnectionCensus(limits) { [onRefused] refusal in
            onRefused(refusal)
            let setting = refusal.limit == .all ? "max_connections" : "max_connections_per_address"
            refusals.tell(
                refusal, "connections to the public listener are refused",
                hint: "[server] \(setting) allows \(refusal.most); behind a proxy all come from its address")
        }
    }

    private var group: any EventLoopGroup { MultiThreadedEventLoopGroup.singleton }
}
