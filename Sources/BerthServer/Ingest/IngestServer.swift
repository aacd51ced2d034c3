// The public listener: webhook paths and two health paths, nothing else. Reads a request within its limits, hands it to
// the receiver as it came, and writes what the receiver decided. It makes no promise of its own: a 2xx for a delivery
// exists only where the receiver gave a receipt.

public import BerthModel
public import BerthSeams
import HTTPTypes
import HummingbirdCore
public import Logging
import NIOCore
public import NIOPosix
public import ServiceLifecycle

/// Serves `/webhooks/...`, `/healthz`, `/readyz`.
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

    private let configuration: Configuration
    private let receiver: any WebhookReceiver
    private let readiness: Readiness
    private let clock: any WallClock
    private let logger: Logger
    private let onBound: @Sendable (String) async -> Void

    /// A server; `onBound` is told `host:port` once it listens.
    public init(
        configuration: Configuration, receiver: any WebhookReceiver, readiness: @escaping Readiness, clock: any WallClock, logger: Logger,
        onBound: @escaping @Sendable (String) async -> Void
    ) {
        self.configuration = configuration
        self.receiver = receiver
        self.readiness = readiness
        self.clock = clock
        self.logger = logger
        self.onBound = onBound
    }

    /// Serves until graceful shutdown.
    public func run() async throws {
        let listener = HTTPListener(
            limits: configuration.limits, responder: { try await respond($0, $1, $2) }, logger: logger)
        let address = configuration.descriptor.map { HTTPListener.Address.descriptor($0) } ?? .host(configuration.host, port: configuration.port)
        do {
            try await listener.run(address, on: MultiThreadedEventLoopGroup.singleton) { local in
                await onBound("\(local?.ipAddress ?? configuration.host):\(local?.port ?? configuration.port)")
            }
        } catch let error as IOError {
            throw BerthError(
                "listen_failed", "\(configuration.host):\(configuration.port) can't be listened on: \(error)",
                hint: "another process may use the port: ss -ltnp; or set [server] listen")
        }
    }

    @Sendable
    private func respond(_ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
        // The first Host went into the head; a second one is how requests are smuggled past a proxy.
        guard Self.host.flatMap({ request.headers[$0] }) == nil else {
            return try await refuse(Reply.problem(BerthError(.invalid, "the request has more than one Host field")), request, writer, channel)
        }
        let target = request.head.path ?? "/"
        let mark = target.utf8.firstIndex(of: UInt8(ascii: "?"))
        let path = mark.map { String(target[..<$0]) } ?? target
        if path.hasPrefix("/webhooks/") {
            let query = mark.map { String(target[target.utf8.index(after: $0)...]) } ?? ""
            return try await respond(toWebhook: request, path, query, writer, channel)
        }
        let isHead = request.method == .head
        switch path {
        case "/healthz": try await Reply(.ok, contentType: "text/plain", body: ByteBuffer(string: "ok\n")).write(to: writer, isHead: isHead)
        case "/readyz":
            let (isReady, parts) = await readiness()
            let body = JSONValue.object(["ready": .bool(isReady), "parts": .object(parts.mapValues { .string($0) })])
            try await Reply.json(isReady ? .ok : .serviceUnavailable, body).write(to: writer, isHead: isHead)
        default: try await refuse(Reply.problem(BerthError(.notFound, "nothing is served here")), request, writer, channel)
        }
    }

    private func respond(
        toWebhook request: Request, _ path: String, _ query: String, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        let parts = path.dropFirst(10).split(separator: "/", omittingEmptySubsequences: false)
        guard (1...3).contains(parts.count), !parts.contains("") else {
            return try await refuse(Reply.problem(BerthError(.notFound, "a webhook path is /webhooks/{provider}/{connection}[/{token}]")), request, writer, channel)
        }
        let reader = BodyReader(request)
        if let length = reader.announced, length > configuration.bodyBytesMax { return try await refuse(tooLarge(length), request, writer, channel, reader) }
        if request.headers[.expect]?.lowercased() == "100-continue" { try await writer.writeInformationalHead(HTTPResponse(status: .continue)) }
        guard let body = try await reader.collect(upTo: configuration.bodyBytesMax) else {
            return try await refuse(tooLarge(configuration.bodyBytesMax + 1), request, writer, channel, reader)
        }
        var headers: [(name: String, value: String)] = []
        headers.reserveCapacity(request.headers.count + 1)
        if let authority = request.head.authority { headers.append(("host", authority)) }
        for field in request.headers { headers.append((field.name.canonicalName, field.value)) }
        let delivery = RawDelivery(
            provider: String(parts[0]), connection: parts.count > 1 ? String(parts[1]) : nil,
            pathToken: parts.count > 2 ? String(parts[2]) : nil, method: request.method.rawValue, path: path, query: query, headers: headers,
            body: body, remoteAddress: channel.remoteAddress?.ipAddress ?? "", receivedAt: clock.now())
        try await Self.reply(await receiver.receive(delivery)).write(to: writer, isHead: request.method == .head)
    }

    private func tooLarge(_ size: Int) -> Reply {
        .problem(BerthError(.tooLarge, "the body has \(size) bytes or more, at most \(configuration.bodyBytesMax) are taken", hint: "the limit is [server] max_body_bytes"))
    }

    /// Answers before the rest of the request is read, and closes.
    private func refuse(
        _ reply: Reply, _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel, _ reader: BodyReader? = nil
    ) async throws {
        let reader = reader ?? BodyReader(request)
        var reply = reply
        if reader.isExpected { reply.fields[.connection] = "close" }
        try await reply.write(to: writer, isHead: request.method == .head)
        if reader.isExpected { try await reader.endConnection(on: channel) }
    }

    private static let host = HTTPField.Name("host")

    static func reply(_ answer: IntakeAnswer) -> Reply {
        switch answer {
        case .accepted(let receipt, let success):
            if let body = success.body {
                let content = body.isEmpty ? nil : ByteBuffer(string: body)
                return Reply(.init(code: success.status), contentType: content == nil ? nil : success.contentType, body: content)
            }
            var body = ByteBuffer()
            body.writeString("{\"id\":\"\(receipt.event)\",\"duplicate\":\(receipt.isDuplicate)}")
            return Reply(.init(code: success.status), contentType: "application/json", body: body)
        case .handshake(let status, let body, let contentType, let headers):
            var fields = HTTPFields()
            for (name, value) in headers { if let name = HTTPField.Name(name) { fields[name] = value } }
            return Reply(
                .init(code: status), contentType: contentType, body: body.isEmpty ? nil : ByteBuffer(string: body), fields: fields)
        case .refused(let status, let error): return Reply.problem(error, status: .init(code: status))
        case .overloaded(let seconds, let error):
            var reply = Reply.problem(error, status: .serviceUnavailable)
            reply.fields[.retryAfter] = String(seconds)
            return reply
        }
    }
}
