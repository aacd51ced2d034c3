// From plugin.toml to a checked PluginManifest. Form and meaning: docs/manifest.md. Runs no plugin code and looks at no other
// file of the bundle; that is PluginBundle's part.

public import BerthModel
import Foundation

/// Reads manifests.
public struct ManifestReader: Sendable {
    /// A reader.
    public init() {}

    /// Reads the file at `path`. Throws `manifest_missing`, `manifest_invalid` or `abi_mismatch`.
    public func read(path: String) throws(BerthError) -> PluginManifest { try read(bytes: try bytes(path: path), path: path) }

    /// The bytes of the file at `path`: what a signature covers is what is then read. Throws `manifest_missing` or `manifest_invalid`.
    func bytes(path: String) throws(BerthError) -> [UInt8] {
        var info = stat()
        // A pipe would hold the start for ever, a device would never end; whether the file is there the reading says.
        if stat(path, &info) == 0 {
            guard info.st_mode & S_IFMT == S_IFREG else {
                throw BerthError("manifest_missing", "\(path) is no regular file", hint: "a bundle is a folder with a plugin.toml")
            }
            guard info.st_size <= ManifestSource.bytesMax else {
                throw BerthError(
                    "manifest_invalid", "\(path) has \(info.st_size) bytes, \(ManifestSource.bytesMax) are allowed",
                    hint: "is this a manifest?")
            }
        }
        let data: Data
        do { data = try Data(contentsOf: URL(filePath: path)) } catch {
            throw BerthError(
                "manifest_missing", "\(path) can't be read: \(error.localizedDescription)",
                hint: "a bundle is a folder with a plugin.toml that the daemon's user may read")
        }
        guard data.count <= ManifestSource.bytesMax else {
            throw BerthError(
                "manifest_invalid", "\(path) has \(data.count) bytes, \(ManifestSource.bytesMax) are allowed", hint: "is this a manifest?")
        }
        return Array(data)
    }

