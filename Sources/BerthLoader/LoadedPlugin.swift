// A plugin's library in this process: checked, opened for good, entered once. Nothing is ever unloaded: a Swift library
// that is closed crashes the process sooner or later (measured; see ARCHITECTURE.md).

public import BerthModel
import CBerth
import Glibc

/// A loaded plugin. Its functions may be called from any thread; each call blocks until the plugin returns.
///
/// `@unchecked Sendable`: `table` and the interface pointers are written in `init` and only read afterwards; what they
/// point to is the plugin's, which promises thread safety per function.
public final class LoadedPlugin: @unchecked Sendable {
    let table: berth_plugin_v1
    let events: UnsafePointer<berth_events_v1>?
    let reading: UnsafePointer<berth_read_stream_v1>?
    let writing: UnsafePointer<berth_write_records_v1>?
    let actions: UnsafePointer<berth_actions_v1>?
    let credentials: UnsafePointer<berth_credentials_v1>?
    let verifying: UnsafePointer<berth_verify_v1>?

    /// Ids of the interfaces the plugin offers.
    public let offered: Set<String>

    /// Loads a sealed image: header checked, all symbols resolved now, entered once. Runs the plugin's constructors, so a
    /// worker seals itself before this.
    public static func load(_ image: SealedImage, named place: String) throws(LoadRefusal) -> LoadedPlugin {
        let refusal: LoadRefusal?? = image.withBytes { bytes in
            do throws(LoadRefusal) {
                try ELFHeader.check(bytes, at: place)
                return nil
            } catch { return error }
        }
        switch refusal {
        case nil:
            throw LoadRefusal(.truncated, at: place, pluginValue: "the file is empty or can't be mapped", hint: "build the plugin again")
        case .some(let refusal?): throw refusal
        case .some(nil): break
        }
        // RTLD_NOW: a missing symbol is found here and not in the middle of a call. RTLD_NODELETE: never unmapped.
        guard let handle = dlopen(image.path, RTLD_NOW | RTLD_LOCAL | 0x1000) else {
            throw LoadRefusal(
                .unresolved, at: place, pluginValue: String(cString: dlerror()).replacing(image.path, with: "the library"),
                hint: "link the plugin against all it uses; only libraries of the system and the Swift runtime are there")
        }
        guard let symbol = dlsym(handle, BERTH_ENTRY_SYMBOL) else {
            throw LoadRefusal(
                .noEntry, at: place, pluginValue: "no symbol \(BERTH_ENTRY_SYMBOL)", hint: "export it: see plugin-sdk/c/README.md")
        }
        let entry = unsafeBitCast(symbol, to: berth_plugin_entry_v1_fn.self)
        return try LoadedPlugin(entry, place)
    }

