// The same HTTP stack doing no work: reads a body, answers 202. What the listener could at most reach.

import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

let channel = HTTP1Channel { request, writer, _ in
    let body = try await request.body.collect(upTo: 1 << 20)
    let answer = ByteBuffer(string: #"{"id":"evt_00000000000000000000000000","duplicate":false}"#)
    _ = body.readableBytes
    try await writer.write(
        response: HTTPResponse(
            status: .accepted, headerFields: [.contentType: "application/json", .contentLength: String(answer.readableBytes)]),
        body: ResponseBody(byteBuffer: answer))
}
let port = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 0 : 0
let server = channel.server(
    configuration: ServerConfiguration(address: .hostname("127.0.0.1", port: port)),
    eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "baseline"))
try await ServiceGroup(services: [server], gracefulShutdownSignals: [.sigterm], logger: Logger(label: "baseline")).run()
