// plugin list|show|install|reload|rollback|remove; new|seal|sign|check stand in PluginAuthorCommands.

import ArgumentParser
import BerthModel

struct PluginCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugin", abstract: "Plugins: list, look at, install, reload, roll back; make, seal, sign and check your own.",
        subcommands: [
            List.self, Show.self, Install.self, Reload.self, Rollback.self, Remove.self, New.self, Seal.self, Sign.self, Check.self,
        ])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Installed plugins.")
        @OptionGroup var options: SessionOptions
        func run() throws {
            try Session.run(options) {
                try $0.show(
                    list: $0.ask("GET", "/v1/plugins"),
                    [
                        ("ID", "id"), ("VERSION", "version"), ("STATE", "state"), ("ISOLATION", "isolation"), ("GEN", "generation"),
                        ("RESTARTS", "restarts"), ("PROBLEM", "problem.detail"),
                    ])
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One plugin: settings, credentials, streams, actions.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Plugin id.") var id: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("GET", "/v1/plugins/\(Session.encoded(id))")) }
        }
    }

    struct Install: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Install a bundle folder that lies on the daemon's machine.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Bundle folder, absolute.") var path: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("POST", "/v1/plugins", .object(["path": .string(path)]))) }
        }
    }

    struct Reload: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Load a plugin's bundle again; work in hand ends on the old one.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Plugin id.") var id: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("POST", "/v1/plugins/\(Session.encoded(id))/reload")) }
        }
    }

    struct Rollback: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Go back to the generation before.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Plugin id.") var id: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("POST", "/v1/plugins/\(Session.encoded(id))/rollback")) }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop and forget a plugin; a bundle that was installed over the socket is deleted, a package's stays on disk.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Plugin id.") var id: String
        @Flag(help: "Also while connections use it; their events and syncs wait until it is back.") var force = false
        func run() throws {
            try Session.run(options) { _ = try $0.ask("DELETE", "/v1/plugins/\(Session.encoded(id))\(force ? "?force=true" : "")") }
        }
    }
}
