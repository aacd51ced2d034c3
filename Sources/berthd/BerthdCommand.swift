// berthd: the command line. The table of contents of what runs is Daemon.swift.

import ArgumentParser
import BerthModel
import BerthStoreSQLite
import Foundation
import Logging
import Synchronization

@main
struct BerthdCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "berthd", abstract: "Berth, the integration daemon: takes providers' webhooks, runs syncs, hosts plugins.",
        discussion: """
            Settings come from --set, then the environment (BERTH_SECTION_KEY), then the file, then defaults; --help-config lists them. \
            The daemon is steered over its control socket: see berthctl(1). SIGTERM stops it with nothing lost; SIGHUP is ignored: settings are \
            read at the start only.
            """,
        version: BerthVersion.current)

    @Option(name: .customLong("config"), help: "Configuration file; default /etc/berth/berth.toml if it exists.")
    var file: String?

    @Flag(help: "Check the configuration and what it names - folders, keys, programs - and exit: 0 when it is right, 78 when not.")
    var check = false

    @Option(name: .customLong("set"), help: ArgumentHelp("Override one setting.", valueName: "section.key=value"))
    var overrides: [String] = []

    @Flag(help: "Take deliveries in and answer the control socket, but dispatch and sync nothing: to find and pause what ends a daemon.")
    var hold = false

    @Option(help: ArgumentHelp("Put a backup in the database's place, while no berthd runs on it.", valueName: "backup"))
    var restore: String?

    @Flag(name: .customLong("help-config"), help: "List every setting with its default, environment name and meaning.")
    var helpConfig = false

    @Argument(help: .hidden)
    var mode: String?

    func validate() throws {
        guard mode == nil || mode == "exchange-token" else { throw ValidationError("Unexpected argument '\(mode ?? "")'") }
        guard restore == nil || !check else { throw ValidationError("--check only looks: leave it or --restore out.") }
    }

    func run() async throws {
        if mode != nil {
            Hardening.closeProcess()
            throw ExitCode(await TokenExchange.run())
        }
        if helpConfig { return print(Self.settingsHelp) }
        Hangup.ignore()
        Hardening.quietBacktraces()
        let environment = ProcessInfo.processInfo.environment
        do {
            let configuration = try Configuration.load(file: file ?? Self.defaultFile, environment: environment, flags: overrides)
            let egress = try EgressSettings.load(configuration, environment)
            Hardening.closeProcess()
            let daemon = Daemon(configuration: configuration, egress: egress, environment: environment, isHeld: hold)
            if check {
                for notice in try daemon.check() { FileHandle.standardError.write(Data("notice: \(notice)\n".utf8)) }
                return print("configuration ok")
            }
            if let restore {
                let kept = try StoreRestore.run(path: try daemon.storePath(), backup: restore, now: SystemClock().now())
                print("restored from \(restore)\(kept.map { "; what was there before: \($0)" } ?? "")")
                return print("the vault key must be the one of the backup's time or its .old; start berthd")
            }
            LineLogHandler.level.withLock { $0 = Logger.Level(rawValue: configuration.text("log.level")) ?? .info }
            let format = LineLogHandler.Format(rawValue: configuration.text("log.format")) ?? .json
            LoggingSystem.bootstrap { LineLogHandler(label: $0, format: format) }
            try await daemon.run()
        } catch let error as BerthError {
            Self.report(error)
            throw ExitCode(check || error.code.rawValue.hasPrefix("configuration") ? 78 : 70)
        }
    }

    /// To standard error in plain words: what stops a start must be readable without a log reader.
    private static func report(_ error: BerthError) {
        var text = "berthd: \(error.message)\n"
        if let hint = error.hint { text += "hint: \(hint)\n" }
        FileHandle.standardError.write(Data(text.utf8))
    }

    private static var defaultFile: String? {
        FileManager.default.fileExists(atPath: "/etc/berth/berth.toml") ? "/etc/berth/berth.toml" : nil
    }

    private static var settingsHelp: String {
        let all = Setting.all.map { setting in
            "\(setting.name)  (\(setting.environmentName), \(setting.kind.detail), default \(setting.fallback.shown))\n    \(setting.help)"
        }
        let ofWorkspaces = Setting.ofWorkspace("NAME").map { setting in
            "\(setting.name)  (no environment name, \(setting.kind.detail), default egress.\(setting.key))\n    \(setting.help)"
        }
        return (all + ofWorkspaces).joined(separator: "\n")
    }
}

extension Setting.Value {
    var shown: String {
        switch self {
        case .text(let text): text.isEmpty ? "empty" : text
        case .integer(let number): String(number)
        case .boolean(let flag): String(flag)
        case .list(let list): list.isEmpty ? "empty" : list.joined(separator: ",")
        }
    }
}

/// The version that all parts show.
enum BerthVersion {
    static let current = "0.1.0"
}
