// Answers of the public listener as bytes. The answer to an accepted delivery, the one that is written thousands of
// times a second, is put together without an encoder.

import BerthModel
import BerthSeams
import HTTPTypes
import NIOCore
import NIOHTTP1

/// Makes answers.
enum IngestReply {
    static let continueLine = ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")
    static let healthy = Reply(.ok, contentType: "text/plain", body: ByteBuffer(string: "ok\n"))
    static let badLength = Reply.problem(BerthError(.invalid, "the Content-Length is no length"))
    static let noHost = Reply.problem(BerthError(.invalid, "the request has no Host field"))
    static let badCoding = Reply.problem(BerthError(.invalid, "the only Transfer-Encoding taken is chunked, in HTTP/1.1"))
    static let twoHosts = Reply.problem(BerthError(.invalid, "the request has more than one Host field"))
    static let tooSlow = BerthError(.invalid, "the request took too long", hint: "send the whole body at once")
    static let timedOut = Reply.problem(tooSlow, status: .requestTimeout)
    static let late = Reply.problem(
        BerthError(
            .overloaded, "the delivery could not be stored in time", hint: "send it again; it is not taken twice", isRetryable: true,
            retryAfter: .seconds(5)))
    static let memoryFull = Reply.problem(
        BerthError(
            .overloaded, "too many bodies are being received", hint: "send again later", isRetryable: true, retryAfter: .seconds(1)))

    /// A line of plain text for a person's browser, which keeps nothing of it: the address line holds a code.
    static func page(_ status: Int, _ text: String) -> Reply {
        var reply = Reply(.init(code: status), contentType: "text/plain; charset=utf-8", body: ByteBuffer(string: text))
        reply.fields[.cacheControl] = "no-store"
        if let name = HTTPField.Name("referrer-policy") { reply.fields[name] = "no-referrer" }
        if let name = HTTPField.Name("x-content-type-options") { reply.fields[name] = "nosniff" }
        return reply
    }

    /// The answer to what is no HTTP; nil when the connection is beyond answers.
    static func problem(of error: any Error) -> Reply? {
        guard let error = error as? HTTPParserError else { return nil }
        switch error {
        case .headerOverflow:
            return .problem(BerthError(.tooLarge, "the header fields are too large"), status: .requestHeaderFieldsTooLarge)
        case .closedConnection, .invalidEOFState: return nil
        default: return .problem(BerthError(.invalid, "this is no HTTP/1.1 request"), status: .badRequest)
        }
    }

    static func bytes(of answer: IntakeAnswer, isHead: Bool, closes: Bool, allocator: ByteBufferAllocator) -> ByteBuffer {
        switch answer {
        case .accepted(let receipt, let success):
            guard let body = success.body else { return receiptBytes(receipt, success.status, isHead, closes, allocator) }
            let content = body.isEmpty ? nil : ByteBuffer(string: body)
            let reply = Reply(.init(code: success.status), contentType: content == nil ? nil : success.contentType, body: content)
            return bytes(of: reply, isHead: isHead, closes: closes, allocator: allocator)
        case .handshake(let status, let body, let contentType, let headers):
            var fields = HTTPFields()
            for (name, value) in headers { if let name = HTTPField.Name(name) { fields[name] = value } }
            let reply = Reply(
                .init(code: status), contentType: contentType, body: body.isEmpty ? nil : ByteBuffer(string: body), fields: fields)
            return bytes(of: reply, isHead: isHead, closes: closes, allocator: allocator)
        case .refused(let status, let error):
            return bytes(of: .problem(error, status: .init(code: status)), isHead: isHead, closes: closes, allocator: allocator)
        case .methodRefused(let allowed, let error):
            var reply = Reply.problem(error, status: .methodNotAllowed)
            reply.fields[.allow] = allowed.sorted().joined(separator: ", ")
            return bytes(of: reply, isHead: isHead, closes: closes, allocator: allocator)
        case .overloaded(let seconds, let error):
            var reply = Reply.problem(error, status: .serviceUnavailable)
            reply.fields[.retryAfter] = String(seconds)
            return bytes(of: reply, isHead: isHead, closes: closes, allocator: allocator)
        }
    }

    /// `{"id":"evt_...","duplicate":false}`.
    private static func receiptBytes(
        _ receipt: IntakeReceipt, _ status: Int, _ isHead: Bool, _ closes: Bool, _ allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        let id = receipt.event.description
        let tail: StaticString = receipt.isDuplicate ? #"","duplicate":true}"# : #"","duplicate":false}"#
        var bytes = allocator.buffer(capacity: 192)
        writeStatus(.init(code: status), &bytes)
        bytes.writeStaticString("content-type: application/json\r\n")
        if closes { bytes.writeStaticString("connection: close\r\n") }
        if status != 204 {
            bytes.writeStaticString("content-length: ")
            bytes.writeString(String(7 + id.utf8.count + tail.utf8CodeUnitCount))
            bytes.writeStaticString("\r\n")
        }
        bytes.writeStaticString("\r\n")
        guard !isHead, status != 204 else { return bytes }
        bytes.writeStaticString(#"{"id":""#)
        bytes.writeString(id)
        bytes.writeStaticString(tail)
        return bytes
    }

    static func bytes(of reply: Reply, isHead: Bool, closes: Bool, allocator: ByteBufferAllocator) -> ByteBuffer {
        var bytes = allocator.buffer(capacity: 256 + (reply.body?.readableBytes ?? 0))
        writeStatus(reply.status, &bytes)
        for field in reply.fields { bytes.writeString("\(field.name.canonicalName): \(field.value)\r\n") }
        if closes { bytes.writeStaticString("connection: close\r\n") }
        if reply.status != .noContent { bytes.writeString("content-length: \(reply.body?.readableBytes ?? 0)\r\n") }
        bytes.writeStaticString("\r\n")
        if !isHead, let body = reply.body, reply.status != .noContent { bytes.writeImmutableBuffer(body) }
        return bytes
    }

    private static func writeStatus(_ status: HTTPResponse.Status, _ bytes: inout ByteBuffer) {
        switch status.code {
        case 200: bytes.writeStaticString("HTTP/1.1 200 OK\r\n")
        case 202: bytes.writeStaticString("HTTP/1.1 202 Accepted\r\n")
        default: bytes.writeString("HTTP/1.1 \(status.code) \(HTTPResponseStatus(statusCode: status.code).reasonPhrase)\r\n")
        }
    }
}
