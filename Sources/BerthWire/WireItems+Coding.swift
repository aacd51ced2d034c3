// How the things that messages carry are written and read. Each pair stands together, in the same order of members.

extension WireWriter {
    mutating func put(_ headers: [WireHeader]) {
        put(UInt32(headers.count))
        for header in headers {
            put(header.name)
            put(header.value)
        }
    }

    /// Appends an event.
    public mutating func put(_ event: WireEvent) {
        put(event.attempt)
        put(event.receivedAt)
        put(event.id)
        put(event.kind)
        put(event.method)
        put(event.query)
        put(event.body)
        put(event.headers)
    }

    /// Appends a record; `previousStream` saves repeating the stream's name.
    public mutating func put(_ record: WireRecord, previousStream: inout String?) {
        put(record.kind)
        put(record.item)
        put(record.sourceTime)
        if previousStream == record.stream {
            put(true)
        } else {
            put(false)
            put(record.stream)
            previousStream = record.stream
        }
        put(record.key)
        put(record.payload)
        put(record.raw)
    }

    mutating func put(_ record: WireOutgoingRecord) {
        put(record.kind)
        put(record.key)
        put(record.idempotencyKey)
        put(record.payload)
    }

    mutating func put(_ failure: WireFailure) {
        put(failure.status)
        put(failure.item)
        put(failure.remoteStatus)
        put(failure.retryAfterMilliseconds)
        put(failure.message)
        put(failure.remoteCode)
        put(failure.fields)
    }

    mutating func put(_ request: WireRequest) {
        put(request.flags)
        put(request.timeoutMilliseconds)
        put(request.method)
        put(request.url)
        put(request.requestClass)
        put(request.headers)
        put(request.body)
    }

    mutating func put(_ answer: WireAnswer) {
        put(answer.status)
        put(answer.remoteStatus)
        put(answer.headers)
        put(answer.body)
    }
}

extension WireReader {
    mutating func headers() throws(WireError) -> [WireHeader] {
        let count = try count(max: WireLimits.headersMax, bytesEach: 8)
        var headers: [WireHeader] = []
        headers.reserveCapacity(count)
        for _ in 0..<count { headers.append(WireHeader(try text(), try text())) }
        return headers
    }

    mutating func event() throws(WireError) -> WireEvent {
        let attempt = try integer(UInt32.self)
        let receivedAt = try integer(Int64.self)
        let id = try text()
        let kind = try text()
        let method = try text()
        let query = try text()
        let body = try bytes()
        return WireEvent(
            id: id, kind: kind, method: method, query: query, headers: try headers(), body: body, attempt: attempt, receivedAt: receivedAt)
    }

    mutating func record(previousStream: inout String?) throws(WireError) -> WireRecord {
        let kind = try integer(UInt8.self)
        guard kind == 1 || kind == 2 else { throw WireError(.badValue, "record kind \(kind)") }
        let item = try integer(UInt32.self)
        let sourceTime = try integer(Int64.self)
        let stream: String
        if try bool() {
            guard let previousStream else { throw WireError(.badValue, "record repeats a stream that was not named") }
            stream = previousStream
        } else {
            stream = try text(max: 256)
            previousStream = stream
        }
        let key = try text(max: WireLimits.keyBytesMax)
        return WireRecord(
            kind: kind, item: item, sourceTime: sourceTime, stream: stream, key: key, payload: try bytes(), raw: try bytes())
    }

    mutating func outgoingRecord() throws(WireError) -> WireOutgoingRecord {
        let kind = try integer(UInt8.self)
        guard kind == 1 || kind == 2 else { throw WireError(.badValue, "record kind \(kind)") }
        let key = try text()
        let idempotencyKey = try text()
        return WireOutgoingRecord(kind: kind, key: key, idempotencyKey: idempotencyKey, payload: try bytes())
    }

    mutating func failure() throws(WireError) -> WireFailure {
        let status = try integer(Int32.self)
        let item = try integer(UInt32.self)
        let remoteStatus = try integer(UInt32.self)
        let retryAfter = try integer(UInt64.self)
        let message = try text(max: WireLimits.failureBytesMax)
        let remoteCode = try text(max: WireLimits.failureBytesMax)
        return WireFailure(
            status: status, item: item, remoteStatus: remoteStatus, retryAfterMilliseconds: retryAfter, message: message,
            remoteCode: remoteCode, fields: try bytes())
    }

    mutating func request() throws(WireError) -> WireRequest {
        let flags = try integer(UInt32.self)
        let timeout = try integer(UInt64.self)
        let method = try text()
        let url = try text()
        let requestClass = try text()
        let headers = try headers()
        return WireRequest(
            flags: flags, timeoutMilliseconds: timeout, method: method, url: url, requestClass: requestClass, headers: headers,
            body: try bytes())
    }

    mutating func answer() throws(WireError) -> WireAnswer {
        let status = try integer(Int32.self)
        let remoteStatus = try integer(UInt32.self)
        let headers = try headers()
        return WireAnswer(status: status, remoteStatus: remoteStatus, headers: headers, body: try bytes())
    }
}
