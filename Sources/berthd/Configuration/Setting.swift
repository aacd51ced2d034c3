// Every setting of the daemon, declared once: its place, type, bounds, default and meaning. The file, the
// environment, the flags, the checks and `berthd --help-config` all come from this table.

import BerthModel

/// One setting.
struct Setting: Sendable {
    enum Kind: Sendable {
        case text
        case integer(ClosedRange<Int>)
        case boolean
        case list
        case choice([String])
    }

    enum Value: Sendable, Equatable {
        case text(String)
        case integer(Int)
        case boolean(Bool)
        case list([String])
    }

    let section: String
    let key: String
    let kind: Kind
    let fallback: Value
    let help: String
    /// What its text must look like, beyond being text.
    let form: SettingForm?

    var name: String { "\(section).\(key)" }
    /// `BERTH_SERVER_LISTEN`
    var environmentName: String { "BERTH_\(section)_\(key)".uppercased() }

    static let all: [Setting] = [
        .init(
            "server", "listen", .text, .text("127.0.0.1:8700"),
            "Address and port of the public listener; port 0 picks a free one", form: .address),
        .init(
            "server", "public_url", .text, .text(""),
            "How providers reach the listener, for the webhook URLs shown; empty: http://LISTEN", form: .webAddress),
        .init("server", "max_body_bytes", .integer(1024...26_214_400), .integer(10_485_760), "Largest webhook body"),
        .init("server", "max_connections", .integer(8...100_000), .integer(1024), "Public connections at once"),
        .init("server", "max_connections_per_address", .integer(1...100_000), .integer(64), "Public connections at once from one address"),
        .init("server", "head_seconds", .integer(1...600), .integer(10), "From connecting, or the last answer, to a whole request head"),
        .init("server", "request_seconds", .integer(1...3600), .integer(30), "From the head to the end of a request's body"),
        .init(
            "server", "min_body_rate", .integer(0...1_048_576), .integer(1024), "Bytes a second that a body must bring after five seconds"),
        .init(
            "control", "socket", .text, .text(""),
            "Path of the control socket; empty: RUNTIME_DIRECTORY/control.sock or /run/berth/control.sock", form: .absolutePath),
        .init("control", "mode", .text, .text("0660"), "Its mode, octal", form: .mode),
        .init(
            "control", "group", .text, .text("berth"),
            "Its group; members get group_role; a group that does not exist is left out with a warning"),
        .init("control", "group_role", .choice(["read", "operate", "admin"]), .text("operate"), "What members of the group may do"),
        .init("control", "stall_seconds", .integer(1...600), .integer(30), "How long a feed reader may read nothing before it is dropped"),
        .init(
            "store", "url", .text, .text(""),
            "sqlite:///path; empty: STATE_DIRECTORY/berth.db or /var/lib/berth/berth.db", form: .database),
        .init("store", "ballast_mib", .integer(0...4096), .integer(64), "Space held back so that deletion works on a full disk"),
        .init(
            "store", "queue_max", .integer(64...1_000_000), .integer(20_000),
            "Writes waiting for a commit before deliveries are answered 503"),
        .init(
            "plugins", "directories", .list, .list(["/usr/lib/berth/plugins"]),
            "Folders whose subfolders are plugin bundles", form: .absolutePath),
        .init(
            "plugins", "isolation", .choice(["worker", "in-process"]), .text("worker"),
            "Where plugins run unless their manifest says otherwise"),
        .init(
            "plugins", "sandbox", .choice(["required", "best-effort"]), .text("required"),
            "Whether a worker may run where the kernel lacks Landlock or seccomp"),
        .init(
            "plugins", "trusted_keys", .list, .list([]),
            "PEM files with Ed25519 public keys of those whose signed bundles count as theirs", form: .absolutePath),
        .init(
            "plugins", "require_signature", .boolean, .boolean(false), "Whether a bundle without a signature by a trusted key is refused"),
        .init(
            "plugins", "worker", .text, .text(""),
            "Path of berth-worker; empty: beside berthd, or /usr/lib/berth/berth-worker", form: .absolutePath),
        .init(
            "vault", "key_file", .text, .text(""),
            "File with the vault key, mode 0600; empty: the systemd credential berth-vault-key, or vault.key beside the database",
            form: .absolutePath),
        .init("vault", "create_key", .boolean, .boolean(true), "Make the key file when there is neither a key nor a sealed secret yet"),
        .init(
            "cache", "max_mib", .integer(0...65_536), .integer(256),
            "MiB that kept answers of providers may take in cache.db beside the database; 0: none are kept"),
        .init("dispatch", "lanes", .integer(1...1024), .integer(16), "Connections whose events are processed at once"),
        .init("sync", "max_concurrent", .integer(1...256), .integer(32), "Sync runs at once; of one provider at most half of them, and 16"),
        .init("retention", "event_days", .integer(1...3650), .integer(30), "Days that processed events are kept"),
        .init("retention", "dead_letter_days", .integer(1...3650), .integer(90), "Days that dead letters are kept"),
        .init("retention", "dedup_days", .integer(30...3650), .integer(30), "Days that dedup keys are kept"),
        .init("retention", "notice_hours", .integer(1...8760), .integer(48), "Hours that feed notices are kept"),
        .init("retention", "audit_days", .integer(1...3650), .integer(365), "Days that audit entries are kept"),
        .init("retention", "run_days", .integer(1...3650), .integer(90), "Days that sync runs are kept"),
        .init("retention", "request_days", .integer(1...365), .integer(7), "Days that the log of requests to providers is kept"),
        .init("retention", "request_rows", .integer(1000...10_000_000), .integer(100_000), "Rows of that log, the newest"),
        .init(
            "credentials", "rotation_days", .integer(0...3650), .integer(90),
            "Age at which a connection's credentials are shown as due for new ones; 0: never"),
        .init(
            "egress", "allowed_hosts", .list, .list([]),
            "Only these of the hosts that manifest or base_url allow: HOST, *.DOMAIN or *, with :PORT or without; left out: all of them",
            form: .hosts),
        .init(
            "egress", "denied_hosts", .list, .list([]),
            "Hosts that no request may go to, whoever allows them; as allowed_hosts, without a port: all ports",
            form: .hosts),
        .init(
            "egress", "private_networks", .list, .list([]),
            "Private address ranges that requests to providers may reach, as CIDR", form: .network),
        .init(
            "egress", "proxy", .text, .text(""),
            "The proxy that all requests to providers go by: http://, https:// or socks5h://HOST:PORT, without credentials; empty: none",
            form: .proxy),
        .init(
            "egress", "proxy_credentials_file", .text, .text(""),
            "File with USER:PASSWORD for the proxy, mode 0600, or the name of a systemd credential; empty: none", form: .credentialFile),
        .init(
            "egress", "ca_file", .text, .text(""),
            "PEM file of the certificate authorities that are trusted, in place of the system's; empty: the system's", form: .absolutePath),
        .init(
            "log", "level", .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), .text("info"),
            "Least level that is logged"),
        .init("log", "format", .choice(["json", "text"]), .text("json"), "One JSON object or one readable line per entry"),
        .init(
            "log", "provider_requests", .choice(["off", "metadata"]), .text("metadata"),
            "Whether requests to providers are logged: when, where to, status and time; never headers or bodies"),
    ]

    init(_ section: String, _ key: String, _ kind: Kind, _ fallback: Value, _ help: String, form: SettingForm? = nil) {
        self.section = section
        self.key = key
        self.kind = kind
        self.fallback = fallback
        self.help = help
        self.form = form
    }

    /// Settings that a workspace may have of its own: those of [egress], below [workspaces.NAME.egress].
    static func ofWorkspace(_ name: String) -> [Setting] {
        all.filter { $0.section == "egress" }.map {
            .init(
                "workspaces.\(name).egress", $0.key, $0.kind, $0.fallback,
                "The same for the connections of this workspace, in place of egress.\($0.key)", form: $0.form)
        }
    }

    /// The setting of that name; of a workspace's for `workspaces.acme.egress.proxy`.
    static func named(_ name: String) -> Setting? {
        guard let workspace = workspace(in: name) else { return all.first { $0.name == name } }
        return WorkspaceName(workspace).flatMap { ofWorkspace($0.text).first { $0.name == name } }
    }

    /// `acme` of `workspaces.acme.egress.proxy`; nil for other settings.
    static func workspace(in name: String) -> String? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count > 1 && parts[0] == "workspaces" ? String(parts[1]) : nil
    }

    /// The name that was probably meant: of the same section if there is such a section.
    static func nearest(_ name: String) -> String? {
        if let workspace = workspace(in: name) {
            let own = ofWorkspace(WorkspaceName(workspace)?.text ?? "NAME")
            let key = String(name.split(separator: ".").last ?? "")
            return own.first { $0.key == key }?.name
                ?? NearestName.of(key, among: own.map(\.key)).flatMap { near in own.first { $0.key == near }?.name }
        }
        let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
        let section = all.filter { $0.section == parts.first }
        guard parts.count == 2, !section.isEmpty else { return NearestName.of(name, among: all.map(\.name)) }
        if let key = NearestName.of(parts[1], among: section.map(\.key)) { return "\(parts[0]).\(key)" }
        return all.first { $0.key == parts[1] }?.name
    }

    /// `; did you mean [server]?`, or nothing.
    static func nearestSection(_ name: String) -> String {
        NearestName.of(name, among: (Set(all.map(\.section)).union(["workspaces"])).sorted()).map { "; did you mean [\($0)]?" } ?? ""
    }

    /// Reads the value from text (environment, flag); an error message otherwise.
    func value(fromText text: String) -> Result<Value, SettingProblem> {
        switch kind {
        case .text, .choice: return checked(.text(text))
        case .integer: return Int(text).map { checked(.integer($0)) } ?? .failure(.init("'\(text)' is not a whole number"))
        case .boolean:
            switch text.lowercased() {
            case "true", "1", "yes", "on": return .success(.boolean(true))
            case "false", "0", "no", "off": return .success(.boolean(false))
            default: return .failure(.init("'\(text)' is neither true nor false"))
            }
        case .list: return checked(.list(text.split(separator: ",").map { String($0).trimmed }))
        }
    }

    /// Checks type and bounds.
    func checked(_ value: Value) -> Result<Value, SettingProblem> {
        switch (kind, value) {
        case (.boolean, .boolean): return .success(value)
        case (.text, .text(let text)):
            if let problem = form?.problem(of: text) { return .failure(problem) }
            return .success(value)
        case (.list, .list(let texts)):
            for text in texts { if let problem = form?.problem(of: text) { return .failure(problem) } }
            return .success(value)
        case (.integer(let range), .integer(let number)):
            guard range.contains(number) else {
                return .failure(.init("\(number) is outside \(range.lowerBound) to \(range.upperBound)"))
            }
            return .success(value)
        case (.choice(let choices), .text(let text)):
            guard choices.contains(text) else {
                let nearest = NearestName.of(text, among: choices).map { "; did you mean '\($0)'?" } ?? ""
                return .failure(.init("'\(text)' is not one of \(choices.joined(separator: ", "))\(nearest)"))
            }
            return .success(value)
        default: return .failure(.init("\(value.article) where \(kind.article) is expected"))
        }
    }
}

/// Why a value is refused.
struct SettingProblem: Error {
    let message: String
    init(_ message: String) { self.message = message }
}

extension Setting.Kind {
    var article: String {
        switch self {
        case .text, .choice: "text"
        case .integer: "a whole number"
        case .boolean: "true or false"
        case .list: "a list of texts"
        }
    }
}

extension Setting.Kind {
    /// The type with its bounds, for help.
    var detail: String {
        switch self {
        case .integer(let range): "\(article) from \(range.lowerBound) to \(range.upperBound)"
        case .choice(let choices): "one of \(choices.joined(separator: ", "))"
        case .text, .boolean, .list: article
        }
    }
}

extension Setting.Value {
    var article: String {
        switch self {
        case .text: "text"
        case .integer: "a whole number"
        case .boolean: "true or false"
        case .list: "a list"
        }
    }
}

extension String {
    /// Without blanks at both ends.
    var trimmed: String {
        var slice = self[...]
        while slice.first?.isWhitespace == true { slice.removeFirst() }
        while slice.last?.isWhitespace == true { slice.removeLast() }
        return String(slice)
    }
}
