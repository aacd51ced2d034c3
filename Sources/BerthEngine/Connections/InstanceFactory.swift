// From a stored connection to what may cross into plugin code: settings without secrets, defaults filled in.

import BerthModel
import BerthSeams

/// Makes plugin instances of connections.
struct InstanceFactory: Sendable {
    let host: any PluginHost

    /// The instance of a connection; equal connections give equal instances, so hosts may keep them by value.
    func instance(of connection: Connection, _ manifest: PluginManifest) -> PluginInstance {
        let settings = Self.effectiveSettings(connection.settings, manifest)
        return PluginInstance(
            connection: connection.id, provider: connection.provider, settings: Array(JSONValue.object(settings).text.utf8),
            baseURL: Self.baseURL(connection, manifest, settings), credential: Self.credential(connection, manifest))
    }

    /// Given settings over the manifest's defaults, secret ones left out.
    static func effectiveSettings(_ given: [String: JSONValue], _ manifest: PluginManifest) -> [String: JSONValue] {
        var settings: [String: JSONValue] = [:]
        for (name, spec) in manifest.settings where !spec.isSecret {
            if let value = given[name] ?? spec.defaultValue { settings[name] = value }
        }
        return settings
    }

    /// The connection's own address, or the manifest's with `{setting}` filled in.
    static func baseURL(_ connection: Connection, _ manifest: PluginManifest, _ settings: [String: JSONValue]) -> String {
        if let own = connection.baseURL { return own }
        guard var url = manifest.http.baseURL else { return "" }
        for (name, value) in settings {
            guard let text = value.scalarText, let range = url.firstRange(of: "{\(name)}") else { continue }
            url.replaceSubrange(range, with: text)
        }
        return url
    }

    /// The credential kind chosen, or the manifest's first.
    static func credential(_ connection: Connection, _ manifest: PluginManifest) -> CredentialSpec? {
        guard let kind = connection.credentialKind else { return nil }
        return manifest.credentials.first { $0.kind == kind }
    }
}

extension Connection {
    /// Whether its events are processed now.
    var takesDispatch: Bool { status == .active || status == .error }
    /// Whether its streams are synced now. In `error` schedules go on, so that a provider that recovers clears it.
    var takesSyncs: Bool { status == .active || status == .error }
}