    func read(bytes: [UInt8], path: String) throws(BerthError) -> PluginManifest {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw BerthError("manifest_invalid", "\(path) is not UTF-8", hint: "save it as UTF-8 without a byte order mark")
        }
        return try read(text: text, path: path)
    }

    /// Reads a text; `path` is named in errors.
    public func read(text: String, path: String = "plugin.toml") throws(BerthError) -> PluginManifest {
        let source = try ManifestSource(path: path, text: text)
        let root = try ManifestSection(
            source, path: "", members: source.root,
            keys: [
                "manifest_version", "id", "name", "version", "publisher", "license", "abi", "state_schema", "library", "runtime", "http",
                "credentials", "settings", "webhook", "streams", "actions", "entities",
            ])
        guard let version = try root.integer("manifest_version", in: 0...Int.max) else {
            throw root.refusal("manifest_version", "is required and missing", hint: "manifest_version = 1")
        }
        guard version == 1 else {
            throw root.refusal(
                "manifest_version", "\(version) is unknown, this daemon reads 1", hint: "update Berth, or write manifest_version = 1")
        }
        let id = try root.name("id", as: ProviderName.self)
        guard let abi = try root.integer("abi", in: 0...Int(UInt32.max)) else {
            throw root.refusal("abi", "is required and missing", hint: "abi = \(Self.abi)")
        }
        guard abi == Self.abi else {
            throw BerthError(
                "abi_mismatch", "\(source.place(of: "abi")): plugin \(id) was built against ABI \(abi), this daemon offers \(Self.abi)",
                hint: abi > Self.abi ? "update Berth" : "build the plugin again with the SDK of this release")
        }
        let settings = try SettingReader.settings(root)
        let entities = try entities(root)
        return PluginManifest(
            id: id, name: try root.text("name") ?? id.text, version: try semanticVersion(root), publisher: try root.text("publisher") ?? "",
            license: try root.text("license") ?? "", abi: UInt32(abi), libraries: try libraries(root), runtime: try runtime(root),
            http: try http(root, settings), credentials: try credentials(root, settings), settings: settings,
            webhook: try WebhookReader.webhook(root),
            streams: try streams(root, entities), actions: try actions(root), entities: entities,
            stateSchema: UInt32(try root.integer("state_schema", in: 0...Int(UInt32.max)) ?? 1))
    }

    /// The ABI version this daemon offers.
    static let abi = 1

    private func semanticVersion(_ root: ManifestSection) throws(BerthError) -> String {
        let text = try root.requiredText("version", max: 128)
        let core = text.split(separator: "+", maxSplits: 1)[0].split(separator: "-", maxSplits: 1)[0].split(
            separator: ".", omittingEmptySubsequences: false)
        guard core.count == 3, core.allSatisfy({ UInt32($0) != nil && ($0 == "0" || !$0.hasPrefix("0")) }) else {
            throw root.refusal("version", "\"\(text)\" is not a semantic version", hint: "such as 1.4.0 or 2.0.0-beta.1")
        }
        return text
    }

    private func libraries(_ root: ManifestSection) throws(BerthError) -> [String: PluginManifest.Library] {
        var libraries: [String: PluginManifest.Library] = [:]
        for (platform, section) in try root.namedSections("library", keys: ["file", "sha256"]) {
            let file = try section.requiredText("file", max: 255)
            guard !file.contains("/"), file != ".", file != "..", !file.contains("\0") else {
                throw section.refusal(
                    "file", "\"\(file)\" is not a plain file name", hint: "the library stands in the bundle's folder itself")
            }
            let digest = try section.text("sha256") ?? ""
            guard
                digest.isEmpty || (digest.utf8.count == 64 && digest.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) })
            else {
                throw section.refusal(
                    "sha256", "\"\(digest.prefix(80))\" is not a SHA-256 in lower-case hex", hint: "berthctl plugin seal writes it")
            }
            libraries[platform] = .init(file: file, sha256: digest)
        }
        guard !libraries.isEmpty else {
            throw root.refusal("library", "names no library", hint: "[library] linux-x86_64 = { file = \"lib<id>.so\", sha256 = \"\" }")
        }
        return libraries
    }

    private func runtime(_ root: ManifestSection) throws(BerthError) -> PluginManifest.Runtime {
        var runtime = PluginManifest.Runtime()
        guard
            let section = try root.section(
                "runtime",
                keys: [
                    "isolation", "max_concurrency", "memory_mib", "event_batch", "event_deadline_seconds", "page_deadline_seconds",
                    "action_deadline_seconds",
                ])
        else { return runtime }
        runtime.isolation = try section.choice("isolation", Isolation.allCases)
        runtime.maxConcurrency = try section.integer("max_concurrency", in: 1...64) ?? runtime.maxConcurrency
        runtime.memoryMiB = try section.integer("memory_mib", in: 16...65_536) ?? runtime.memoryMiB
        runtime.eventBatch = try section.integer("event_batch", in: 1...1024) ?? runtime.eventBatch
        runtime.eventDeadlineSeconds = try section.integer("event_deadline_seconds", in: 1...3600) ?? runtime.eventDeadlineSeconds
        runtime.pageDeadlineSeconds = try section.integer("page_deadline_seconds", in: 1...3600) ?? runtime.pageDeadlineSeconds
        runtime.actionDeadlineSeconds = try section.integer("action_deadline_seconds", in: 1...3600) ?? runtime.actionDeadlineSeconds
        return runtime
    }

    private func http(_ root: ManifestSection, _ settings: [String: SettingSpec]) throws(BerthError) -> PluginManifest.HTTP {
        var http = PluginManifest.HTTP()
        let keys = ["base_url", "allowed_hosts", "max_concurrent", "timeout_seconds", "rate_limits", "throttle", "cache"]
        guard let section = try root.section("http", keys: keys)
        else { return http }
        if let url = try section.text("base_url") {
            guard url.hasPrefix("https://") || url.hasPrefix("http://"), !url.hasSuffix("/") else {
                throw section.refusal(
                    "base_url", "\"\(url.prefix(120))\" is not an address", hint: "https://host[:port][/path] without a slash at its end")
            }
            for piece in url.split(separator: "{").dropFirst() {
                let name = String(piece.prefix { $0 != "}" })
                guard piece.contains("}"), settings[name] != nil else {
                    let meant = NearestName.of(name, among: settings.keys)
                    throw section.refusal(
                        "base_url", "{\(name)} is not one of the plugin's settings",
                        hint: meant.map { "did you mean {\($0)}?" })
                }
            }
            http.baseURL = url
        }
        http.allowedHosts = try section.texts("allowed_hosts") ?? []
        for host in http.allowedHosts {
            let plain = host.hasPrefix("*.") ? String(host.dropFirst(2)) : host
            guard !plain.isEmpty,
                plain.utf8.allSatisfy({ $0 < 128 && ($0 == 45 || $0 == 46 || ($0 | 32 >= 97 && $0 | 32 <= 122) || (48...57).contains($0)) })
            else {
                throw section.refusal(
                    "allowed_hosts", "\"\(host.prefix(80))\" is not a host name",
                    hint: "api.example.com or *.example.com, no scheme, no port")
            }
        }
        http.maxConcurrent = try section.integer("max_concurrent", in: 1...256) ?? http.maxConcurrent
        http.timeoutSeconds = try section.integer("timeout_seconds", in: 1...3600) ?? http.timeoutSeconds
        http.rateLimits = try LimitReader.rateLimits(section)
        http.throttles = try LimitReader.throttles(section)
        http.cache = try HTTPCacheReader.cache(section)
        return http
    }

    private func credentials(_ root: ManifestSection, _ settings: [String: SettingSpec]) throws(BerthError) -> [CredentialSpec] {
        var specs: [CredentialSpec] = []
        for section in try root.sections("credentials", keys: ["kind", "placements", "oauth", "rotation_days"]) {
            guard let kind = try section.choice("kind", CredentialSpec.Kind.allCases) else {
                throw section.refusal("kind", "is required and missing")
            }
            guard !specs.contains(where: { $0.kind == kind }) else {
                throw section.refusal("kind", "\"\(kind.rawValue)\" stands here twice")
            }
            var placements: [CredentialSpec.Placement] = []
            for placement in try section.sections("placements", keys: ["field", "in", "scheme", "name"]) {
                let field = try placement.requiredText("field", max: 64)
                let place: CredentialSpec.Placement.Place
                switch try placement.requiredText("in") {
                case "authorization": place = .authorization(scheme: try placement.text("scheme") ?? "Bearer")
                case "header":
                    guard let name = try placement.headerName("name") else { throw placement.refusal("name", "is required and missing") }
                    place = .header(name)
                case "query": place = .query(try placement.requiredText("name"))
                case let other: throw placement.unknownChoice("in", other, ["authorization", "header", "query"])
                }
                placements.append(.init(field: field, place: place))
            }
            if kind == .apiKey, placements.isEmpty {
                throw section.refusal(
                    "placements", "says not where the key goes",
                    hint: "placements = [{ field = \"token\", in = \"authorization\", scheme = \"Bearer\" }]")
            }
            if kind.isOAuth, placements.isEmpty { placements = [.init(field: "access_token", place: .authorization(scheme: "Bearer"))] }
            specs.append(
                CredentialSpec(
                    kind: kind, placements: kind == .basic ? [] : placements, oauth: try OAuthReader.oauth(section, kind, settings),
                    rotationDays: try section.integer("rotation_days", in: 0...3650)))
        }
        return specs
    }

    private func streams(_ root: ManifestSection, _ entities: [EntityDefinition]) throws(BerthError) -> [StreamSpec] {
        let known = (EntityDefinition.builtIn + entities).map(\.name.text)
        var streams: [StreamSpec] = []
        for section in try root.sections(
            "streams", keys: ["name", "entity", "readable", "writable", "incremental", "overlap", "schedule", "deletes_unseen"])
        {
            let name = try section.name("name", as: StreamName.self)
            guard !streams.contains(where: { $0.name == name }) else { throw section.refusal("name", "stream \(name) stands here twice") }
            let entity = try section.name("entity", as: EntityName.self)
            guard known.contains(entity.text) else { throw section.unknownChoice("entity", entity.text, known) }
            streams.append(
                StreamSpec(
                    name: name, entity: entity, isReadable: try section.bool("readable") ?? true,
                    isWritable: try section.bool("writable") ?? false, isIncremental: try section.bool("incremental") ?? false,
                    overlapSeconds: try overlap(section), defaultSchedule: try schedule(section),
                    deletesUnseen: try section.bool("deletes_unseen") ?? false))
            // Records don't say which stream they came from: what one read does not show may be the other's.
            let sharing = streams.filter { $0.entity == entity && $0.isReadable }
            if sharing.count > 1, sharing.contains(where: \.deletesUnseen) {
                throw section.refusal(
                    "entity",
                    "\(entity) is read by \(sharing.map(\.name.text).joined(separator: " and ")), of which one has deletes_unseen",
                    hint:
                        "a full read of one would delete what the other read: give them entities of their own, or leave deletes_unseen out")
            }
        }
        return streams
    }

    /// Whether this machine knows its zone is seen where a connection takes it over: a bundle is read on other machines too.
    private func schedule(_ section: ManifestSection) throws(BerthError) -> String? {
        guard let text = try section.text("schedule", max: 256) else { return nil }
        do { _ = try Schedule(text) } catch {
            throw section.refusal("schedule", "\"\(text.prefix(80))\": \(error.message)", hint: "every 30s|5m|1h|1d, or cron 0 3 * * *")
        }
        return text
    }

    private func overlap(_ section: ManifestSection) throws(BerthError) -> Int64 {
        guard let text = try section.text("overlap") else { return 0 }
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let last = text.last, let unit = units[last], let number = Int64(text.dropLast()), (0...1_000_000).contains(number) else {
            throw section.refusal("overlap", "\"\(text.prefix(40))\" is not a length of time", hint: "a number and s, m, h or d: 72h")
        }
        return number * unit
    }

    private func actions(_ root: ManifestSection) throws(BerthError) -> [ActionSpec] {
        var actions: [ActionSpec] = []
        for section in try root.sections("actions", keys: ["name", "help", "input_schema"]) {
            let name = try section.requiredText("name", max: 64)
            guard StreamName(name) != nil else { throw section.refusal("name", "\"\(name)\" is not a name") }
            guard !actions.contains(where: { $0.name == name }) else { throw section.refusal("name", "action \(name) stands here twice") }
            let schema = try section.text("input_schema", max: 65_536, lines: true)
            if let schema { try Self.check(schema: schema, section) }
            actions.append(ActionSpec(name: name, help: try section.text("help", lines: true) ?? "", inputSchema: schema))
        }
        return actions
    }

    private static func check(schema: String, _ section: ManifestSection) throws(BerthError) {
        let value: JSONValue
        do throws(JSONError) { value = JSONValue(try JSONDocument(Array(schema.utf8)).root) } catch {
            throw section.refusal("input_schema", "is not JSON: \(error)")
        }
        guard value.objectValue != nil else { throw section.refusal("input_schema", "is not a JSON object") }
        do { _ = try JSONSchema(value) } catch {
            throw section.refusal("input_schema", error.message, hint: "docs/manifest.md lists the keywords that Berth checks")
        }
    }

    private func entities(_ root: ManifestSection) throws(BerthError) -> [EntityDefinition] {
        var entities: [EntityDefinition] = []
        for section in try root.sections("entities", keys: ["name", "fields"]) {
            let name = try section.name("name", as: EntityName.self)
            guard !(EntityDefinition.builtIn + entities).contains(where: { $0.name == name }) else {
                throw section.refusal("name", "entity \(name) exists already", hint: "map the stream to it instead")
            }
            var fields: [FieldDefinition] = []
            for field in try section.sections("fields", keys: ["name", "type", "values", "indexed", "required", "references"]) {
                let fieldName = try field.requiredText("name", max: 64)
                guard !FieldDefinition.reservedNames.contains(fieldName) else {
                    throw field.refusal(
                        "name", "\"\(fieldName)\" is what every record has already",
                        hint: "give the field another name: \(name)_\(fieldName)")
                }
                guard FieldDefinition.isName(fieldName), !fields.contains(where: { $0.name == fieldName }) else {
                    throw field.refusal(
                        "name", "\"\(fieldName)\" is not a field name or stands here twice", hint: "a-z, then a-z 0-9 _, 63 at most")
                }
                guard let type = try field.choice("type", FieldDefinition.FieldType.allCases) else {
                    throw field.refusal("type", "is required and missing")
                }
                let values = try field.texts("values") ?? []
                guard (type == .enumeration) == !values.isEmpty else {
                    throw field.refusal(
                        "values", type == .enumeration ? "an enumeration needs its values" : "only an enumeration has values")
                }
                fields.append(
                    FieldDefinition(
                        fieldName, type, isRequired: try field.bool("required") ?? false, isIndexed: try field.bool("indexed") ?? false,
                        values: values,
                        references: try field.text("references") == nil ? nil : try field.name("references", as: EntityName.self)))
            }
            guard !fields.isEmpty else { throw section.refusal("fields", "names no field") }
            entities.append(EntityDefinition(name: name, fields: fields))
        }
        return entities
    }
}
