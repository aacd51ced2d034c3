// Runs an adapter in this process without the daemon, through the real function tables of the ABI: what passes here
// passes through the same code as in a worker. HTTP is scripted; nothing leaves the process.

public import BerthPluginSDK
internal import CBerthPlugin

/// A small host for one adapter and one connection. Use it from one thread at a time.
public final class PluginHarness {
    /// Requests the adapter sent, in order.
    public var requests: [HarnessRequest] { host.requests }
    /// Lines it logged.
    public var logged: [String] { host.logged }
    /// The deadline left, as the adapter sees it.
    public var remaining: Duration {
        get { .milliseconds(Int64(clamping: host.remainingMilliseconds)) }
        set { host.remainingMilliseconds = UInt64(max(0, newValue.components.seconds)) * 1000 }
    }
    /// Answers whether the operation is cancelled now; asked at every host call.
    public var isCancelled: (_ harness: PluginHarness) -> Bool = { _ in false }

    let host: HarnessHost
    private var plugin = berth_plugin_v1()
    private var instance: UnsafeMutableRawPointer?
    private var operations: UInt64 = 0

    /// Loads the adapter for a connection with these settings (a JSON object) and answers its requests with `http`.
    ///
    /// Throws what the adapter's `init` throws.
    public init<Adapter: ProviderAdapter>(
        _ adapter: Adapter.Type, settings: String = "{}", baseURL: String = "http://provider.test",
        http: @escaping (HarnessRequest) throws -> HarnessResponse = { _ in .status(599) }
    ) throws {
        host = HarnessHost(http: http)
        var table = host.table()
        let status = BerthPlugin.export(adapter, host: &table, out: &plugin)
        guard status == BERTH_OK else { throw ProviderError(.internal, "entry answered \(status)") }
        host.cancelled = { [unowned self] in self.isCancelled(self) }
        var settings = settings
        var baseURL = baseURL
        let made = settings.withUTF8 { settings in
            baseURL.withUTF8 { baseURL in
                let connection = Array("con_test".utf8)
                return connection.withUnsafeBufferPointer { connection in
                    var config = berth_instance_config_v1(
                        struct_size: UInt32(MemoryLayout<berth_instance_config_v1>.size), reserved0: 0,
                        connection: berth_host_slice(connection), settings: berth_host_slice(settings),
                        base_url: berth_host_slice(baseURL))
                    return plugin.create(plugin.plugin, &config, &instance)
                }
            }
        }
        guard made == BERTH_OK else {
            throw ProviderError(
                ProviderError.Status(rawValue: made) ?? .internal, host.logged.last ?? "create answered \(made)")
        }
    }

    deinit {
        plugin.destroy?(plugin.plugin, instance)
        plugin.shutdown?(plugin.plugin)
    }

    /// Whether the adapter offers an interface such as `berth.events/1`.
    public func offers(_ interface: String) -> Bool { table(interface) != nil }

    /// Hands over a batch of deliveries.
    public func handle(_ events: [HarnessEvent]) -> [HarnessOutcome] {
        guard let table = table(BERTH_EVENTS_ID)?.load(as: berth_events_v1.self) else { return [] }
        var statuses = [Int32](repeating: BERTH_INTERNAL, count: events.count)
        let operation = begin()
        let answered = EventMemory.with(events) { raw in
            table.handle(instance, operation, raw.baseAddress, UInt64(raw.count), &statuses)
        }
        if answered != BERTH_OK { statuses = statuses.map { $0 == BERTH_INTERNAL ? answered : $0 } }
        return statuses.enumerated().map { index, status in
            HarnessOutcome(
                error: host.error(status, item: UInt32(index)),
                records: status == BERTH_OK ? host.records.filter { $0.item == UInt32(index) } : [], reply: nil)
        }
    }

    /// Hands over one delivery.
    public func handle(_ event: HarnessEvent) -> HarnessOutcome { handle([event])[0] }

