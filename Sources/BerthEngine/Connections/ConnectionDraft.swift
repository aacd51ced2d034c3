// A connection as somebody asks for it, and what it becomes once checked against its plugin's manifest. Pure.

public import BerthModel
public import BerthSeams

/// A wish for a new connection, or for changes to one. nil members are left as they are.
public struct ConnectionDraft: Sendable {
    /// Unique per provider and workspace.
    public var name: String?
    /// Overrides the provider's address; empty text takes the override away.
    public var baseURL: String?
    /// `api_key`, `basic`.
    public var credentialKind: String?
    /// Secret fields by name.
    public var credentialFields: [String: Secret]?
    /// Settings by name; given ones replace, others stay.
    public var settings: [String: JSONValue]?
    /// Webhook rules.
    public var webhook: WebhookDraft?
    /// Schedule text by stream; empty text: only on demand.
    public var schedules: [String: String]?

    /// Wishes nothing.
    public init() {}

    /// Wished webhook rules.
    public struct WebhookDraft: Sendable {
        /// One of the manifest's schemes.
        public var scheme: String?
        /// The key deliveries are verified with; generated when the scheme needs one and none is given.
        public var secret: Secret?
        /// Addresses and CIDR ranges.
        public var allowIPs: [String]?
        /// Overrides the manifest's header; empty text takes the override away.
        public var header: String?
        /// Overrides the algorithm.
        public var algorithm: String?
        /// Overrides the encoding.
        public var encoding: String?
        /// Overrides the prefix.
        public var prefix: String?
        /// Overrides the tolerance.
        public var toleranceSeconds: Int64?
        /// Wishes nothing.
        public init() {}
    }
}

/// Checks drafts against a manifest.
struct ConnectionRules: Sendable {
    let manifest: PluginManifest

    /// Applies the draft to `connection`, or says all that is wrong with it.
    func apply(_ draft: ConnectionDraft, to connection: inout Connection, isNew: Bool) throws(BerthError) {
        var problems: [String] = []
        if let name = draft.name {
            if WorkspaceName(name) == nil {
                problems.append("name: '\(name)' must be 1 to 64 of a-z, 0-9, '-' and '_', beginning with a letter or digit")
            } else if ConnectionID(name) != nil {
                problems.append("name: '\(name)' has the form of a connection's id, which would be taken for it; choose another")
            }
            connection.name = name
        }
        applyBaseURL(draft, to: &connection, &problems)
        applySettings(draft, to: &connection, &problems)
        applyCredential(draft, to: &connection, isNew: isNew, &problems)
        applyWebhook(draft, to: &connection, &problems)
        applySchedules(draft, to: &connection, isNew: isNew, &problems)
        guard problems.isEmpty else {
            throw BerthError(
                .invalid, problems.joined(separator: "; "),
                hint: "berthctl plugin show \(manifest.id) lists settings, credentials and streams")
        }
    }

    private func applyBaseURL(_ draft: ConnectionDraft, to connection: inout Connection, _ problems: inout [String]) {
        guard let url = draft.baseURL else { return }
        guard !url.isEmpty else {
            connection.baseURL = nil
            return
        }
        let trimmed = url.hasSuffix("/") ? String(url.dropLast()) : url
        if let problem = BaseURL.problem(trimmed) { problems.append("base_url: '\(url)' \(problem)") }
        connection.baseURL = trimmed
    }

    private func applySettings(_ draft: ConnectionDraft, to connection: inout Connection, _ problems: inout [String]) {
        for (name, value) in draft.settings ?? [:] {
            guard let spec = manifest.settings[name] else {
                problems.append("settings.\(name): \(unknown(name, "setting", manifest.settings.keys.sorted()))")
                continue
            }
            if value == .null {
                connection.settings[name] = nil
            } else if let converted = spec.type.convert(value) {
                connection.settings[name] = converted
                let isMissing = spec.isRequired && converted == .string("")
                if let problem = isMissing ? "is required, and must not be empty" : spec.bounds.problem(with: converted) {
                    problems.append("settings.\(name): \(problem)\(Self.told(spec.help))")
                }
            } else {
                problems.append("settings.\(name): \(value.text) is not a \(spec.type.rawValue)")
            }
        }
        for (name, spec) in manifest.settings.sorted(by: { $0.key < $1.key })
        where spec.isRequired && spec.defaultValue == nil && connection.settings[name] == nil {
            problems.append("settings.\(name): is required\(Self.told(spec.help))")
        }
    }

