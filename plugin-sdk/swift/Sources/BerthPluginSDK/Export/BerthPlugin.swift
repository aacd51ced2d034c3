// The one door of a plugin. The author writes one exported function that calls `export`; everything else of the ABI is
// filled in here from the protocols the adapter adopts.

internal import CBerthPlugin

/// Makes an adapter a plugin.
public enum BerthPlugin {
    /// Fills the host's table. Call it from the library's one exported function:
    ///
    ///     @c(berth_plugin_entry_v1)
    ///     public func entry(host: UnsafeRawPointer, out: UnsafeMutableRawPointer) -> Int32 {
    ///         BerthPlugin.export(MyAdapter.self, host: host, out: out)
    ///     }
    public static func export<Adapter: ProviderAdapter>(
        _ adapter: Adapter.Type, host: UnsafeRawPointer, out: UnsafeMutableRawPointer
    ) -> Int32 {
        guard let link = HostLink(host.assumingMemoryBound(to: berth_host_v1.self)) else { return BERTH_INVALID_ARGUMENT }
        let library = PluginLibrary(adapter, link)
        out.assumingMemoryBound(to: berth_plugin_v1.self).pointee = berth_plugin_v1(
            struct_size: UInt32(MemoryLayout<berth_plugin_v1>.size), abi_version: BERTH_ABI_VERSION,
            plugin: Unmanaged.passRetained(library).toOpaque(), create: PluginTables.create, destroy: PluginTables.destroy,
            query: PluginTables.query, shutdown: PluginTables.shutdown)
        return BERTH_OK
    }
}

/// The loaded plugin: which adapter it makes, and for which host.
final class PluginLibrary: Sendable {
    let adapter: any ProviderAdapter.Type
    let link: HostLink

    init(_ adapter: any ProviderAdapter.Type, _ link: HostLink) {
        self.adapter = adapter
        self.link = link
    }

    /// The function table of an interface the adapter has; nil for others.
    func interface(_ id: String, _ revision: UInt32) -> UnsafeRawPointer? {
        guard revision <= 1 else { return nil }
        return switch id {
        case BERTH_EVENTS_ID where adapter is any EventHandler.Type: UnsafeRawPointer(PluginTables.events)
        case BERTH_READ_STREAM_ID where adapter is any StreamReader.Type: UnsafeRawPointer(PluginTables.readStream)
        case BERTH_WRITE_RECORDS_ID where adapter is any RecordPusher.Type: UnsafeRawPointer(PluginTables.writeRecords)
        case BERTH_ACTIONS_ID where adapter is any ActionPerformer.Type: UnsafeRawPointer(PluginTables.actions)
        case BERTH_CREDENTIALS_ID where adapter is any CredentialChecker.Type: UnsafeRawPointer(PluginTables.credentials)
        case BERTH_VERIFY_ID where adapter is any DeliveryVerifier.Type: UnsafeRawPointer(PluginTables.verify)
        default: nil
        }
    }
}

/// One connection's adapter, and what its operations need.
final class PluginInstance: Sendable {
    let adapter: any ProviderAdapter
    let link: HostLink

    init(_ adapter: any ProviderAdapter, _ link: HostLink) {
        self.adapter = adapter
        self.link = link
    }

    static func at(_ pointer: UnsafeMutableRawPointer?) -> PluginInstance? {
        pointer.map { Unmanaged<PluginInstance>.fromOpaque($0).takeUnretainedValue() }
    }
}
