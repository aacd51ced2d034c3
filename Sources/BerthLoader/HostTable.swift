// The host's side of the ABI as C functions. Each looks the operation up, checks what it was given, and asks the
// operation's delegate. One table serves all plugins of the process.

import BerthModel
import CBerth
import Glibc
import Synchronization

/// The host's tables, made once and never freed: plugins keep their addresses.
///
/// `@unchecked Sendable`: written in `init` before the reference is shared; plugins only read them.
final class HostTable: @unchecked Sendable {
    static let shared = HostTable()

    let host: UnsafeMutablePointer<berth_host_v1>
    private let http: UnsafeMutablePointer<berth_http_v1>
    private let signature: UnsafeMutablePointer<berth_signature_v1>

    private init() {
        http = .allocate(capacity: 1)
        http.initialize(to: berth_http_v1(struct_size: UInt32(MemoryLayout<berth_http_v1>.size), revision: 1, send: hostSend))
        signature = .allocate(capacity: 1)
        signature.initialize(
            to: berth_signature_v1(
                struct_size: UInt32(MemoryLayout<berth_signature_v1>.size), revision: 1, hmac_matches: hostHMACMatches))
        host = .allocate(capacity: 1)
        host.initialize(
            to: berth_host_v1(
                struct_size: UInt32(MemoryLayout<berth_host_v1>.size), abi_version: BERTH_ABI_VERSION, host: nil, log: hostLog,
                fail: hostFail, is_cancelled: hostIsCancelled, remaining_ms: hostRemaining, emit: hostEmit, checkpoint: hostCheckpoint,
                reply: hostReply, query: hostQuery))
    }

    /// A host interface by id; unknown ids and higher revisions answer nil.
    func interface(_ id: String, minRevision: UInt32) -> UnsafeRawPointer? {
        guard minRevision <= 1 else { return nil }
        switch id {
        case "berth.http/1": return UnsafeRawPointer(http)
        case "berth.signature/1": return UnsafeRawPointer(signature)
        default: return nil
        }
    }
}

/// Runs a host call: STALE for an ended operation, INVALID_ARGUMENT and a violation for broken rules.
private func call(_ operation: berth_operation, _ body: (OperationTable.Entry) throws(ContractViolation) -> AttemptStatus) -> Int32 {
    guard let entry = OperationTable.shared.find(operation) else { return BERTH_STALE }
    do { return try body(entry).abi } catch {
        entry.delegate.violation(error.what)
        return BERTH_INVALID_ARGUMENT
    }
}

private func hostLog(_: UnsafeMutableRawPointer?, operation: berth_operation, level: UInt32, message: berth_plugin_slice) {
    guard let entry = OperationTable.shared.find(operation), message.len == 0 || message.ptr != nil else { return }
    let bytes = UnsafeBufferPointer(start: message.ptr, count: Int(min(message.len, UInt64(ABIValues.textMax))))
    entry.delegate.log(level: min(level, 3), message: String(decoding: bytes, as: UTF8.self))
}

private func hostFail(_: UnsafeMutableRawPointer?, operation: berth_operation, failure: UnsafePointer<berth_failure_v1>?) -> Int32 {
    call(operation) { entry throws(ContractViolation) in
        guard let failure else { throw ContractViolation("fail was given no failure") }
        let (value, item) = try ABIValues.failure(failure.pointee, items: entry.itemCount)
        entry.delegate.fail(value, item: item)
        return .ok
    }
}

private func hostIsCancelled(_: UnsafeMutableRawPointer?, operation: berth_operation) -> UInt32 {
    OperationTable.shared.find(operation)?.delegate.isCancelled == false ? 0 : 1
}

private func hostRemaining(_: UnsafeMutableRawPointer?, operation: berth_operation) -> UInt64 {
    OperationTable.shared.find(operation)?.delegate.remainingMilliseconds ?? 0
}

