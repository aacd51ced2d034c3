// A request on its way in: what its head says, and the body as far as it came.

import BerthModel
import HTTPTypes
import NIOCore
import NIOHTTP1

/// Where a request wants to go.
enum IngestTarget {
    case webhook(WebhookPath)
    case health
    case readiness
    /// A browser comes back from a provider's consent page.
    case consentReturn
    /// Nowhere; the answer.
    case refused(Reply)

    /// The answer when nothing is there.
    var refusal: Reply? { if case .refused(let reply) = self { reply } else { nil } }

    /// By path, and method where it matters.
    init(path: Substring.UTF8View, method: HTTPMethod) {
        let prefix = "/webhooks/".utf8
        if path.starts(with: prefix) {
            let parts = path.dropFirst(prefix.count).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            guard (1...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else {
                self = .refused(.problem(BerthError(.notFound, "a webhook path is /webhooks/{provider}/{connection}[/{token}]")))
                return
            }
            func text(_ index: Int) -> String? { index < parts.count ? String(Substring(parts[index])) : nil }
            self = .webhook(WebhookPath(provider: text(0) ?? "", connection: text(1), token: text(2)))
            return
        }
        switch String(Substring(path)) {
        case "/healthz": self = Self.lookOnly(method, .health)
        case "/readyz": self = Self.lookOnly(method, .readiness)
        case "/oauth/callback": self = Self.lookOnly(method, .consentReturn)
        default: self = .refused(.problem(BerthError(.notFound, "nothing is served here")))
        }
    }

    private static func lookOnly(_ method: HTTPMethod, _ target: IngestTarget) -> IngestTarget {
        if method == .GET || method == .HEAD { return target }
        var reply = Reply.problem(BerthError(.invalid, "use GET"), status: .methodNotAllowed)
        reply.fields[.allow] = "GET, HEAD"
        return .refused(reply)
    }
}

/// The parts of `/webhooks/{provider}/{connection}/{token}`.
struct WebhookPath {
    let provider: String
    let connection: String?
    let token: String?
}

/// One request. Lives on its connection's event loop.
final class IngestRequest {
    let head: HTTPRequestHead
    let receivedAt: Timestamp
    let began = NIODeadline.now()
    var target: IngestTarget
    var body: [UInt8] = []
    /// Whether the body's rate is looked at already.
    var isWatched = false
    /// Path and query; of an absolute-form target (RFC 9112, 3.2.2) what stands behind the authority.
    private let location: Substring
    private let queryStart: String.Index?

    init(_ head: HTTPRequestHead, receivedAt: Timestamp) {
        self.head = head
        self.receivedAt = receivedAt
        location = Self.location(head.uri)
        let mark = location.utf8.firstIndex(of: UInt8(ascii: "?"))
        queryStart = mark.map { head.uri.utf8.index(after: $0) }
        target = IngestTarget(path: location[..<(mark ?? location.endIndex)].utf8, method: head.method)
    }

    private static func location(_ uri: String) -> Substring {
        guard uri.utf8.first != UInt8(ascii: "/"), let scheme = uri.firstRange(of: "://") else { return uri[...] }
        let rest = uri[scheme.upperBound...]
        return rest.firstIndex { $0 == "/" || $0 == "?" }.map { rest[$0...] } ?? "/"
    }

    /// Without `?`.
    var query: Substring { queryStart.map { location[$0...] } ?? "" }
    var isHead: Bool { head.method == .HEAD }
    var expectsContinue: Bool { head.headers.first(name: "expect")?.lowercased() == "100-continue" }
    var hasBody: Bool { (announcedLength ?? 1) > 0 || head.headers.contains(name: "transfer-encoding") }

    /// Content-Length, 0 without one; nil when it is no number.
    var announcedLength: Int? {
        guard let text = head.headers.first(name: "content-length") else { return 0 }
        return Int(text).flatMap { $0 >= 0 ? $0 : nil }
    }

    /// The request as intake takes it.
    func delivery(to target: WebhookPath, from remoteAddress: String) -> RawDelivery {
        var headers: [(name: String, value: String)] = []
        headers.reserveCapacity(head.headers.count)
        for (name, value) in head.headers { headers.append((Self.lowercase(name), Self.withoutBlanks(value))) }
        let path = String(queryStart.map { location[..<location.utf8.index(before: $0)] } ?? location)
        return RawDelivery(
            provider: target.provider, connection: target.connection, pathToken: target.token, method: head.method.rawValue, path: path,
            query: String(query), headers: headers, body: body, remoteAddress: remoteAddress,
            receivedAt: receivedAt)
    }

    /// Blanks around a value are no part of it (RFC 9110, 5.5); the decoder leaves those behind.
    private static func withoutBlanks(_ value: String) -> String {
        func isBlank(_ byte: UInt8?) -> Bool { byte == 0x20 || byte == 0x09 }
        guard isBlank(value.utf8.first) || isBlank(value.utf8.last) else { return value }
        var rest = value.utf8[...]
        while isBlank(rest.first) { rest.removeFirst() }
        while isBlank(rest.last) { rest.removeLast() }
        return String(Substring(rest))
    }

    /// Header names are ASCII: the decoder refuses others.
    private static func lowercase(_ name: String) -> String {
        guard name.utf8.contains(where: { (65...90).contains($0) }) else { return name }
        return String(decoding: name.utf8.map { (65...90).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}
