// From ABI values to Swift ones, with every length, pointer and number of the plugin doubted.

import BerthModel
import CBerth

/// Why a value of the plugin is refused.
struct ContractViolation: Error {
    let what: String
    init(_ what: String) { self.what = what }
}

/// What becomes of one emitted record.
enum EmittedRecord {
    case kept(item: Int?, RecordChange)
    /// Kept, but for its original of so many bytes: a record is worth more than its original.
    case keptWithoutOriginal(item: Int?, RecordChange, originalBytes: Int)
    /// Too large for the store, as a provider's data may be without any fault of the plugin: what it belongs to cannot be processed.
    case refused(item: Int?, AttemptFailure)
}

enum ABIValues {
    /// Largest texts and documents a plugin may pass.
    static let textMax = 4096
    static let urlMax = 64 << 10
    static let keyMax = 512
    static let payloadMax = 1 << 20
    static let bodyMax = 32 << 20
    static let stateMax = 64 << 10
    static let recordsMax = 100_000

    static func bytes(_ slice: berth_plugin_slice, _ what: StaticString, max: Int) throws(ContractViolation) -> [UInt8] {
        guard slice.len <= UInt64(max) else { throw ContractViolation("\(what) is \(slice.len) bytes long, at most \(max) are allowed") }
        guard slice.len > 0 else { return [] }
        guard let pointer = slice.ptr else { throw ContractViolation("\(what) has no address but a length of \(slice.len)") }
        return Array(UnsafeBufferPointer(start: pointer, count: Int(slice.len)))
    }

    static func text(_ slice: berth_plugin_slice, _ what: StaticString, max: Int = textMax) throws(ContractViolation) -> String {
        guard let text = String(validating: try bytes(slice, what, max: max), as: UTF8.self) else {
            throw ContractViolation("\(what) is not UTF-8")
        }
        return text
    }

    static func record(_ record: berth_record_v1, items: Int) throws(ContractViolation) -> EmittedRecord {
        // Exactly: records stand in an array, so that a longer one would put the next record where this host does not look.
        guard Int(record.struct_size) == MemoryLayout<berth_record_v1>.size else {
            throw ContractViolation("berth_record_v1.struct_size is \(record.struct_size)")
        }
        guard let kind = RecordChange.Kind(rawValue: UInt8(truncatingIfNeeded: record.kind)), record.kind < 3 else {
            throw ContractViolation("record kind \(record.kind) is unknown")
        }
        let name = try text(record.stream, "a record's stream", max: 64)
        guard let stream = StreamName(name) else { throw ContractViolation("'\(name)' is no stream name") }
        let item = try item(record.item, items)
        let key = try text(record.key, "a record's key", max: textMax)
        guard !key.isEmpty else { throw ContractViolation("a record has an empty key") }
        // Longer than any document the daemon takes in is no provider's data but a length that lies.
        guard record.payload.len <= UInt64(bodyMax), record.raw.len <= UInt64(bodyMax) else {
            throw ContractViolation("record '\(key)' has \(record.payload.len) bytes of payload and \(record.raw.len) of raw original")
        }
        guard key.utf8.count <= keyMax, !key.utf8.contains(0) else {
            return .refused(
                item: item,
                AttemptFailure(
                    .invalidEvent,
                    "a record of stream '\(name)' has an id of \(key.utf8.count) bytes; \(keyMax) are allowed, and none of them may be NUL")
            )
        }
        guard record.payload.len <= UInt64(payloadMax) else {
            return .refused(
                item: item,
                AttemptFailure(
                    .invalidEvent,
                    "the fields of record '\(key)' of stream '\(name)' take \(record.payload.len) bytes; \(payloadMax) are allowed"))
        }
        let payload = try bytes(record.payload, "a record's payload", max: payloadMax)
        guard kind == .delete || payload.first == UInt8(ascii: "{") else {
            throw ContractViolation("the payload of record '\(key)' is no JSON object")
        }
        let isOriginalKept = record.raw.len <= UInt64(payloadMax)
        let change = RecordChange(
            kind: kind, stream: stream, externalID: key,
            sourceTime: record.source_time == .min ? nil : Timestamp(milliseconds: record.source_time), payload: payload,
            raw: isOriginalKept ? try bytes(record.raw, "a record's raw original", max: payloadMax) : [])
        return isOriginalKept
            ? .kept(item: item, change) : .keptWithoutOriginal(item: item, change, originalBytes: Int(record.raw.len))
    }

    static func item(_ item: UInt32, _ items: Int) throws(ContractViolation) -> Int? {
        if item == 0xFFFF_FFFF { return nil }
        guard Int(item) < items else { throw ContractViolation("item \(item) of a batch of \(items)") }
        return Int(item)
    }

    static func failure(_ failure: berth_failure_v1, items: Int) throws(ContractViolation) -> (AttemptFailure, Int?) {
        guard Int(failure.struct_size) >= MemoryLayout<berth_failure_v1>.size, failure.struct_size <= 4096 else {
            throw ContractViolation("berth_failure_v1.struct_size is \(failure.struct_size)")
        }
        var status = AttemptStatus(abi: failure.status)
        if status == .ok { status = .internal }
        let code = try text(failure.remote_code, "a failure's remote code", max: 256)
        return (
            AttemptFailure(
                status, try text(failure.message, "a failure's message"),
                remoteStatus: failure.remote_status == 0 ? nil : Int(failure.remote_status), remoteCode: code.isEmpty ? nil : code,
                retryAfterMilliseconds: failure.retry_after_ms == 0 ? nil : failure.retry_after_ms),
            try item(failure.item, items)
        )
    }

    static func request(_ request: berth_http_request_v1) throws(ContractViolation) -> PluginRequest {
        guard Int(request.struct_size) >= MemoryLayout<berth_http_request_v1>.size, request.struct_size <= 4096 else {
            throw ContractViolation("berth_http_request_v1.struct_size is \(request.struct_size)")
        }
        guard request.header_count <= 100 else {
            throw ContractViolation("a request has \(request.header_count) headers, at most 100 are allowed")
        }
        var headers: [(name: String, value: String)] = []
        if request.header_count > 0 {
            guard let table = request.headers else { throw ContractViolation("a request's headers have no address") }
            for index in 0..<Int(request.header_count) {
                headers.append(
                    (try text(table[index].name, "a header name", max: 256), try text(table[index].value, "a header value", max: 8192)))
            }
        }
        return PluginRequest(
            method: try text(request.method, "a request's method", max: 16), url: try text(request.url, "a request's URL", max: urlMax),
            headers: headers, body: try bytes(request.body, "a request's body", max: bodyMax), timeoutMilliseconds: request.timeout_ms,
            requestClass: try text(request.request_class, "a request class", max: 64), isIdempotent: request.flags & 1 != 0,
            isAuthenticated: request.flags & 2 == 0)
    }
}
