// Sends webhooks over kept-alive connections. One try per call; retries are the sender's business.

import NIOCore
import NIOHTTP1
import NIOPosix

/// What became of one try.
enum SendResult: Sendable {
    /// The receiver answered.
    case answered(ClientAnswer)
    /// No connection came about: the receiver has nothing.
    case unreachable
    /// The connection broke or the time was up after the request may have arrived.
    case lost
}

/// A pool of connections by host and port.
actor WebhookClient {
    private var idle: [String: [any Channel]] = [:]
    private let timeout: TimeAmount

    /// - Parameter timeoutSeconds: for a whole exchange.
    init(timeoutSeconds: Int64 = 10) { timeout = .seconds(timeoutSeconds) }

    /// Sends one request and waits for the answer.
    func send(method: String, url: OutgoingURL, headers: [(name: String, value: String)], body: [UInt8]) async -> SendResult {
        let key = "\(url.host):\(url.port)"
        guard let channel = await connection(key, url) else { return .unreachable }
        var head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: method), uri: url.requestTarget)
        head.headers.add(name: "Host", value: url.port == 80 ? url.host : key)
        head.headers.add(name: "User-Agent", value: "berth-mock")
        for header in headers { head.headers.add(name: header.name, value: header.value) }
        if method != "GET" || !body.isEmpty { head.headers.add(name: "Content-Length", value: String(body.count)) }
        let promise = channel.eventLoop.makePromise(of: ClientAnswer.self)
        let deadline = channel.eventLoop.scheduleTask(in: timeout) {
            promise.fail(ChannelError.connectTimeout(.zero))
            channel.close(promise: nil)
        }
        channel.writeAndFlush(ClientRequest(head: head, body: ByteBuffer(bytes: body), answer: promise)).cascadeFailure(to: promise)
        do {
            let answer = try await promise.futureResult.get()
            deadline.cancel()
            if answer.isKeptAlive, channel.isActive { idle[key, default: []].append(channel) } else { channel.close(promise: nil) }
            return .answered(answer)
        } catch {
            deadline.cancel()
            channel.close(promise: nil)
            return .lost
        }
    }

    /// Closes what is idle.
    func close() {
        for channel in idle.values.joined() { channel.close(promise: nil) }
        idle = [:]
    }

    private func connection(_ key: String, _ url: OutgoingURL) async -> (any Channel)? {
        while let channel = idle[key]?.popLast() { if channel.isActive { return channel } }
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(3))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(ClientExchange())
                }
            }
        do {
            return try await bootstrap.connect(host: url.host, port: url.port).get()
        } catch {
            return nil
        }
    }
}
