// `berth.http/1` for people: the daemon adds credentials, keeps to hosts and limits, repeats what is safe to repeat.

internal import CBerthPlugin

/// Sends requests and waits for their answers, on the operation's thread.
public struct HTTPClient {
    private let link: HostLink
    private let operation: UInt64

    init(_ link: HostLink, _ operation: UInt64) {
        self.link = link
        self.operation = operation
    }

    /// GET; throws what a status other than 2xx means.
    public func get(_ path: String, query: KeyValuePairs<String, String?> = [:], class requestClass: String = "") throws -> HTTPResponse {
        try send(.get(path, query: query, class: requestClass)).checked()
    }

    /// POST of a JSON object; throws what a status other than 2xx means.
    public func post(
        _ path: String, class requestClass: String = "", isIdempotent: Bool = false, body: (inout JSONWriter) -> Void
    ) throws -> HTTPResponse {
        try send(.json("POST", path, class: requestClass, isIdempotent: isIdempotent, body: body)).checked()
    }

    /// Sends and answers whatever comes, of any status. Throws when there was no answer, or `CancelledError`.
    public func send(_ request: HTTPRequest) throws -> HTTPResponse {
        guard let http = link.http else {
            throw ProviderError(.unsupported, "this host offers no berth.http/1")
        }
        var headers = request.headers
        if let contentType = request.contentType { headers.append(("content-type", contentType)) }
        var texts = RequestBytes()
        let method = texts.add(request.method)
        let target = texts.add(request.target)
        let requestClass = texts.add(request.requestClass)
        let lines = headers.map { (texts.add($0.name), texts.add($0.value)) }
        let askedAt = ProviderTime.now
        var response = berth_http_response_v1()
        response.struct_size = UInt32(MemoryLayout<berth_http_response_v1>.size)
        let flags = (request.isIdempotent ? BERTH_HTTP_IDEMPOTENT : 0) | (request.isAnonymous ? BERTH_HTTP_NO_AUTH : 0)
        let status = texts.bytes.withUnsafeBufferPointer { bytes in
            request.body.withUnsafeBufferPointer { body in
                let lines = lines.map {
                    berth_request_header_v1(name: berth_plugin_slice(bytes, $0.0), value: berth_plugin_slice(bytes, $0.1))
                }
                return lines.withUnsafeBufferPointer { lines in
                    var raw = berth_http_request_v1(
                        struct_size: UInt32(MemoryLayout<berth_http_request_v1>.size), flags: flags,
                        timeout_ms: request.timeout?.wholeMilliseconds ?? 0, method: berth_plugin_slice(bytes, method),
                        url: berth_plugin_slice(bytes, target), body: berth_plugin_slice(body),
                        request_class: berth_plugin_slice(bytes, requestClass), headers: lines.baseAddress,
                        header_count: UInt64(lines.count))
                    return http.send(link.table.host, operation, &raw, &response)
                }
            }
        }
        if let error = ProviderError.from(hostStatus: status, "no answer to \(request.method) \(request.path)") { throw error }
        let answered = UnsafeBufferPointer(start: response.headers, count: response.headers == nil ? 0 : Int(response.header_count))
            .map { ($0.name.text.lowercased(), $0.value.text) }
        return HTTPResponse(
            status: Int(response.status), headers: answered, body: response.body.bytes, askedAt: askedAt,
            asked: "\(request.method) \(request.path.prefix { $0 != "?" })")
    }
}

/// All text of a request in one buffer, so that one pointer holds for it all.
private struct RequestBytes {
    var bytes: [UInt8] = []
    mutating func add(_ text: String) -> Range<Int> {
        let from = bytes.count
        bytes.append(contentsOf: text.utf8)
        return from..<bytes.count
    }
}
