// The harness's half of the ABI: collects what the adapter emits and answers its requests from the script.

internal import BerthPluginSDK
internal import CBerthPlugin

final class HarnessHost {
    var requests: [HarnessRequest] = []
    var logged: [String] = []
    var remainingMilliseconds: UInt64 = 60_000
    var cancelled: () -> Bool = { false }
    private(set) var records: [HarnessRecord] = []
    private(set) var pages: [HarnessPage] = []
    private(set) var reply: [UInt8]?
    private var failures: [UInt32: ProviderError] = [:]
    private var operation: UInt64 = 0
    private let answer: (HarnessRequest) throws -> HarnessResponse
    private var response = ResponseMemory()
    private let http: UnsafeMutablePointer<berth_http_v1>

    init(http answer: @escaping (HarnessRequest) throws -> HarnessResponse) {
        self.answer = answer
        http = .allocate(capacity: 1)
        http.initialize(
            to: berth_http_v1(struct_size: UInt32(MemoryLayout<berth_http_v1>.size), revision: 1) { host, operation, request, response in
                guard let request, let response else { return BERTH_INVALID_ARGUMENT }
                return HarnessHost.at(host).send(operation, request.pointee, response)
            })
    }

    deinit {
        http.deallocate()
    }

    static func at(_ host: UnsafeMutableRawPointer?) -> HarnessHost {
        guard let host else { preconditionFailure("the plugin passed no host back") }
        return Unmanaged<HarnessHost>.fromOpaque(host).takeUnretainedValue()
    }

    func begin(_ operation: UInt64) {
        self.operation = operation
        records = []
        pages = []
        reply = nil
        failures = [:]
    }

    /// The error of a status, with what the plugin said of it.
    func error(_ status: Int32, item: UInt32) -> (any Error)? {
        switch status {
        case BERTH_OK: nil
        case BERTH_CANCELLED, BERTH_STALE: CancelledError()
        default: failures[item] ?? ProviderError(ProviderError.Status(rawValue: status) ?? .internal, "status \(status) without details")
        }
    }

    func table() -> berth_host_v1 {
        berth_host_v1(
            struct_size: UInt32(MemoryLayout<berth_host_v1>.size), abi_version: BERTH_ABI_VERSION,
            host: Unmanaged.passUnretained(self).toOpaque(),
            log: { host, _, _, message in HarnessHost.at(host).logged.append(message.text) },
            fail: { host, operation, failure in
                guard let failure else { return BERTH_INVALID_ARGUMENT }
                return HarnessHost.at(host).fail(operation, failure.pointee)
            },
            is_cancelled: { host, _ in HarnessHost.at(host).cancelled() ? 1 : 0 },
            remaining_ms: { host, _ in HarnessHost.at(host).remainingMilliseconds },
            emit: { host, operation, records, count in
                guard let records else { return BERTH_INVALID_ARGUMENT }
                return HarnessHost.at(host).emit(operation, UnsafeBufferPointer(start: records, count: Int(count)))
            },
            checkpoint: { host, operation, schema, _, state in HarnessHost.at(host).checkpoint(operation, schema, state) },
            reply: { host, operation, json in
                let host = HarnessHost.at(host)
                guard host.operation == operation else { return BERTH_STALE }
                host.reply = json.bytes
                return BERTH_OK
            },
            query: { host, id, _ in id.text == BERTH_HTTP_ID ? UnsafeRawPointer(HarnessHost.at(host).http) : nil })
    }

    private func fail(_ operation: UInt64, _ failure: berth_failure_v1) -> Int32 {
        guard self.operation == operation else { return BERTH_STALE }
        failures[failure.item] = ProviderError(
            ProviderError.Status(rawValue: failure.status) ?? .internal, failure.message.text, remoteStatus: Int(failure.remote_status),
            remoteCode: failure.remote_code.text,
            retryAfter: failure.retry_after_ms == 0 ? nil : .milliseconds(Int64(clamping: failure.retry_after_ms)))
        return BERTH_OK
    }

    private func emit(_ operation: UInt64, _ emitted: UnsafeBufferPointer<berth_record_v1>) -> Int32 {
        guard self.operation == operation else { return BERTH_STALE }
        guard !cancelled() else { return BERTH_CANCELLED }
        records.reserveCapacity(records.count + emitted.count)
        for record in emitted { records.append(HarnessRecord(record)) }
        return BERTH_OK
    }

    private func checkpoint(_ operation: UInt64, _ schema: UInt32, _ state: berth_plugin_slice) -> Int32 {
        guard self.operation == operation else { return BERTH_STALE }
        guard !cancelled() else { return BERTH_CANCELLED }
        pages.append(HarnessPage(records: records, checkpoint: HarnessCheckpoint(schema: schema, state: state.text)))
        records = []
        return BERTH_OK
    }

    private func send(
        _ operation: UInt64, _ raw: berth_http_request_v1, _ out: UnsafeMutablePointer<berth_http_response_v1>
    ) -> Int32 {
        guard self.operation == operation else { return BERTH_STALE }
        guard !cancelled() else { return BERTH_CANCELLED }
        let request = HarnessRequest(raw)
        requests.append(request)
        do {
            response = ResponseMemory(try answer(request))
        } catch {
            let failure = error as? ProviderError ?? ProviderError(.remoteDown, "\(error)")
            failures[BERTH_NO_ITEM] = failure
            return failure.status.rawValue
        }
        response.fill(out)
        return BERTH_OK
    }
}

/// An answer's bytes, kept until the next one.
private final class ResponseMemory {
    private var bytes: [UnsafeMutableBufferPointer<UInt8>] = []
    private var headers: UnsafeMutableBufferPointer<berth_header_v1>?
    private var status: UInt32 = 0
    private var body = berth_host_slice(ptr: nil, len: 0)

    init() {}

    init(_ response: HarnessResponse) {
        status = UInt32(response.status)
        body = keep(response.body)
        let lines = response.headers.map { berth_header_v1(name: keep(Array($0.name.utf8)), value: keep(Array($0.value.utf8))) }
        let headers = UnsafeMutableBufferPointer<berth_header_v1>.allocate(capacity: lines.count)
        _ = headers.initialize(from: lines)
        self.headers = headers
    }

    deinit {
        for buffer in bytes { buffer.deallocate() }
        headers?.deallocate()
    }

    func fill(_ out: UnsafeMutablePointer<berth_http_response_v1>) {
        out.pointee.status = status
        out.pointee.body = body
        out.pointee.headers = headers.flatMap { UnsafePointer($0.baseAddress) }
        out.pointee.header_count = UInt64(headers?.count ?? 0)
    }

    private func keep(_ text: [UInt8]) -> berth_host_slice {
        let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.count)
        _ = buffer.initialize(from: text)
        bytes.append(buffer)
        return berth_host_slice(UnsafeBufferPointer(buffer))
    }
}

extension berth_host_slice {
    init(_ buffer: UnsafeBufferPointer<UInt8>) { self.init(ptr: buffer.baseAddress, len: UInt64(buffer.count)) }
    var text: String { String(decoding: UnsafeBufferPointer(start: ptr, count: ptr == nil ? 0 : Int(len)), as: UTF8.self) }
}

extension berth_plugin_slice {
    var bytes: [UInt8] { Array(UnsafeBufferPointer(start: ptr, count: ptr == nil ? 0 : Int(len))) }
    var text: String { String(decoding: bytes, as: UTF8.self) }
}
