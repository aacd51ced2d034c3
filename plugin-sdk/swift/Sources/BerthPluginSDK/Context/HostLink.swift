// The daemon's side as the SDK holds it: its function table, copied once at entry, and its optional interfaces.

internal import CBerthPlugin

/// The host's functions.
///
/// `@unchecked Sendable`: all members are set at entry and never change; the functions themselves keep to the threading
/// written in the header, which `Context` (bound to its operation's thread) observes.
final class HostLink: @unchecked Sendable {
    let table: berth_host_v1
    let http: berth_http_v1?

    /// Copies what the host gives; nil when it gives less than version 1.
    init?(_ host: UnsafePointer<berth_host_v1>) {
        let size = UnsafeRawPointer(host).load(as: UInt32.self)
        guard size >= MemoryLayout<berth_host_v1>.size, host.pointee.abi_version >= BERTH_ABI_VERSION else { return nil }
        table = host.pointee
        http = Self.interface(table, BERTH_HTTP_ID).flatMap { pointer in
            guard pointer.load(as: UInt32.self) >= MemoryLayout<berth_http_v1>.size else { return nil }
            return pointer.load(as: berth_http_v1.self)
        }
    }

    private static func interface(_ table: berth_host_v1, _ id: String) -> UnsafeRawPointer? {
        var id = id
        return id.withUTF8 { table.query?(table.host, berth_plugin_slice($0), 1) }
    }
}

extension berth_plugin_slice {
    /// Bytes that stay where they are for the call.
    init(_ buffer: UnsafeBufferPointer<UInt8>) { self.init(ptr: buffer.baseAddress, len: UInt64(buffer.count)) }
    /// Part of a buffer.
    init(_ buffer: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
        self.init(ptr: range.isEmpty ? nil : buffer.baseAddress.map { $0 + range.lowerBound }, len: UInt64(range.count))
    }
    /// Nothing.
    static var empty: berth_plugin_slice { berth_plugin_slice(ptr: nil, len: 0) }
}
