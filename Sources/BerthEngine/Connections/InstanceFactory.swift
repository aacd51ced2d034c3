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
            baseURL: Self.baseURL(connection, manifest, settings), credential: Self.credential(connection, manifest, settings))
    }

    /// The credential of a connection with its OAuth addresses filled in.
    func credential(of connection: Connection, _ manifest: PluginManifest) -> CredentialSpec? {
        Self.credential(connection, manifest, Self.effectiveSettings(connection.settings, manifest))
    }

    /// Whether requests go elsewhere or prove themselves in another way.
    func hasOtherAccess(_ one: Connection, than other: Connection, _ manifest: PluginManifest) -> Bool {
        let (one, other) = (instance(of: one, manifest), instance(of: other, manifest))
        return one.baseURL != other.baseURL || one.credential != other.credential
    }

    /// Given settings over the manifest's defaults.
    static func effectiveSettings(_ given: [String: JSONValue], _ manifest: PluginManifest) -> [String: JSONValue] {
        var settings: [String: JSONValue] = [:]
        for (name, spec) in manifest.settings {
            if let value = given[name] ?? spec.defaultValue { settings[name] = value }
        }
        return settings
    }

    /// Whose data a connection reads, by its address and the settings that say so; another one begins at the beginning.
    static func identity(of connection: Connection, _ manifest: PluginManifest) -> [String: JSONValue] {
        var identity = effectiveSettings(connection.settings, manifest).filter { manifest.settings[$0.key]?.identifies == true }
        // No setting has an empty name.
        identity[""] = connection.baseURL.map { .string($0) }
        return identity
    }

    /// The connection's own address, or the manifest's with `{setting}` filled in.
    static func baseURL(_ connection: Connection, _ manifest: PluginManifest, _ settings: [String: JSONValue]) -> String {
        if let own = connection.baseURL { return own }
        return manifest.http.baseURL.map { filled($0, settings) } ?? ""
    }

    private static func filled(_ template: String, _ settings: [String: JSONValue]) -> String {
        var url = template
        for (name, value) in settings {
            guard let text = value.scalarText, let range = url.firstRange(of: "{\(name)}") else { continue }
            url.replaceSubrange(range, with: text)
        }
        return url
    }

    /// An address of the OAuth part: below the base URL when it begins with `/`. Where the connection has a base_url of its
    /// own, addresses on the host that it replaces move with it.
    private static func address(_ template: String, _ connection: Connection, _ manifest: PluginManifest, _ settings: [String: JSONValue])
        -> (url: String, isOwn: Bool)
    {
        let url = filled(template, settings)
        let base = baseURL(connection, manifest, settings)
        if url.hasPrefix("/") { return (base + url, connection.baseURL != nil) }
        guard let own = connection.baseURL, let replaced = manifest.http.baseURL.map({ filled($0, settings) }) else { return (url, false) }
        let origin = origin(of: replaced)
        guard url == origin || url.hasPrefix(origin + "/") else { return (url, false) }
        return (Self.origin(of: own) + url.dropFirst(origin.count), true)
    }

    private static func origin(of url: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return url }
        let end = url[scheme.upperBound...].firstIndex(of: "/") ?? url.endIndex
        return String(url[..<end])
    }

    /// The credential kind chosen, or the manifest's first.
    private static func credential(_ connection: Connection, _ manifest: PluginManifest, _ settings: [String: JSONValue]) -> CredentialSpec?
    {
        guard let kind = connection.credentialKind, var spec = manifest.credentials.first(where: { $0.kind == kind }) else { return nil }
        spec.accessRevision = connection.accessRevision
        guard var oauth = spec.oauth else { return spec }
        let token = address(oauth.tokenURL, connection, manifest, settings)
        oauth.tokenURL = token.url
        oauth.isOwnAddress = token.isOwn
        oauth.authorizeURL = oauth.authorizeURL.map { address($0, connection, manifest, settings).url }
        oauth.revokeURL = oauth.revokeURL.map { address($0, connection, manifest, settings).url }
        spec.oauth = oauth
        return spec
    }
}

extension Connection {
    /// Whether its events are processed now.
    var takesDispatch: Bool { status == .active || status == .error }
    /// Whether its streams are synced now. In `error` schedules go on, so that a provider that recovers clears it.
    var takesSyncs: Bool { status == .active || status == .error }
}
