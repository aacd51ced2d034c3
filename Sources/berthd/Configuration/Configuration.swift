// The daemon's configuration: flag over environment over file over default, every wrong key or value refused with
// the place it stands and the nearest right name.

import BerthModel
import TOMLKit

/// All settings with their values and origins.
struct Configuration: Sendable {
    private var values: [String: Setting.Value] = [:]

    /// Reads and checks everything; throws one error that lists all that is wrong.
    static func load(file: String?, environment: [String: String], flags: [String]) throws(BerthError) -> Configuration {
        var configuration = Configuration()
        var problems: [String] = []
        for setting in Setting.all { configuration.values[setting.name] = setting.fallback }
        if let file { problems += try configuration.read(file: file) }
        for setting in Setting.all {
            guard let text = environment[setting.environmentName] else { continue }
            switch setting.value(fromText: text) {
            case .success(let value): configuration.values[setting.name] = value
            case .failure(let problem): problems.append("\(setting.environmentName): \(problem.message)")
            }
        }
        for flag in flags { problems += configuration.read(flag: flag) }
        guard problems.isEmpty else {
            throw BerthError(
                "configuration_invalid", problems.joined(separator: "\n"),
                hint: "berthd --help-config lists every setting; berthd --config FILE --check tests a file")
        }
        configuration.fillFromSystemd(environment)
        return configuration
    }

    func text(_ name: String) -> String { if case .text(let value)? = values[name] { value } else { preconditionFailure("no text setting \(name)") } }
    func integer(_ name: String) -> Int { if case .integer(let value)? = values[name] { value } else { preconditionFailure("no integer setting \(name)") } }
    func boolean(_ name: String) -> Bool { if case .boolean(let value)? = values[name] { value } else { preconditionFailure("no boolean setting \(name)") } }
    func list(_ name: String) -> [String] { if case .list(let value)? = values[name] { value } else { preconditionFailure("no list setting \(name)") } }

    private mutating func read(flag: String) -> [String] {
        guard let equals = flag.firstIndex(of: "=") else { return ["--set \(flag): expected SECTION.KEY=VALUE"] }
        let name = String(flag[..<equals])
        guard let setting = Setting.all.first(where: { $0.name == name }) else { return ["--set: \(Self.unknown(name))"] }
        switch setting.value(fromText: String(flag[flag.index(after: equals)...])) {
        case .success(let value): values[name] = value
        case .failure(let problem): return ["--set \(name): \(problem.message)"]
        }
        return []
    }

    private mutating func read(file: String) throws(BerthError) -> [String] {
        let source = try ConfigurationFile(path: file)
        var problems: [String] = []
        for entry in source.entries {
            guard let setting = Setting.all.first(where: { $0.name == entry.name }) else {
                problems.append("\(source.place(of: entry.name)): \(Self.unknown(entry.name))")
                continue
            }
            switch entry.value.flatMap({ setting.checked($0) }) {
            case .success(let value): values[entry.name] = value
            case .failure(let problem): problems.append("\(source.place(of: entry.name)): \(entry.name): \(problem.message)")
            }
        }
        return problems
    }

    private static func unknown(_ name: String) -> String {
        let nearest = NearestName.of(name, among: Setting.all.map(\.name)).map { "; did you mean '\($0)'?" } ?? ""
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
