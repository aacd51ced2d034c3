// The provider's answer, copied, and what its status means.

/// An answer of any status.
public struct HTTPResponse: Sendable {
    /// 100 to 599.
    public var status: Int
    /// Names in lower case, in order.
    public var headers: [(name: String, value: String)]
    /// Decoded from any transfer or content coding.
    public var body: [UInt8]
    /// When the request was sent: what the answer says was so at this time or later.
    public var askedAt: ProviderTime
    /// What was asked, for messages: method and path, without the query.
    public var asked: String

    /// An answer.
    public init(
        status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = [], askedAt: ProviderTime,
        asked: String = "the request"
    ) {
        self.asked = asked
        self.status = status
        self.headers = headers
        self.body = body
        self.askedAt = askedAt
    }

    /// The first value of a header, name in lower case.
    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The body as JSON. Throws `remoteDown` when it is not: HTML of a proxy, a cut-off page.
    public func json() throws -> JSONNode {
        do {
            return try JSONDocument(body).root
        } catch {
            let isHTML = body.first { $0 > 0x20 } == UInt8(ascii: "<")
            throw ProviderError(
                .remoteDown,
                "the answer to \(asked) is \(isHTML ? "HTML" : "not JSON") (\(error)); a proxy or an outage may stand between",
                remoteStatus: status)
        }
    }

    /// Itself when 2xx, else throws what the status means.
    @discardableResult
    public func checked() throws -> HTTPResponse {
        guard let error else { return self }
        throw error
    }

    /// What the status means; nil for 2xx.
    public var error: ProviderError? {
        guard !(200..<300).contains(status) else { return nil }
        let meaning: ProviderError.Status
        switch status {
        case 401: meaning = .authDenied
        case 403: meaning = .authDenied
        case 404, 410: meaning = .notFound
        case 408, 425: meaning = .retry
        case 409: meaning = .conflict
        case 429: meaning = .throttled
        case 500...: meaning = .remoteDown
        default: meaning = .internal
        }
        return ProviderError(
            meaning, "\(asked) was answered \(status)\(reason.map { ": \($0)" } ?? "")", remoteStatus: status,
            retryAfter: status == 429 || status == 503 ? retryAfter : nil)
    }

    /// What Retry-After asks for, in seconds or as a date; nil when absent or unreadable.
    public var retryAfter: Duration? {
        guard let text = header("retry-after") else { return nil }
        if let seconds = Int64(text) { return .seconds(max(0, min(seconds, 86_400))) }
        guard let date = ProviderTime(httpDate: text) else { return nil }
        return .milliseconds(max(0, min(date.milliseconds - askedAt.milliseconds, 86_400_000)))
    }

    /// The provider's own words, at most 200 characters, from the usual members or plain text.
    var reason: String? {
        guard !body.isEmpty else { return nil }
        // No JSON is an answer too: then its text is taken.
        if let root = (try? JSONDocument(body))?.root {
            for pointer in ["/message", "/error/message", "/error_description", "/error", "/errors/0/message", "/errors/0", "/detail"] {
                if let text = root.at(pointer)?.scalarText, !text.isEmpty { return String(text.prefix(200)) }
            }
            if let errors = root["errors"], errors.kind == .object, errors.count > 0 {
                return String(String(decoding: errors.rawBytes, as: UTF8.self).prefix(200))
            }
            return nil
        }
        guard body.first(where: { $0 > 0x20 }) != UInt8(ascii: "<") else { return nil }
        return String(String(decoding: body.prefix(800), as: UTF8.self).prefix(200))
    }
}
