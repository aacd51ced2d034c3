// Plugins seen and steered.

public import BerthControlAPI
public import BerthModel
import BerthSeams

extension ControlPlane {
    public func listPlugins() async throws(BerthError) -> List<PluginView> {
        List(items: await host.plugins().map(Self.view))
    }

    public func showPlugin(_ id: String) async throws(BerthError) -> PluginView {
        guard let plugin = await host.plugins().first(where: { $0.manifest.id.text == id }) else { throw Self.noPlugin(id) }
        return Self.view(plugin)
    }

    public func installPlugin(_ request: InstallPlugin, _ caller: Caller) async throws(BerthError) -> PluginView {
        let status = try await host.install(bundle: request.path)
        try await audit("plugin.installed", caller, nil, "\(status.manifest.id) \(status.manifest.version) from \(request.path)")
        takeUpWork()
        return Self.view(status)
    }

    public func reloadPlugin(_ id: String, _ caller: Caller) async throws(BerthError) -> PluginView {
        let status = try await host.reload(try name(id))
        try await audit("plugin.reloaded", caller, nil, "\(id) generation \(status.generation)")
        takeUpWork()
        return Self.view(status)
    }

    public func rollbackPlugin(_ id: String, _ caller: Caller) async throws(BerthError) -> PluginView {
        let status = try await host.rollback(try name(id))
        try await audit("plugin.rolled-back", caller, nil, "\(id) generation \(status.generation)")
        takeUpWork()
        return Self.view(status)
    }

    public func removePlugin(_ id: String, _ query: ListQuery, _ caller: Caller) async throws(BerthError) {
        try refuseUnknown(query, known: ["force"])
        let provider = try name(id)
        if let force = query["force"], force != "true", force != "false" {
            throw BerthError(.invalid, "force: '\(force.prefix(40))' is neither true nor false")
        }
        let users = connections.directory.connections().filter { $0.provider == provider && $0.status != .disconnected }
        guard users.isEmpty || query["force"] == "true" else {
            let names = users.prefix(5).map(\.name).joined(separator: ", ") + (users.count > 5 ? ", ..." : "")
            throw BerthError(
                .conflict, "plugin '\(id)' is used by \(users.count == 1 ? "the connection" : "\(users.count) connections:") \(names)",
                hint:
                    "remove or disconnect them first, or: berthctl plugin remove \(id) --force (events and syncs then wait until the plugin is back)"
            )
        }
        try await host.remove(provider)
        try await audit("plugin.removed", caller, nil, id)
    }

    /// What waited for a plugin.
    private func takeUpWork() {
        dispatchSignal.raiseAll()
        scheduler.wakeUp()
        syncs.wakeUp()
    }

    private func name(_ id: String) throws(BerthError) -> ProviderName {
        guard let name = ProviderName(id) else { throw Self.noPlugin(id) }
        return name
    }

    private static func noPlugin(_ id: String) -> BerthError {
        BerthError(.notFound, "there is no plugin '\(id)'", hint: "berthctl plugin list shows what is installed")
    }

    private static func view(_ setting: SettingSpec) -> JSONValue {
        var members: [String: JSONValue] = [
            "type": .string(setting.type.rawValue), "required": .bool(setting.isRequired), "default": setting.defaultValue ?? .null,
            "identifies": .bool(setting.identifies), "help": .string(setting.help),
        ]
        let bounds = setting.bounds
        for (name, bound) in [("minimum", bounds.minimum), ("maximum", bounds.maximum)] {
            members[name] = bound.map { bound in Int64(exactly: bound).map { .integer($0) } ?? .number(bound) }
        }
        for (name, bound) in [("min_length", bounds.minLength), ("max_length", bounds.maxLength)] {
            members[name] = bound.map { .integer(Int64($0)) }
        }
        return .object(members)
    }

    static func view(_ plugin: PluginStatus) -> PluginView {
        let manifest = plugin.manifest
        return PluginView(
            id: manifest.id.text, name: manifest.name, version: manifest.version, publisher: manifest.publisher,
            state: plugin.state.rawValue, problem: plugin.problem.map { Problem($0) }, isolation: plugin.isolation.rawValue,
            generation: plugin.generation, digest: plugin.digest, signed_by: plugin.signer, path: plugin.path, restarts: plugin.restarts,
            workers: plugin.workers,
            settings: manifest.settings.mapValues(Self.view),
            credentials: manifest.credentials.map { credential in
                .object(["kind": .string(credential.kind.rawValue), "fields": .array(credential.fields.map { .string($0) })])
            },
            streams: manifest.streams.map { stream in
                .object([
                    "name": .string(stream.name.text), "entity": .string(stream.entity.text), "readable": .bool(stream.isReadable),
                    "writable": .bool(stream.isWritable), "incremental": .bool(stream.isIncremental),
                    "schedule": stream.defaultSchedule.map { .string($0) } ?? .null,
                ])
            },
            actions: manifest.actions.map { action in
                .object([
                    "name": .string(action.name), "help": .string(action.help),
                    "input_schema": action.inputSchema.flatMap { JSONValue(text: Array($0.utf8)) } ?? .null,
                ])
            },
            webhook: manifest.webhook.map { webhook in
                .object([
                    "methods": .array(webhook.methods.sorted().map { .string($0) }),
                    "schemes": .array(webhook.schemes.map { .string($0.rawValue) }),
                    "default_scheme": .string(webhook.defaultScheme.rawValue),
                ])
            } ?? .null)
    }
}
