// One connection of the public listener: reads a request within its limits, hands it on, writes the answer. Everything
// happens on the connection's event loop; between a request and its answer no task is made and no thread is changed but
// for the writer's commit. Requests of one connection are answered one after the other, in order.

import BerthControlAPI
import BerthModel
import BerthSeams
import HTTPTypes
import NIOCore
import NIOHTTP1
import Synchronization

/// What the connections of one listener share.
final class IngestShared: Sendable {
    let receiver: any WebhookReceiver
    let readiness: IngestServer.Readiness
    let consent: IngestServer.ConsentReturn
    let clock: any WallClock
    let limits: ConnectionLimits
    let bodyBytesMax: Int
    /// Bodies in memory, of all connections.
    let bodyBytesInFlight = Atomic<Int>(0)

    init(
        _ configuration: IngestServer.Configuration, _ receiver: any WebhookReceiver, _ readiness: @escaping IngestServer.Readiness,
        _ consent: @escaping IngestServer.ConsentReturn, _ clock: any WallClock
    ) {
        self.receiver = receiver
        self.readiness = readiness
        self.consent = consent
        self.clock = clock
        limits = configuration.limits
        bodyBytesMax = configuration.bodyBytesMax
    }
}

/// The handler behind the HTTP decoder. Not thread safe: lives on its event loop.
final class IngestConnection: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// Waits for a head, since a time.
        case idle
        /// Between head and end of body.
        case receiving(IngestRequest)
        /// Whole, or refused; what else arrives waits.
        case answering(isHead: Bool)
        /// Answered for good; what the peer still sends is dropped until it closes or is late.
        case lingering
    }

    private let shared: IngestShared
    private var phase = Phase.idle
    private var context: ChannelHandlerContext?
    private var onAnswer: (@Sendable (IntakeAnswer) -> Void)?
    private var remoteAddress = ""
    private var closesAfterAnswer = false
    private var pending = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 4)
    private var isTakingPending = false
    private var isReadWanted = false
    private var deadline = NIODeadline.distantFuture
    private var timer: Scheduled<Void>?
    /// Of `bodyBytesInFlight`; of a delivery that was handed on, the receiver's answer gives them back.
    private var heldBytes = 0
    /// The delivery that is being answered.
    private var awaited: WebhookPath?

    init(_ shared: IngestShared) { self.shared = shared }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        remoteAddress = context.remoteAddress?.ipAddress ?? ""
        let loop = context.eventLoop
        let bound = NIOLoopBound(self, eventLoop: loop)
        onAnswer = { answer in
            if loop.inEventLoop { bound.value.finish(answer) } else { loop.execute { bound.value.finish(answer) } }
        }
        waitForHead()
        arm()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        release()
        // The closure holds this connection.
        onAnswer = nil
        self.context = nil
    }

    /// While an answer is being made nothing more is read: a peer that sends on without waiting fills its own buffers.
    func read(context: ChannelHandlerContext) {
        if isAnswering || !context.channel.isWritable { isReadWanted = true } else { context.read() }
    }

    /// A peer that takes no answers gets to send no requests.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { takePending() }
        context.fireChannelWritabilityChanged()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        pending.append(part)
        takePending()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // A body that does not come with its head is watched from now on.
        if case .receiving(let request) = phase, request.isWatched == false {
            request.isWatched = true
            arm()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed, is ChannelShouldQuiesceEvent:
            switch phase {
            case .idle: close()
            case .receiving where event is ChannelShouldQuiesceEvent: closesAfterAnswer = true
            case .answering: closesAfterAnswer = true
            case .receiving, .lingering: close()
            }
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let problem = IngestReply.problem(of: error) else { return close() }
        switch phase {
        case .answering: closesAfterAnswer = true
        case .lingering: close()
        case .idle, .receiving: answerAndClose(problem)
        }
    }

    // MARK: Requests

    private func take(_ part: HTTPServerRequestPart) {
        switch (part, phase) {
        case (.head(let head), .idle): begin(head)
        case (.body(let buffer), .receiving(let request)): receive(buffer, request)
        case (.end, .receiving(let request)): end(request)
        default: break
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        deadline = .now() + .seconds(Int64(shared.limits.requestSeconds))
        closesAfterAnswer = closesAfterAnswer || !head.isKeepAlive
        let request = IngestRequest(head, receivedAt: shared.clock.now())
        // Requests are smuggled past a proxy by what it and we read differently (RFC 9112, 3.2, 6.1 and 6.3).
        let hosts = head.headers[canonicalForm: "host"].count
        guard hosts == 1 || (hosts == 0 && head.version == .http1_0) else {
            return refuse(hosts == 0 ? IngestReply.noHost : IngestReply.twoHosts, request)
        }
        let codings = head.headers[canonicalForm: "transfer-encoding"]
        guard codings.isEmpty || (codings.count == 1 && codings[0].lowercased() == "chunked" && head.version == .http1_1) else {
            return refuse(IngestReply.badCoding, request)
        }
        if let refusal = request.target.refusal { return refuse(refusal, request) }
        guard let length = request.announcedLength else { return refuse(IngestReply.badLength, request) }
        guard length <= shared.bodyBytesMax else { return giveUp(tooLarge(length), request) }
        if request.expectsContinue, let context { context.writeAndFlush(wrapOutboundOut(IngestReply.continueLine), promise: nil) }
        phase = .receiving(request)
    }

    private func receive(_ buffer: ByteBuffer, _ request: IngestRequest) {
        let size = buffer.readableBytes
        guard request.body.count + size <= shared.bodyBytesMax else { return giveUp(tooLarge(request.body.count + size), request) }
        heldBytes += size
        let held = shared.bodyBytesInFlight.add(size, ordering: .relaxed).newValue
        guard held <= shared.limits.bodyBytesInFlightMax else { return refuse(IngestReply.memoryFull, request) }
        if request.body.isEmpty { request.body.reserveCapacity(min(request.announcedLength ?? 0, 1 << 20)) }
        buffer.withUnsafeReadableBytes { request.body.append(contentsOf: $0) }
    }

    private func end(_ request: IngestRequest) {
        phase = .answering(isHead: request.isHead)
        deadline = .distantFuture
        switch request.target {
        case .webhook(let target):
            guard let onAnswer else { return }
            deadline = .now() + .seconds(Int64(shared.limits.answerSeconds))
            awaited = target
            // Held until the answer is there, even if the peer is gone by then: so long the body is in memory.
            let (shared, bytes) = (shared, heldBytes)
            heldBytes = 0
            shared.receiver.receive(request.delivery(to: target, from: remoteAddress)) { answer in
                shared.bodyBytesInFlight.subtract(bytes, ordering: .relaxed)
                onAnswer(answer)
            }
        case .health: finish(IngestReply.healthy)
        case .readiness:
            let readiness = shared.readiness
            finishLater {
                let (isReady, parts) = await readiness()
                let body = JSONValue.object(["ready": .bool(isReady), "parts": .object(parts.mapValues { .string($0) })])
                return Reply.json(isReady ? .ok : .serviceUnavailable, body)
            }
        case .consentReturn:
            let (consent, fields) = (shared.consent, PercentDecoding.fields(request.query))
            // Link scanners look at what they find; a look must not spend the state and the code.
            guard request.head.method != .HEAD else { return finish(IngestReply.healthy) }
            let address = remoteAddress
            finishLater {
                let (status, text) = await AuditOrigin.$address.withValue(address) { await consent(fields) }
                return IngestReply.page(status, text)
            }
        case .refused(let reply): finish(reply)
        }
    }

    private func finishLater(_ make: @escaping @Sendable () async -> Reply) {
        guard let loop = context?.eventLoop else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        Task {
            let reply = await make()
            loop.execute { bound.value.finish(reply) }
        }
    }

    private func tooLarge(_ size: Int) -> BerthError {
        BerthError(
            .tooLarge, "the body has \(size) bytes or more, at most \(shared.bodyBytesMax) are taken",
            hint: "the limit is [server] max_body_bytes")
    }

    private func giveUp(_ error: BerthError, _ request: IngestRequest) {
        note(error, request)
        refuse(.problem(error), request)
    }

    /// For the audit log of the connection that the path names.
    private func note(_ error: BerthError, _ request: IngestRequest) {
        guard case .webhook(let target) = request.target else { return }
        shared.receiver.gaveUp(request.delivery(to: target, from: remoteAddress), error)
    }

    // MARK: Answers

    /// Answers without the rest of the request.
    private func refuse(_ reply: Reply, _ request: IngestRequest) {
        if request.hasBody { return answerAndClose(reply, isHead: request.isHead) }
        request.target = .refused(reply)
        phase = .receiving(request)
    }

    /// Senders give up after five to ten seconds, and then know nothing. What comes of the delivery is not theirs to know any more: sent
    /// again, it is taken for the same.
    private func answerLate(_ path: WebhookPath, isHead: Bool) {
        shared.receiver.tookTooLong(provider: path.provider, connection: path.connection, seconds: shared.limits.answerSeconds)
        answerAndClose(IngestReply.late, isHead: isHead)
    }

    private func finish(_ answer: IntakeAnswer) {
        guard case .answering(let isHead) = phase, let context else { return }
        write(IngestReply.bytes(of: answer, isHead: isHead, closes: closesAfterAnswer, allocator: context.channel.allocator))
    }

    private func finish(_ reply: Reply) {
        guard case .answering(let isHead) = phase, let context else { return }
        write(IngestReply.bytes(of: reply, isHead: isHead, closes: closesAfterAnswer, allocator: context.channel.allocator))
    }

    private func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        release()
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        guard !closesAfterAnswer else { return linger() }
        waitForHead()
        takePending()
    }

    /// What arrived behind the answered request. An answer may be there before this returns, so a long row of pipelined
    /// requests is a loop and no recursion.
    private func takePending() {
        guard !isTakingPending else { return }
        isTakingPending = true
        while !isAnswering, let part = pending.popFirst() { take(part) }
        isTakingPending = false
        guard isReadWanted, !isAnswering, context?.channel.isWritable == true else { return }
        isReadWanted = false
        context?.read()
    }

    private var isAnswering: Bool { if case .answering = phase { true } else { false } }

    private func answerAndClose(_ reply: Reply, isHead: Bool = false) {
        guard let context else { return }
        release()
        let bytes = IngestReply.bytes(of: reply, isHead: isHead, closes: true, allocator: context.channel.allocator)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        linger()
    }

    /// A close with unread bytes would reset the connection and with it the answer: so this side ends first.
    private func linger() {
        phase = .lingering
        pending.removeAll()
        context?.close(mode: .output, promise: nil)
        deadline = .now() + .seconds(2)
        arm()
        context?.read()
    }

    private func close() { context?.close(promise: nil) }

    private func release() {
        guard heldBytes > 0 else { return }
        shared.bodyBytesInFlight.subtract(heldBytes, ordering: .relaxed)
        heldBytes = 0
    }

    // MARK: Time

    private func waitForHead() {
        phase = .idle
        awaited = nil
        deadline = .now() + .seconds(Int64(shared.limits.headSeconds))
    }

    /// One timer per connection that looks once a second, or when the deadline it knows comes before: cheaper than one per request.
    private func arm() {
        timer?.cancel()
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: min(deadline, .now() + .seconds(1))) { bound.value.look() }
    }

    private func look() {
        let now = NIODeadline.now()
        switch phase {
        case .answering(let isHead):
            if now >= deadline, let awaited { return answerLate(awaited, isHead: isHead) }
            arm()
        case .receiving(let request):
            let age = now - request.began
            let least = age > .seconds(5) ? Int(age.nanoseconds / 1_000_000_000) * shared.limits.bodyBytesPerSecondMin : 0
            guard now < deadline, request.body.count >= least else {
                note(IngestReply.tooSlow, request)
                return answerAndClose(IngestReply.timedOut)
            }
            arm()
        case .idle, .lingering:
            guard now < deadline else { return close() }
            arm()
        }
    }
}
