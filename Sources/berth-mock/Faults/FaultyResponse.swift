// What faults make of an answer on its way out.

import Glibc
import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix

/// Builds responses.
enum FaultyResponse {
    /// The answer as it is.
    static func plain(_ reply: Reply) -> Response {
        Response(
            status: .init(code: reply.status), headers: fields(reply.headers),
            body: reply.body.isEmpty ? .init() : .init(byteBuffer: ByteBuffer(bytes: reply.body)))
    }

    /// An answer that takes the place of the provider's; nil when no such fault was drawn.
    static func instead(_ faults: Set<FaultKind>, host: String) -> Response? {
        if faults.contains(.http500) { return plain(.empty(500)) }
        if faults.contains(.http503) { return plain(Reply(status: 503, headers: [("Retry-After", "1")])) }
        if faults.contains(.rateLimit) { return plain(Reply(status: 429, headers: [("Retry-After", "1")])) }
        if faults.contains(.authExpired) {
            return plain(.json(401) { $0.object { $0.put("message", "Authorization has been denied for this request.") } })
        }
        if faults.contains(.html) {
            return plain(
                .text(200, "<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>", type: "text/html; charset=utf-8"))
        }
        if faults.contains(.redirectLoopback) { return plain(Reply(status: 302, headers: [("Location", "http://\(host)/_mock/trap")])) }
        if faults.contains(.gzipBomb) {
            let headers: [(name: String, value: String)] = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")]
            return plain(Reply(status: 200, headers: headers, body: GzipBomb.make()))
        }
        if faults.contains(.hugeBody) {
            let chunk = ByteBuffer(repeating: UInt8(ascii: " "), count: 1 << 20)
            return Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: .init { writer in
                    for _ in 0..<256 { try await writer.write(chunk) }
                    try await writer.write(ByteBuffer(string: "{}"))
                    try await writer.finish(nil)
                })
        }
        return nil
    }

    /// The provider's answer, spoiled as the faults say.
    static func bent(_ reply: Reply, _ faults: Set<FaultKind>, channel: any Channel) -> Response {
        if faults.contains(.truncatedJSON) {
            var half = reply
            half.body = Array(reply.body.prefix(max(1, reply.body.count / 2)))
            return plain(half)
        }
        if faults.contains(.slow) { return dripping(reply, pause: .milliseconds(50)) }
        if faults.contains(.reset) {
            let body = reply.body
            return Response(
                status: .init(code: reply.status), headers: fields(reply.headers),
                body: .init(contentLength: body.count + 1) { writer in
                    try await writer.write(ByteBuffer(bytes: body.prefix(body.count / 2)))
                    try await reset(channel)
                })
        }
        return plain(reply)
    }

    /// The answer, a byte at a time.
    static func dripping(_ reply: Reply, pause: Duration) -> Response {
        let body = reply.body
        return Response(
            status: .init(code: reply.status), headers: fields(reply.headers),
            body: .init(contentLength: body.count) { writer in
                for byte in body {
                    try await writer.write(ByteBuffer(bytes: [byte]))
                    try await Task.sleep(for: pause)
                }
                try await writer.finish(nil)
            })
    }

    /// Breaks a connection: linger 0 makes close send a reset instead of an orderly end.
    static func reset(_ channel: any Channel) async throws {
        if let options = channel as? any SocketOptionProvider {
            try await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        }
        try await channel.close()
    }

    private static func fields(_ headers: [(name: String, value: String)]) -> HTTPFields {
        var fields = HTTPFields()
        for header in headers { if let name = HTTPField.Name(header.name) { fields.append(HTTPField(name: name, value: header.value)) } }
        return fields
    }
}
