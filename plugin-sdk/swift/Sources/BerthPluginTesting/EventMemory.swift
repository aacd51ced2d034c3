// Lays deliveries out as the ABI wants them, for the length of one call.

internal import BerthPluginSDK
internal import CBerthPlugin

enum EventMemory {
    static func with<Result>(_ events: [HarnessEvent], _ body: (UnsafeBufferPointer<berth_event_v1>) -> Result) -> Result {
        var buffers: [UnsafeMutableBufferPointer<UInt8>] = []
        var tables: [UnsafeMutableBufferPointer<berth_header_v1>] = []
        defer {
            for buffer in buffers { buffer.deallocate() }
            for table in tables { table.deallocate() }
        }
        func keep(_ text: some Collection<UInt8>) -> berth_host_slice {
            let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.count)
            _ = buffer.initialize(from: text)
            buffers.append(buffer)
            return berth_host_slice(UnsafeBufferPointer(buffer))
        }
        let raw = events.enumerated().map { index, event in
            let headers = UnsafeMutableBufferPointer<berth_header_v1>.allocate(capacity: event.headers.count)
            _ = headers.initialize(
                from: event.headers.map { berth_header_v1(name: keep($0.name.utf8), value: keep($0.value.utf8)) })
            tables.append(headers)
            return berth_event_v1(
                struct_size: UInt32(MemoryLayout<berth_event_v1>.size), attempt: UInt32(event.attempt),
                received_at: event.receivedAt.milliseconds, id: keep("evt_\(index)".utf8), kind: keep(event.kind.utf8),
                method: keep(event.method.utf8), query: keep(event.query.utf8), body: keep(event.body),
                headers: UnsafePointer(headers.baseAddress), header_count: UInt64(headers.count))
        }
        return raw.withUnsafeBufferPointer(body)
    }
}
