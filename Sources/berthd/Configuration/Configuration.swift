// The daemon's configuration: flag over environment over file over default, every wrong key or value refused with
// the place it stands and the nearest right name.

import BerthModel
import TOMLKit

/// All settings with their values and origins.
struct Configuration: Sendable {
    private var values: [String: Setting.Value] = [:]
    /// Where a value that is no default stands: `file:line`, an environment name, or the flag.
    private var origins: [String: String] = [:]

    /// Reads and checks everything; throws one error that lists all that is wrong.
    static func load(file: String?, environment: [String: String], flags: [String]) throws(BerthError) -> Configuration {
        var configuration = Configuration()
        var problems: [String] = []
        for setting in Setting.all { configuration.values[setting.name] = setting.fallback }
        if let file { problems += try configuration.read(file: file) }
        problems += configuration.read(environment: environment)
        for flag in flags { problems += configuration.read(flag: flag) }
        guard problems.isEmpty else {
            throw BerthError(
                "configuration_invalid", problems.joined(separator: "\n"),
                hint: "berthd --help-config lists every setting; berthd --config FILE --check tests a file")
        }
        configuration.fillFromSystemd(environment)
        return configuration
    }

    func text(_ name: String) -> String {
        if case .text(let value)? = values[name] { value } else { preconditionFailure("no text setting \(name)") }
    }
    func integer(_ name: String) -> Int {
        if case .integer(let value)? = values[name] { value } else { preconditionFailure("no integer setting \(name)") }
    }
    func boolean(_ name: String) -> Bool {
        if case .boolean(let value)? = values[name] { value } else { preconditionFailure("no boolean setting \(name)") }
    }
    func list(_ name: String) -> [String] {
        if case .list(let value)? = values[name] { value } else { preconditionFailure("no list setting \(name)") }
    }

    /// The value of a setting that stands somewhere; nil: it is the default.
    func given(_ name: String) -> Setting.Value? { origins[name] == nil ? nil : values[name] }

    /// Workspaces that have settings of their own.
    var workspaces: [WorkspaceName] {
        Set(origins.keys.compactMap { Setting.workspace(in: $0).flatMap { WorkspaceName($0) } }).sorted { $0.text < $1.text }
    }

    /// Where a setting's value stands; nil: it is the default.
    func origin(_ name: String) -> String? { origins[name] }

    /// Runs what depends on a setting; its error then also says where that setting stands.
    func blaming<R>(_ name: String, _ body: () async throws(BerthError) -> R) async throws(BerthError) -> R {
        do { return try await body() } catch { throw blamed(name, error) }
    }

    /// An error whose hint also says what a setting is and where it stands.
    func blamed(_ name: String, _ error: BerthError) -> BerthError {
        guard let origin = origins[name], let value = values[name] else { return error }
        var named = error
        named.hint = [error.hint, "\(name) is '\(value.shown)' by \(origin)"].compactMap(\.self).joined(separator: "; ")
        return named
    }

    private mutating func read(environment: [String: String]) -> [String] {
        var problems: [String] = []
        for setting in Setting.all {
            guard let text = environment[setting.environmentName] else { continue }
            origins[setting.name] = setting.environmentName
            switch setting.value(fromText: text) {
            case .success(let value): values[setting.name] = value
            case .failure(let problem): problems.append("\(setting.environmentName): \(problem.message)")
            }
        }
        // A mistyped variable would otherwise change nothing without a word. Other BERTH_ names belong to other programs.
        let names = Setting.all.map(\.environmentName)
        let sections = Set(Setting.all.map { "BERTH_\($0.section)_".uppercased() })
        for name in environment.keys.sorted() where name.hasPrefix("BERTH_WORKSPACES_") {
            problems.append("the environment's \(name) is no setting: those of workspaces stand in the file or after --set")
        }
        for name in environment.keys.sorted() where sections.contains(where: { name.hasPrefix($0) }) && !names.contains(name) {
            let parts = name.dropFirst(6).lowercased().split(separator: "_", maxSplits: 1)
            let meant = Setting.nearest(parts.joined(separator: ".")).flatMap { meant in Setting.all.first { $0.name == meant } }
            let nearest = meant.map { "; did you mean '\($0.environmentName)'?" } ?? ""
            problems.append("the environment's \(name) is no setting\(nearest)")
        }
        return problems
    }

    private mutating func read(flag: String) -> [String] {
        guard let equals = flag.firstIndex(of: "=") else { return ["--set \(flag): expected SECTION.KEY=VALUE"] }
        let name = String(flag[..<equals])
        guard let setting = Setting.named(name) else { return ["--set: \(Self.unknown(name))"] }
        switch setting.value(fromText: String(flag[flag.index(after: equals)...])) {
        case .success(let value):
            values[name] = value
            origins[name] = "--set"
        case .failure(let problem): return ["--set \(name): \(problem.message)"]
        }
        return []
    }

    private mutating func read(file: String) throws(BerthError) -> [String] {
        let source = try ConfigurationFile(path: file)
        var problems: [String] = []
        for entry in source.entries {
            if case .failure(let problem) = entry.value,
                !entry.name.contains(".") || Setting.named(entry.name) == nil && entry.name.hasPrefix("workspaces.")
            {
                problems.append("\(source.place(of: entry.name)): \(entry.name): \(problem.message)")
                continue
            }
            guard let setting = Setting.named(entry.name) else {
                problems.append("\(source.place(of: entry.name)): \(Self.unknown(entry.name))")
                continue
            }
            switch entry.value.flatMap({ setting.checked($0) }) {
            case .success(let value):
                values[entry.name] = value
                origins[entry.name] = source.place(of: entry.name)
            case .failure(let problem): problems.append("\(source.place(of: entry.name)): \(entry.name): \(problem.message)")
            }
        }
        return problems
    }

    private static func unknown(_ name: String) -> String {
        if let workspace = Setting.workspace(in: name), WorkspaceName(workspace) == nil {
            return "'\(workspace)' in '\(name)' is no workspace's name: 1 to 64 of a-z, 0-9, '-' and '_'"
        }
        let parts = name.split(separator: ".")
        if parts.count > 1, parts[0] != "workspaces", Setting.nearestSection(String(parts[0])).contains("[workspaces]") {
            return "there is no setting '\(name)'; did you mean [workspaces.\(parts[1]).egress]?"
        }
        let nearest = Setting.nearest(name).map { "; did you mean '\($0)'?" } ?? ""
        return "there is no setting '\(name)'\(nearest)"
    }

    /// Directories that systemd made for the service stand in for what was left empty.
    private mutating func fillFromSystemd(_ environment: [String: String]) {
        if text("control.socket").isEmpty {
            let directory = environment["RUNTIME_DIRECTORY"].map(Self.first) ?? "/run/berth"
            values["control.socket"] = .text("\(directory)/control.sock")
        }
        if text("store.url").isEmpty {
            let directory = environment["STATE_DIRECTORY"].map(Self.first) ?? "/var/lib/berth"
            values["store.url"] = .text("sqlite://\(directory)/berth.db")
        }
    }

    private static func first(_ directories: String) -> String {
        directories.split(separator: ":").first.map(String.init) ?? directories
    }
}
