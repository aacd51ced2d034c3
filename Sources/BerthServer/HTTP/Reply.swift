// Answers: JSON, problem documents, and the status of each error code.

import BerthControlAPI
import BerthModel
import FoundationEssentials
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTP1

/// A whole answer.
struct Reply: Sendable {
    var status: HTTPResponse.Status
    var fields: HTTPFields
    var body: ByteBuffer?

    init(_ status: HTTPResponse.Status, contentType: String? = nil, body: ByteBuffer? = nil, fields: HTTPFields = [:]) {
        self.status = status
        self.fields = fields
        self.body = body
        if let contentType { self.fields[.contentType] = contentType }
    }

    /// JSON of a value. Members sorted, so that equal answers are equal bytes.
    static func json(_ status: HTTPResponse.Status, _ value: some Encodable) -> Reply {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Reply(status, contentType: "application/json", body: ByteBuffer(bytes: try encoder.encode(value)))
        } catch {
            return problem(BerthError(.internal, "an answer can't be written: \(error)"), status: .internalServerError)
        }
    }

    /// As above, with texts that stay as they are written: Foundation's encoder has no way to pass them through.
    static func json(_ status: HTTPResponse.Status, _ value: JSONValue) -> Reply {
        Reply(status, contentType: "application/json", body: ByteBuffer(string: value.text))
    }
    static func json(_ status: HTTPResponse.Status, _ list: List<JSONValue>) -> Reply {
        json(status, .object(["items": .array(list.items), "next": list.next.map { .string($0) } ?? .null]))
    }
    static func json(_ status: HTTPResponse.Status, _ result: ActionResult) -> Reply {
        json(status, .object(["output": result.output, "records": .integer(Int64(result.records))]))
    }

    /// A problem document (RFC 9457).
    static func problem(_ error: BerthError, status: HTTPResponse.Status? = nil) -> Reply {
        let status = status ?? ErrorStatus.of(error)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let problem = Problem(error, status: status.code, title: HTTPResponseStatus(statusCode: status.code).reasonPhrase)
        // A struct of texts and numbers always encodes; an empty body would only hide the status' meaning.
        let body = (try? encoder.encode(problem)).map { ByteBuffer(bytes: $0) }
        var reply = Reply(status, contentType: "application/problem+json", body: body)
        if let wait = error.retryAfter { reply.fields[.retryAfter] = String(max(1, wait.components.seconds)) }
        return reply
    }

    func write(to writer: consuming ResponseWriter, isHead: Bool = false) async throws {
        var head = HTTPResponse(status: status, headerFields: fields)
        if status != .noContent { head.headerFields[.contentLength] = String(body?.readableBytes ?? 0) }
        if let body, !isHead {
            try await writer.write(response: head, body: ResponseBody(byteBuffer: body))
        } else {
            try await writer.writeResponse(head)
        }
    }
}

/// HTTP status by error code.
enum ErrorStatus {
    /// Codes that modules added.
    private static func other(_ error: BerthError) -> HTTPResponse.Status {
        if error.code.rawValue.hasPrefix("store_") { return .internalServerError }
        if error.code.rawValue.hasSuffix("_invalid") { return .badRequest }
        return error.isRetryable ? .serviceUnavailable : .unprocessableContent
    }

    static func of(_ error: BerthError) -> HTTPResponse.Status {
        switch error.code {
        case .invalid: .badRequest
        case .notFound: .notFound
        case .conflict: .conflict
        case .forbidden: .forbidden
        case .unauthorized: .unauthorized
        case .tooLarge: .contentTooLarge
        case .overloaded, .stopping: .serviceUnavailable
        case .unsupported: .unprocessableContent
        case .provider, .credential, .plugin: .badGateway
        case .store, .internal: .internalServerError
        default: other(error)
        }
    }
}
