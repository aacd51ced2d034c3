// One connection's instance of a loaded plugin, and the operations on it. Blocking: callers bring their own thread.

public import BerthModel
import CBerth

/// An instance. Operations may run in parallel up to the manifest's max_concurrency; `destroy` comes after the last.
///
/// `@unchecked Sendable`: the pointer is the plugin's own and never looked at here.
public final class LoadedInstance: @unchecked Sendable {
    private let plugin: LoadedPlugin
    private let pointer: UnsafeMutableRawPointer?

    init(plugin: LoadedPlugin, pointer: UnsafeMutableRawPointer?) {
        self.plugin = plugin
        self.pointer = pointer
    }

    /// Ends the instance.
    public func destroy() { plugin.table.destroy?(plugin.table.plugin, pointer) }

    /// Runs an operation: registers its handle, calls, ends the handle.
    private func run(_ delegate: any OperationDelegate, items: Int = 0, _ body: (berth_operation) -> Int32) -> AttemptStatus {
        let (status, refused) = begin(delegate, items: items, body)
        return refused[nil] ?? status
    }

    /// Runs an operation on a batch; a status per item, where `statuses` is what the plugin has written when `body` returns.
    private func run(
        _ delegate: any OperationDelegate, _ statuses: inout [Int32], _ body: (berth_operation, inout [Int32]) -> Int32
    ) -> [AttemptStatus] {
        let (whole, refused) = begin(delegate, items: statuses.count) { body($0, &statuses) }
        return statuses.enumerated().map { index, status in
            if let refusal = refused[index] ?? refused[nil] { return refusal }
            return whole != .ok && status == BERTH_INTERNAL ? whole : AttemptStatus(abi: status)
        }
    }

    private func begin(
        _ delegate: any OperationDelegate, items: Int, _ body: (berth_operation) -> Int32
    ) -> (AttemptStatus, refused: [Int?: AttemptStatus]) {
        let entry = OperationTable.Entry(delegate, itemCount: items)
        let handle = OperationTable.shared.begin(entry)
        defer { OperationTable.shared.end(handle) }
        let status = AttemptStatus(abi: body(handle))
        return (status, entry.settleRefusals())
    }

    /// Hands events over; a status per event. `seen` is memory for them that somebody else watches, so that the event a crash
    /// happened in is known afterwards; it must hold one per event.
    public func handle(
        _ events: [PluginEvent], seen: UnsafeMutableBufferPointer<Int32>? = nil, _ delegate: any OperationDelegate
    ) -> [AttemptStatus] {
        guard let handle = plugin.events?.pointee.handle else { return events.map { _ in .unsupported } }
        var statuses = [Int32](repeating: BERTH_INTERNAL, count: events.count)
        return EventTable.withTable(events) { table in
            run(delegate, &statuses) { operation, statuses in
                if let seen, seen.count >= events.count {
                    seen.update(repeating: BERTH_INTERNAL)
                    defer { for index in events.indices { statuses[index] = seen[index] } }
                    return handle(pointer, operation, table.baseAddress, UInt64(events.count), seen.baseAddress)
                }
                return statuses.withUnsafeMutableBufferPointer {
                    handle(pointer, operation, table.baseAddress, UInt64(events.count), $0.baseAddress)
                }
            }
        }
    }

    /// Reads a stream; `mode` 1 full, 2 incremental, 3 range; nil times are unknown.
    public func read(
        stream: String, mode: UInt32, since: Int64?, until: Int64, checkpoint: Checkpoint?, _ delegate: any OperationDelegate
    ) -> AttemptStatus {
        guard let read = plugin.reading?.pointee.read else { return .unsupported }
        return Borrowed.slices([Array(stream.utf8), checkpoint?.state ?? []]) { slices in
            var request = berth_read_request_v1(
                struct_size: UInt32(MemoryLayout<berth_read_request_v1>.size), mode: mode, state_schema: checkpoint?.schema ?? 0,
                reserved0: 0, since: since ?? .min, until: until, stream: slices[0], state: slices[1])
            return run(delegate) { read(pointer, $0, &request) }
        }
    }