    private static func told(_ help: String) -> String { help.isEmpty ? "" : " (\(help))" }

    private func applyCredential(
        _ draft: ConnectionDraft, to connection: inout Connection, isNew: Bool, _ problems: inout [String]
    ) {
        let kinds = manifest.credentials.map(\.kind.rawValue)
        guard draft.credentialKind != nil || draft.credentialFields != nil else {
            if isNew, !manifest.credentials.isEmpty {
                problems.append("credentials: are required; kinds: \(kinds.joined(separator: ", "))")
            }
            return
        }
        let kind = draft.credentialKind ?? connection.credentialKind?.rawValue ?? kinds.first ?? ""
        guard let spec = manifest.credentials.first(where: { $0.kind.rawValue == kind }) else {
            problems.append("credentials.kind: \(unknown(kind, "credential kind", kinds))")
            return
        }
        let given = draft.credentialFields ?? [:]
        for name in given.keys.sorted() where !spec.fields.contains(name) {
            problems.append("credentials.\(name): \(unknown(name, "field of kind \(kind)", spec.fields))")
        }
        for name in spec.fields where given[name] == nil || given[name]?.count == 0 {
            problems.append("credentials.\(name): is required for kind \(kind)")
        }
        if spec.kind == .basic, given["username"]?.withBytes({ $0.contains(UInt8(ascii: ":")) }) == true {
            problems.append("credentials.username: has a colon, which HTTP Basic takes for the end of the name (RFC 7617)")
        }
        for placement in spec.placements {
            if case .query = placement.place { continue }
            guard given[placement.field]?.withBytes({ $0.allSatisfy(HeaderBytes.allows) }) == false else { continue }
            problems.append("credentials.\(placement.field): holds a line break or another control character, which no header carries")
        }
        connection.credentialKind = spec.kind
    }

    private func applySchedules(
        _ draft: ConnectionDraft, to connection: inout Connection, isNew: Bool, _ problems: inout [String]
    ) {
        if isNew {
            for stream in manifest.streams where stream.isReadable {
                if let schedule = stream.defaultSchedule, draft.schedules == nil { connection.schedules[stream.name] = schedule }
            }
        }
        for (name, text) in (draft.schedules ?? [:]).sorted(by: { $0.key < $1.key }) {
            let readable = manifest.streams.filter(\.isReadable).map(\.name.text)
            guard let stream = StreamName(name), readable.contains(name) else {
                problems.append("streams.\(name): \(unknown(name, "readable stream of \(manifest.id)", readable))")
                continue
            }
            guard !text.isEmpty else {
                connection.schedules[stream] = nil
                continue
            }
            guard text.utf8.count <= 256 else {
                problems.append("streams.\(name).schedule: \(text.utf8.count) bytes are too long (at most 256)")
                continue
            }
            do {
                _ = try Schedule(text)
                connection.schedules[stream] = text
            } catch {
                problems.append("streams.\(name).schedule: \(error.message)\(error.hint.map { " (\($0))" } ?? "")")
            }
        }
    }

    func unknown(_ name: String, _ what: String, _ known: [String]) -> String {
        let nearest = NearestName.of(name, among: known).map { "; did you mean '\($0)'?" } ?? ""
        return "'\(name)' is no \(what)\(nearest) (there are: \(known.isEmpty ? "none" : known.joined(separator: ", ")))"
    }
}

extension SettingSpec.ValueType {
    /// The value in this type; text forms of numbers and booleans are taken, since command lines have only text.
    func convert(_ value: JSONValue) -> JSONValue? {
        switch (self, value) {
        case (.string, .string), (.integer, .integer), (.boolean, .bool), (.number, .integer): value
        // JSON has no other numbers: such a value could be stored, and never be told again.
        case (.number, .number(let number)): number.isFinite ? value : nil
        case (.number, .verbatim(let text)): Double(text).flatMap { $0.isFinite ? .number($0) : nil }
        case (.string, .integer): .string(value.text)
        case (.integer, .string(let text)): Int64(text).map { .integer($0) }
        case (.number, .string(let text)): Double(text).flatMap { $0.isFinite ? .number($0) : nil }
        case (.boolean, .string("true")): .bool(true)
        case (.boolean, .string("false")): .bool(false)
        default: nil
        }
    }
}