private func hostEmit(
    _: UnsafeMutableRawPointer?, operation: berth_operation, records: UnsafePointer<berth_record_v1>?, count: UInt64
) -> Int32 {
    call(operation) { entry throws(ContractViolation) in
        guard count > 0 else { return .ok }
        guard count <= UInt64(ABIValues.recordsMax) else { throw ContractViolation("\(count) records in one emit") }
        guard let records else { throw ContractViolation("emit was given no records") }
        var changes: [(item: Int?, change: RecordChange)] = []
        changes.reserveCapacity(Int(count))
        var isReadRefused = false
        for index in 0..<Int(count) {
            switch try ABIValues.record(records[index], items: entry.itemCount) {
            case .kept(let item, let change): changes.append((item, change))
            case .keptWithoutOriginal(let item, let change, let size):
                entry.delegate.log(
                    level: 2,
                    message: "record '\(change.externalID)' of stream '\(change.stream)' is kept without its original of \(size) bytes; "
                        + "\(ABIValues.payloadMax) are allowed")
                changes.append((item, change))
            case .refused(let item, let failure):
                entry.refuse(item, failure)
                if item == nil { isReadRefused = true }
            }
        }
        // An event that is refused ends by itself when the batch does; the others of the batch go on. A read cannot go on.
        let status = changes.isEmpty ? .ok : entry.delegate.emit(changes)
        return status == .ok && isReadRefused ? .invalidEvent : status
    }
}

private func hostCheckpoint(
    _: UnsafeMutableRawPointer?, operation: berth_operation, schema: UInt32, _: UInt32, state: berth_plugin_slice
) -> Int32 {
    call(operation) { entry throws(ContractViolation) in
        let bytes = try ABIValues.bytes(state, "a checkpoint", max: ABIValues.stateMax)
        return entry.delegate.checkpoint(Checkpoint(schema: schema, state: bytes))
    }
}

private func hostReply(_: UnsafeMutableRawPointer?, operation: berth_operation, json: berth_plugin_slice) -> Int32 {
    call(operation) { entry throws(ContractViolation) in
        guard json.len <= UInt64(ABIValues.payloadMax) || json.len > UInt64(ABIValues.bodyMax) else {
            // As large as what a provider answered: no defect of the plugin, but nothing to hand on.
            entry.refuse(
                nil,
                AttemptFailure(.internal, "the result takes \(json.len) bytes; \(ABIValues.payloadMax) are allowed: ask for less of it"))
            return .internal
        }
        return entry.delegate.reply(try ABIValues.bytes(json, "a reply", max: ABIValues.payloadMax))
    }
}

private func hostQuery(_: UnsafeMutableRawPointer?, id: berth_plugin_slice, minRevision: UInt32) -> UnsafeRawPointer? {
    guard id.len > 0, id.len <= 64, let pointer = id.ptr else { return nil }
    return HostTable.shared.interface(
        String(decoding: UnsafeBufferPointer(start: pointer, count: Int(id.len)), as: UTF8.self), minRevision: minRevision)
}

private func hostSend(
    _: UnsafeMutableRawPointer?, operation: berth_operation, request: UnsafePointer<berth_http_request_v1>?,
    response: UnsafeMutablePointer<berth_http_response_v1>?
) -> Int32 {
    call(operation) { entry throws(ContractViolation) in
        guard let request, let response else { throw ContractViolation("send was given no request or no response") }
        guard Int(response.pointee.struct_size) >= MemoryLayout<berth_http_response_v1>.size, response.pointee.struct_size <= 4096 else {
            throw ContractViolation("berth_http_response_v1.struct_size is \(response.pointee.struct_size)")
        }
        switch entry.delegate.send(try ABIValues.request(request.pointee)) {
        case .failure(let failure):
            entry.delegate.fail(failure, item: nil)
            return failure.status
        case .success(let answer):
            let lent = LentResponse(answer)
            entry.response.withLock { $0 = lent }
            response.pointee.status = lent.status
            response.pointee.body = lent.body
            response.pointee.headers = lent.headers
            response.pointee.header_count = lent.headerCount
            return .ok
        }
    }
}

private func hostHMACMatches(
    _: UnsafeMutableRawPointer?, operation: berth_operation, algorithm: UInt32, _: UInt32, message: berth_plugin_slice,
    expected: berth_plugin_slice
) -> Int32 {
    call(operation) { entry throws(ContractViolation) in
        guard (1...3).contains(algorithm) else { throw ContractViolation("HMAC algorithm \(algorithm) is unknown") }
        return entry.delegate.hmacMatches(
            algorithm: algorithm, message: try ABIValues.bytes(message, "an HMAC's message", max: ABIValues.bodyMax),
            expected: try ABIValues.bytes(expected, "an HMAC", max: 128))
    }
}
