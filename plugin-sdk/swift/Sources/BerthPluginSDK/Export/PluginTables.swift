// The C function tables, the same for every adapter: each function finds the instance, runs the adapter and turns what
// it throws into a status. They live as long as the process.

internal import CBerthPlugin

/// Functions the host calls.
enum PluginTables {
    static let create:
        @convention(c) (
            UnsafeMutableRawPointer?, UnsafePointer<berth_instance_config_v1>?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?
        ) -> Int32 = { plugin, config, instance in
            guard let plugin, let config, let instance else { return BERTH_INVALID_ARGUMENT }
            let library = Unmanaged<PluginLibrary>.fromOpaque(plugin).takeUnretainedValue()
            let context = Context(library.link, 0)
            do {
                let setup = try AdapterSetup(
                    connection: config.pointee.connection.text, baseURL: config.pointee.base_url.text,
                    settings: config.pointee.settings.bytes)
                let made = PluginInstance(try library.adapter.init(setup), library.link)
                instance.pointee = Unmanaged.passRetained(made).toOpaque()
                return BERTH_OK
            } catch {
                context.log.error("\(error)")
                return (error as? ProviderError)?.status.rawValue ?? BERTH_INTERNAL
            }
        }

    static let destroy: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Void = { _, instance in
        if let instance { Unmanaged<PluginInstance>.fromOpaque(instance).release() }
    }

    static let query: @convention(c) (UnsafeMutableRawPointer?, berth_host_slice, UInt32) -> UnsafeRawPointer? = { plugin, id, revision in
        plugin.flatMap { Unmanaged<PluginLibrary>.fromOpaque($0).takeUnretainedValue().interface(id.text, revision) }
    }

    static let shutdown: @convention(c) (UnsafeMutableRawPointer?) -> Void = { plugin in
        if let plugin { Unmanaged<PluginLibrary>.fromOpaque(plugin).release() }
    }

    /// Puts a table where it stays for ever.
    private static func permanent<Table>(_ table: Table) -> UnsafePointer<Table> {
        let place = UnsafeMutablePointer<Table>.allocate(capacity: 1)
        place.initialize(to: table)
        return UnsafePointer(place)
    }

    // Set once, never changed, never freed: safe to read from every thread.
    nonisolated(unsafe) static let events = permanent(
        berth_events_v1(struct_size: UInt32(MemoryLayout<berth_events_v1>.size), revision: 1) {
            instance, operation, events, count, statuses in
            guard let instance = PluginInstance.at(instance), let handler = instance.adapter as? any EventHandler, let statuses,
                let events
            else { return BERTH_INVALID_ARGUMENT }
            let batch = UnsafeBufferPointer(start: events, count: Int(count))
            return EventBatch.handle(handler, Context(instance.link, operation), batch, statuses)
        })

    nonisolated(unsafe) static let readStream = permanent(
        berth_read_stream_v1(struct_size: UInt32(MemoryLayout<berth_read_stream_v1>.size), revision: 1) { instance, operation, request in
            guard let instance = PluginInstance.at(instance), let reader = instance.adapter as? any StreamReader, let request
            else { return BERTH_INVALID_ARGUMENT }
            let schema = type(of: reader).stateSchema
            let context = ReadContext(instance.link, operation, stateSchema: schema)
            return context.run { try reader.read(ReadRequest(request, stateSchema: schema), context) }
        })

    nonisolated(unsafe) static let writeRecords = permanent(
        berth_write_records_v1(struct_size: UInt32(MemoryLayout<berth_write_records_v1>.size), revision: 1) {
            instance, operation, stream, records, count, statuses in
            guard let instance = PluginInstance.at(instance), let pusher = instance.adapter as? any RecordPusher, let records, let statuses
            else { return BERTH_INVALID_ARGUMENT }
            let context = Context(instance.link, operation)
            let stream = stream.text
            for index in 0..<Int(count) {
                context.item = UInt32(index)
                statuses[index] = context.run { try pusher.write(OutgoingRecord(records[index]), to: stream, context) }
                if statuses[index] == BERTH_CANCELLED { return BERTH_CANCELLED }
            }
            return BERTH_OK
        })

    nonisolated(unsafe) static let actions = permanent(
        berth_actions_v1(struct_size: UInt32(MemoryLayout<berth_actions_v1>.size), revision: 1) { instance, operation, name, input, key in
            guard let instance = PluginInstance.at(instance), let performer = instance.adapter as? any ActionPerformer
            else { return BERTH_INVALID_ARGUMENT }
            let context = Context(instance.link, operation)
            return context.run {
                var reply = JSONWriter()
                let request = try ActionRequest(name: name.text, input: input.bytes, idempotencyKey: key.text)
                try performer.perform(request, &reply, context)
                if !reply.bytes.isEmpty { try context.reply(reply.bytes) }
            }
        })

    nonisolated(unsafe) static let credentials = permanent(
        berth_credentials_v1(struct_size: UInt32(MemoryLayout<berth_credentials_v1>.size), revision: 1) { instance, operation in
            guard let instance = PluginInstance.at(instance), let checker = instance.adapter as? any CredentialChecker
            else { return BERTH_INVALID_ARGUMENT }
            let context = Context(instance.link, operation)
            return context.run {
                guard let account = try checker.checkCredentials(context) else { return }
                var reply = JSONWriter()
                reply.beginObject()
                reply.key("account")
                reply.value(account.id)
                reply.key("name")
                reply.value(account.name)
                reply.endObject()
                try context.reply(reply.bytes)
            }
        })

    nonisolated(unsafe) static let verify = permanent(
        berth_verify_v1(struct_size: UInt32(MemoryLayout<berth_verify_v1>.size), revision: 1) { instance, operation, event in
            guard let instance = PluginInstance.at(instance), let verifier = instance.adapter as? any DeliveryVerifier, let event
            else { return BERTH_INVALID_ARGUMENT }
            let context = Context(instance.link, operation)
            return context.run { try verifier.verify(Event(event), context) }
        })
}

extension Context {
    /// Runs an operation to its status; what it emitted goes out when it went well.
    func run(_ body: () throws -> Void) -> Int32 {
        do {
            try body()
            try flush()
            return 0
        } catch {
            batch.clear()
            return report(error)
        }
    }
}
