// berthctl: the control API on the command line. `berthctl NOUN VERB`.

import ArgumentParser
import BerthModel

@main
struct BerthctlCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "berthctl", abstract: "Looks at and steers a running berthd over its control socket.",
        discussion: """
            Add --output json for scripts. Secrets are read from files (--credential token=@FILE) so that they do not show in the \
            process list. Exit status follows sysexits.h: 64 usage, 65 refused, 66 not found, 69 no daemon, 74 output lost, \
            75 try again, 77 not allowed.
            Completion scripts: berthctl --generate-completion-script bash|zsh|fish.
            """,
        version: "0.1.0",
        subcommands: [
            StatusCommand.self, HealthCommand.self, PluginCommand.self, ConnectionCommand.self, SyncCommand.self, EventCommand.self,
            RecordCommand.self, ActionCommand.self, DeadLetterCommand.self, FeedCommand.self, AuditCommand.self, RequestsCommand.self,
            MetricsCommand.self,
            LogCommand.self, BackupCommand.self, VaultCommand.self,
        ])

    static func main() { main(GlobalOptions.moved(Array(CommandLine.arguments.dropFirst()))) }
}