    /// Performs an action.
    public func perform(name: String, input: [UInt8], idempotencyKey: String, _ delegate: any OperationDelegate) -> AttemptStatus {
        guard let perform = plugin.actions?.pointee.perform else { return .unsupported }
        return Borrowed.slices([Array(name.utf8), input, Array(idempotencyKey.utf8)]) { slices in
            run(delegate) { perform(pointer, $0, slices[0], slices[1], slices[2]) }
        }
    }

    /// Checks the connection's credential.
    public func check(_ delegate: any OperationDelegate) -> AttemptStatus {
        guard let check = plugin.credentials?.pointee.check else { return .unsupported }
        return run(delegate) { check(pointer, $0) }
    }

    /// Verifies a delivery.
    public func verify(_ event: PluginEvent, _ delegate: any OperationDelegate) -> AttemptStatus {
        guard let verify = plugin.verifying?.pointee.verify else { return .unsupported }
        return EventTable.withTable([event]) { table in run(delegate, items: 1) { verify(pointer, $0, table.baseAddress) } }
    }

    /// Writes records; key empty: create. A status per record.
    public func write(
        stream: String, records: [(kind: RecordChange.Kind, key: String, idempotencyKey: String, payload: [UInt8])],
        _ delegate: any OperationDelegate
    ) -> [AttemptStatus] {
        guard let write = plugin.writing?.pointee.write else { return records.map { _ in .unsupported } }
        var statuses = [Int32](repeating: BERTH_INTERNAL, count: records.count)
        let texts = [Array(stream.utf8)] + records.flatMap { [Array($0.key.utf8), Array($0.idempotencyKey.utf8), $0.payload] }
        return Borrowed.slices(texts) { slices in
            let table = records.enumerated().map { index, record in
                berth_outgoing_record_v1(
                    struct_size: UInt32(MemoryLayout<berth_outgoing_record_v1>.size), kind: UInt32(record.kind.rawValue),
                    key: slices[1 + index * 3], idempotency_key: slices[2 + index * 3], payload: slices[3 + index * 3])
            }
            return run(delegate, &statuses) { operation, statuses in
                statuses.withUnsafeMutableBufferPointer { out in
                    table.withUnsafeBufferPointer {
                        write(pointer, operation, slices[0], $0.baseAddress, UInt64(records.count), out.baseAddress)
                    }
                }
            }
        }
    }
}

/// Events laid out for C: one block of bytes, one of headers, one of events.
enum EventTable {
    static func withTable<R>(_ events: [PluginEvent], _ body: (UnsafeBufferPointer<berth_event_v1>) -> R) -> R {
        var size = 0
        var headerCount = 0
        for event in events {
            size += event.id.utf8.count + event.kind.utf8.count + event.method.utf8.count + event.query.utf8.count + event.body.count
            headerCount += event.headers.count
            for header in event.headers { size += header.name.utf8.count + header.value.utf8.count }
        }
        let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, size))
        let headers = UnsafeMutableBufferPointer<berth_header_v1>.allocate(capacity: max(1, headerCount))
        let table = UnsafeMutableBufferPointer<berth_event_v1>.allocate(capacity: max(1, events.count))
        defer {
            bytes.deallocate()
            headers.deallocate()
            table.deallocate()
        }
        var at = 0
        func place(_ content: some Collection<UInt8>) -> berth_host_slice {
            let target = UnsafeMutableBufferPointer(rebasing: bytes[at..<at + content.count])
            _ = target.initialize(from: content)
            defer { at += content.count }
            return berth_host_slice(ptr: UnsafePointer(bytes.baseAddress! + at), len: UInt64(content.count))
        }
        var header = 0
        for (index, event) in events.enumerated() {
            let first = header
            for (name, value) in event.headers {
                headers.initializeElement(at: header, to: berth_header_v1(name: place(name.utf8), value: place(value.utf8)))
                header += 1
            }
            table.initializeElement(
                at: index,
                to: berth_event_v1(
                    struct_size: UInt32(MemoryLayout<berth_event_v1>.size), attempt: event.attempt, received_at: event.receivedAt,
                    id: place(event.id.utf8), kind: place(event.kind.utf8), method: place(event.method.utf8),
                    query: place(event.query.utf8),
                    body: place(event.body), headers: UnsafePointer(headers.baseAddress! + first), header_count: UInt64(event.headers.count)
                ))
        }
        return body(UnsafeBufferPointer(rebasing: table[..<events.count]))
    }
}