    private init(_ entry: berth_plugin_entry_v1_fn, _ place: String) throws(LoadRefusal) {
        // One guard area beyond the table: a plugin built against a longer one may write its own members there.
        let space = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 16)
        defer { space.deallocate() }
        space.initializeMemory(as: UInt8.self, repeating: 0, count: 4096)
        let out = space.bindMemory(to: berth_plugin_v1.self, capacity: 1)
        let status = entry(HostTable.shared.host, out)
        guard status == BERTH_OK else {
            throw LoadRefusal(
                .entryFailed, at: place, pluginValue: "its entry answered \(status)", hostValue: "0", hint: "ask the plugin's author")
        }
        let size = Int(out.pointee.struct_size)
        guard out.pointee.abi_version == BERTH_ABI_VERSION else {
            throw LoadRefusal(
                .abiMismatch, at: place, pluginValue: "ABI \(out.pointee.abi_version)", hostValue: "ABI \(BERTH_ABI_VERSION)",
                hint: "build the plugin with the SDK of this berthd")
        }
        let needed = MemoryLayout<berth_plugin_v1>.offset(of: \.destroy) ?? 0
        guard size >= needed, size <= 4096 else {
            throw LoadRefusal(
                .badTable, at: place, pluginValue: "berth_plugin_v1.struct_size \(size)",
                hostValue: "\(MemoryLayout<berth_plugin_v1>.size)",
                hint: "set out->struct_size = sizeof(berth_plugin_v1)")
        }
        // What lies beyond the plugin's own size is absent, whatever stands there; so is a function of which only a part lies within.
        let whole = size / MemoryLayout<UnsafeRawPointer>.size * MemoryLayout<UnsafeRawPointer>.size
        if whole < MemoryLayout<berth_plugin_v1>.size {
            (space + whole).initializeMemory(as: UInt8.self, repeating: 0, count: MemoryLayout<berth_plugin_v1>.size - whole)
        }
        table = out.pointee
        let query = table.query
        let plugin = table.plugin
        // Its struct_size is read alone: a shorter table may end where the plugin's memory does.
        func interface<T>(_ id: StaticString, _ type: T.Type) -> UnsafePointer<T>? {
            let slice = berth_host_slice(ptr: id.utf8Start, len: UInt64(id.utf8CodeUnitCount))
            guard let raw = query?(plugin, slice, 1), UInt(bitPattern: raw) % UInt(MemoryLayout<T>.alignment) == 0,
                raw.load(as: UInt32.self) >= UInt32(MemoryLayout<T>.size)
            else { return nil }
            return raw.assumingMemoryBound(to: T.self)
        }
        events = interface("berth.events/1", berth_events_v1.self)
        reading = interface("berth.read-stream/1", berth_read_stream_v1.self)
        writing = interface("berth.write-records/1", berth_write_records_v1.self)
        actions = interface("berth.actions/1", berth_actions_v1.self)
        credentials = interface("berth.credentials/1", berth_credentials_v1.self)
        verifying = interface("berth.verify/1", berth_verify_v1.self)
        var offered: Set<String> = []
        if events?.pointee.handle != nil { offered.insert("berth.events/1") }
        if reading?.pointee.read != nil { offered.insert("berth.read-stream/1") }
        if writing?.pointee.write != nil { offered.insert("berth.write-records/1") }
        if actions?.pointee.perform != nil { offered.insert("berth.actions/1") }
        if credentials?.pointee.check != nil { offered.insert("berth.credentials/1") }
        if verifying?.pointee.verify != nil { offered.insert("berth.verify/1") }
        self.offered = offered
    }

    /// A new instance for a connection.
    public func makeInstance(connection: String, settings: [UInt8], baseURL: String) -> Result<LoadedInstance, AttemptFailure> {
        guard let create = table.create else { return .failure(AttemptFailure(.contractViolation, "the plugin offers no create function")) }
        var instance: UnsafeMutableRawPointer?
        let status = Borrowed.slices([Array(connection.utf8), settings, Array(baseURL.utf8)]) { slices in
            var config = berth_instance_config_v1(
                struct_size: UInt32(MemoryLayout<berth_instance_config_v1>.size), reserved0: 0, connection: slices[0], settings: slices[1],
                base_url: slices[2])
            return create(table.plugin, &config, &instance)
        }
        guard status == BERTH_OK else {
            return .failure(
                AttemptFailure(
                    AttemptStatus(abi: status),
                    "the plugin refuses the connection's settings (status \(status)): 'berthctl plugin show' lists them and what they may be"
                ))
        }
        return .success(LoadedInstance(plugin: self, pointer: instance))
    }

    /// The last call; nothing of the plugin may be called afterwards.
    public func shutDown() { table.shutdown?(table.plugin) }
}

/// Lends Swift bytes to C for the length of a call.
enum Borrowed {
    static func slices<R>(_ values: [[UInt8]], _ body: ([berth_host_slice]) -> R) -> R {
        let total = values.reduce(0) { $0 + $1.count }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(1, total)) { buffer in
            var at = 0
            let slices = values.map { value in
                let target = UnsafeMutableBufferPointer(rebasing: buffer[at..<at + value.count])
                _ = target.initialize(from: value)
                defer { at += value.count }
                return berth_host_slice(ptr: UnsafePointer(buffer.baseAddress! + at), len: UInt64(value.count))
            }
            return body(slices)
        }
    }
}