    /// Reads a stream to its end or failure; pages are what each checkpoint made durable.
    public func read(
        _ stream: String, _ mode: ReadRequest.Mode = .full, since: ProviderTime? = nil, until: ProviderTime = .now,
        state: HarnessCheckpoint? = nil
    ) -> HarnessRead {
        guard let table = table(BERTH_READ_STREAM_ID)?.load(as: berth_read_stream_v1.self) else {
            return HarnessRead(error: ProviderError.unsupported("no berth.read-stream/1"), pages: [])
        }
        let operation = begin()
        let name = Array(stream.utf8)
        let bytes = state.map { Array($0.state.utf8) } ?? []
        let status = name.withUnsafeBufferPointer { name in
            bytes.withUnsafeBufferPointer { bytes in
                var request = berth_read_request_v1(
                    struct_size: UInt32(MemoryLayout<berth_read_request_v1>.size), mode: mode.rawValue,
                    state_schema: state?.schema ?? 0, reserved0: 0, since: since?.milliseconds ?? Int64.min,
                    until: until.milliseconds, stream: berth_host_slice(name), state: berth_host_slice(bytes))
                return table.read(instance, operation, &request)
            }
        }
        return HarnessRead(error: host.error(status, item: BERTH_NO_ITEM), pages: host.pages)
    }

    /// Performs an action.
    public func perform(_ action: String, _ input: String = "{}", idempotencyKey: String = "key-1") -> HarnessOutcome {
        guard let table = table(BERTH_ACTIONS_ID)?.load(as: berth_actions_v1.self) else {
            return HarnessOutcome(error: ProviderError.unsupported("no berth.actions/1"), records: [], reply: nil)
        }
        let operation = begin()
        let texts = [action, input, idempotencyKey].map { Array($0.utf8) }
        let status = texts[0].withUnsafeBufferPointer { name in
            texts[1].withUnsafeBufferPointer { input in
                texts[2].withUnsafeBufferPointer { key in
                    table.perform(instance, operation, berth_host_slice(name), berth_host_slice(input), berth_host_slice(key))
                }
            }
        }
        return outcome(status)
    }

    /// Checks the credential.
    public func checkCredentials() -> HarnessOutcome {
        guard let table = table(BERTH_CREDENTIALS_ID)?.load(as: berth_credentials_v1.self) else {
            return HarnessOutcome(error: ProviderError.unsupported("no berth.credentials/1"), records: [], reply: nil)
        }
        return outcome(table.check(instance, begin()))
    }

    /// Writes one record, a JSON object of fields; an empty key creates.
    public func write(_ payload: String, key: String = "", to stream: String, isDelete: Bool = false) -> HarnessOutcome {
        guard let table = table(BERTH_WRITE_RECORDS_ID)?.load(as: berth_write_records_v1.self) else {
            return HarnessOutcome(error: ProviderError.unsupported("no berth.write-records/1"), records: [], reply: nil)
        }
        let operation = begin()
        var written = BERTH_INTERNAL
        let texts = [payload, key, stream, "key-1"].map { Array($0.utf8) }
        let status = texts[0].withUnsafeBufferPointer { payload in
            texts[1].withUnsafeBufferPointer { key in
                texts[2].withUnsafeBufferPointer { stream in
                    texts[3].withUnsafeBufferPointer { idempotency in
                        var record = berth_outgoing_record_v1(
                            struct_size: UInt32(MemoryLayout<berth_outgoing_record_v1>.size),
                            kind: isDelete ? BERTH_RECORD_DELETE : BERTH_RECORD_UPSERT, key: berth_host_slice(key),
                            idempotency_key: berth_host_slice(idempotency), payload: berth_host_slice(payload))
                        return table.write(instance, operation, berth_host_slice(stream), &record, 1, &written)
                    }
                }
            }
        }
        let final = status == BERTH_OK ? written : status
        return HarnessOutcome(error: host.error(final, item: 0), records: final == BERTH_OK ? host.records : [], reply: nil)
    }

    /// Asks the adapter whether a delivery is authentic; nil: it is.
    public func verify(_ event: HarnessEvent) -> (any Error)? {
        guard let table = table(BERTH_VERIFY_ID)?.load(as: berth_verify_v1.self) else {
            return ProviderError.unsupported("no berth.verify/1")
        }
        let operation = begin()
        return host.error(EventMemory.with([event]) { table.verify(instance, operation, $0.baseAddress) }, item: BERTH_NO_ITEM)
    }

    private func outcome(_ status: Int32) -> HarnessOutcome {
        HarnessOutcome(
            error: host.error(status, item: BERTH_NO_ITEM), records: status == BERTH_OK ? host.records : [],
            reply: host.reply.flatMap { (try? JSONDocument($0))?.root })  // a reply that is not JSON counts as none
    }

    private func begin() -> UInt64 {
        operations += 1
        host.begin(operations)
        return operations
    }

    private func table(_ interface: String) -> UnsafeRawPointer? {
        var interface = interface
        return interface.withUTF8 { plugin.query(plugin.plugin, berth_host_slice($0), 1) }
    }
}
