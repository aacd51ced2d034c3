// One HTTP/1.1 connection from the client's side: a request goes down, its answer fulfils the request's promise. No pipelining.

import NIOCore
import NIOHTTP1

/// A request with the promise of its answer.
struct ClientRequest: Sendable {
    var head: HTTPRequestHead
    var body: ByteBuffer
    var answer: EventLoopPromise<ClientAnswer>
}

/// What matters of an answer.
struct ClientAnswer: Sendable {
    var status: Int
    /// Seconds, when the receiver named them.
    var retryAfterSeconds: Double?
    /// Whether the connection takes another request.
    var isKeptAlive: Bool
}

/// Turns requests into HTTP parts and parts into answers.
final class ClientExchange: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = ClientRequest
    typealias OutboundOut = HTTPClientRequestPart

    private var waiting: EventLoopPromise<ClientAnswer>?
    private var answer: ClientAnswer?

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let request = unwrapOutboundIn(data)
        waiting = request.answer
        context.write(wrapOutboundOut(.head(request.head)), promise: nil)
        if request.body.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(request.body))), promise: nil) }
        context.write(wrapOutboundOut(.end(nil)), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            answer = ClientAnswer(
                status: Int(head.status.code), retryAfterSeconds: head.headers.first(name: "retry-after").flatMap(Double.init),
                isKeptAlive: head.isKeepAlive)
        case .body: break
        case .end:
            if let answer, answer.status >= 200 {
                waiting?.succeed(answer)
                waiting = nil
            }
            answer = nil
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        waiting?.fail(error)
        waiting = nil
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        waiting?.fail(ChannelError.eof)
        waiting = nil
        context.fireChannelInactive()
    }
}
