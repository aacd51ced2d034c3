// The control API on its Unix socket: finds the route and its permission in the table, reads the body strictly, and
// translates to the operations.

public import BerthControlAPI
public import BerthModel
import HTTPTypes
import HummingbirdCore
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// Serves the control API.
public struct ControlServer: Service {
    /// Settings.
    public struct Configuration: Sendable {
        /// Path of the socket.
        public var socket: String
        /// Its mode.
        public var mode: UInt32
        /// Its group.
        public var group: String
        /// What members of the group may do.
        public var groupRole: Route.Permission
        /// An inherited listening socket instead.
        public var descriptor: Int32?
        /// Of berthd.
        public var version: String
        /// How long a peer may take nothing of an answer that waits for it.
        public var stallSeconds: Int
        /// Settings.
        public init(
            socket: String, mode: UInt32, group: String, groupRole: Route.Permission, descriptor: Int32?, version: String,
            stallSeconds: Int = 30
        ) {
            self.socket = socket
            self.mode = mode
            self.group = group
            self.groupRole = groupRole
            self.descriptor = descriptor
            self.version = version
            self.stallSeconds = stallSeconds
        }
    }

    private let configuration: Configuration
    private let operations: any ControlOperations
    private let identity: CallerIdentity
    private let logger: Logger
    private let onBound: @Sendable () async -> Void
    private let bodyBytesMax = 64 << 10
    private let shutdown = FeedShutdown()
    private let feeds: FeedPlaces
    private let onRefused: @Sendable (ConnectionRefusal) -> Void

    /// A server; `onRefused` is told of each connection and feed that a limit refused.
    public init(
        configuration: Configuration, operations: any ControlOperations, logger: Logger, onBound: @escaping @Sendable () async -> Void,
        onRefused: @escaping @Sendable (ConnectionRefusal) -> Void
    ) {
        self.configuration = configuration
        self.operations = operations
        self.logger = logger
        self.onBound = onBound
        let refusals = RefusalLog(logger)
        self.onRefused = { refusal in
            onRefused(refusal)
            refusals.tell(
                refusal, "the control socket refuses a \(refusal.limit == .feeds ? "feed" : "connection")",
                hint: "end those that nobody reads: ss -xp shows whose they are")
        }
        feeds = FeedPlaces(self.onRefused)
        identity = CallerIdentity(group: configuration.group, groupRole: configuration.groupRole)
    }

    /// Throws what the socket's path alone shows to be wrong; touches nothing.
    public static func check(socket path: String) throws(BerthError) { try ControlSocket.check(path) }

    /// Binds and serves until graceful shutdown; takes the socket's name away at the end.
    public func run() async throws {
        var limits = ConnectionLimits()
        limits.connectionsPerAddressMax = nil
        limits.connectionsMax = 256
        limits.connectionsPerUserMax = 96
        limits.stallSeconds = configuration.stallSeconds
        let listener = HTTPListener(limits: limits, responder: { try await respond($0, $1, $2) }, logger: logger, onRefused: onRefused)
        if let descriptor = configuration.descriptor { return try await serve(listener, descriptor) }
        let logger = logger
        let socket = try ControlSocket(path: configuration.socket, mode: configuration.mode, group: configuration.group) {
            logger.warning("\($0)")
        }
        defer { socket.unlinkName() }
        try await serve(listener, socket.descriptor)
    }

    /// Feeds have no end of their own: they would keep a shutdown waiting for its whole patience.
    private func serve(_ listener: HTTPListener, _ descriptor: Int32) async throws {
        let shutdown = shutdown
        try await withGracefulShutdownHandler {
            try await listener.run(.descriptor(descriptor), on: MultiThreadedEventLoopGroup.singleton) { _ in await onBound() }
        } onGracefulShutdown: {
            shutdown.begin()
        }
    }

    /// What a request leads to.
    private enum Outcome {
        case reply(Reply)
        case feed(AsyncThrowingStream<[FeedItem], any Error>, of: UInt32)
    }

    @Sendable
    private func respond(_ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
        let outcome: Outcome
        let reader = BodyReader(request)
        var closes = false
        do {
            outcome = try await perform(request, reader, channel)
        } catch let error as BerthError {
            var reply = Reply.problem(error)
            closes = error.code == .tooLarge && reader.isExpected
            if closes { reply.fields[.connection] = "close" }
            outcome = .reply(reply)
        }
        switch outcome {
        case .reply(let reply): try await reply.write(to: writer, isHead: request.method == .head)
        case .feed(let items, let uid):
            defer { feeds.giveBack(of: uid) }
            try await FeedWriter.write(items, to: writer, until: shutdown)
        }
        if closes { try await reader.endConnection(on: channel) }
    }

    private func perform(_ request: Request, _ reader: BodyReader, _ channel: any Channel) async throws -> Outcome {
        guard request.headers[.origin] == nil, request.headers[.referer] == nil else {
            throw BerthError(.forbidden, "browsers are not served here", hint: "call without Origin and Referer headers")
        }
        let parts = (request.head.path ?? "/").split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let match = Route.match(request.method.rawValue, String(parts[0]))
        guard let route = match.route else { return .reply(noRoute(match.methods, String(parts[0]))) }
        let caller = try await identity.caller(on: channel)
        guard let role = caller.role, role >= route.permission else {
            throw BerthError(
                .forbidden, "uid \(caller.uid) may not \(route.operation.rawValue): it needs '\(route.permission)'",
                hint: "become root or the daemon's user, or join group '\(configuration.group)'")
        }
        let query = try route.query(from: parts.count > 1 ? parts[1] : "")
        if route.operation == .feed {
            let text = Self.lastEventID.flatMap { request.headers[$0] }
            let lastID = text.flatMap { Int64($0) }
            if let text, lastID == nil || lastID ?? 0 < 0 {
                throw BerthError(
                    .invalid, "Last-Event-ID: '\(text.prefix(40))' is no id of the feed", hint: "leave it out to begin with what comes now")
            }
            try feeds.take(for: caller.uid)
            do {
                let dispatch = ControlDispatch(operations: operations, version: configuration.version)
                return .feed(try await dispatch.feed(after: lastID, query, caller), of: caller.uid)
            } catch {
                feeds.giveBack(of: caller.uid)
                throw error
            }
        }
        guard let body = try await reader.collect(upTo: bodyBytesMax) else {
            throw BerthError(.tooLarge, "the body has more than \(bodyBytesMax) bytes", hint: "send it in smaller parts")
        }
        let call = ControlCall(route: route, parameters: match.parameters, query: query, body: body, caller: caller)
        return .reply(try await ControlDispatch(operations: operations, version: configuration.version).perform(call))
    }

    private static let lastEventID = HTTPField.Name("last-event-id")

    private func noRoute(_ methods: [String], _ path: String) -> Reply {
        guard !methods.isEmpty else {
            return .problem(BerthError(.notFound, "there is no route \(path)", hint: "GET /v1/openapi.json lists all routes"))
        }
        var reply = Reply.problem(
            BerthError("method_not_allowed", "\(path) takes \(methods.joined(separator: ", "))"), status: .methodNotAllowed)
        reply.fields[.allow] = methods.joined(separator: ", ")
        return reply
    }
}
