// berth-plugin-check: a hostile host for plugins, and the sealing and signing of bundles. `berthctl plugin check` and `seal`,
// `sign` run it; it needs no daemon and is none.

import ArgumentParser

@main
struct PluginCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "berth-plugin-check", abstract: "Checks, seals and signs plugin bundles, without a daemon.",
        subcommands: [CheckCommand.self, SealCommand.self, SignCommand.self, CaseCommand.self])
}
