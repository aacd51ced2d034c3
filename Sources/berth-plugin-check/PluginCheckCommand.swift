// berth-plugin-check: a hostile host for plugins, and the sealing of bundles. `berthctl plugin check` and `seal` run it; it needs no
// daemon and is none.

import ArgumentParser

@main
struct PluginCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "berth-plugin-check", abstract: "Checks and seals plugin bundles, without a daemon.",
        subcommands: [CheckCommand.self, SealCommand.self, CaseCommand.self])
}
