// plugin new|seal|sign|check: what a plugin's author needs. They talk to no daemon.

import ArgumentParser
import Foundation

extension PluginCommand {
    struct New: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a new plugin's source: a complete plugin that builds, to be changed.",
            discussion:
                "In the new folder: `make` builds the bundle ./ID; `berthctl plugin check ID` tries it; `berthctl plugin install $PWD/ID` installs it."
        )
        @Argument(help: "Plugin id: 1 to 64 of a-z 0-9 - _.") var id: String
        @Argument(help: "Folder to make.") var folder: String
        @Flag(help: "In C, with the headers inside, or in Swift, with the SDK package by path.") var language: PluginTemplate.Language =
            .swift
        @Option(help: "The folder plugin-sdk; also BERTH_SDK. Absent: the installed one.") var sdk: String?

        func run() throws {
            try PluginCommand.reporting {
                guard PluginTemplate.isID(id) else {
                    throw Exit.usage("'\(id)' is no plugin id", hint: "1 to 64 of a-z 0-9 - _, beginning with a letter or digit")
                }
                let template = PluginTemplate(id: id, language: language, sdk: try Installation.sdk(sdk))
                for file in try template.write(to: folder) { Output.print("\(folder)/\(file)") }
                Output.print("next: cd \(folder) && make && berthctl plugin check \(id)")
            }
        }
    }

    struct Seal: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the SHA-256 of a bundle's libraries into its plugin.toml.",
            discussion: "Exit status: 0 sealed, 65 plugin.toml is invalid, 66 no bundle or no library there, 73 it can't be written.")
        @Argument(help: "Bundle folder.") var bundle: String
        func run() throws { try PluginCommand.reporting { try CheckProgram.become(["seal", bundle]) } }
    }

    struct Sign: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sign a sealed bundle with an Ed25519 key, for daemons that trust it.",
            discussion: """
                A key: openssl genpkey -algorithm ed25519 -out key.pem && chmod 600 key.pem; its public part, for [plugins] trusted_keys: \
                openssl pkey -in key.pem -pubout. Exit status: 0 signed, 65 bundle or key is invalid, 66 no bundle there, 73 it can't be written.
                """)
        @Argument(help: "Bundle folder.") var bundle: String
        @Option(help: "PEM file with the private key, mode 0600.") var key: String
        @Flag(help: "Keep signatures that fit and stand there already.") var add = false
        func run() throws {
            try PluginCommand.reporting { try CheckProgram.become(["sign", bundle, "--key", key] + (add ? ["--add"] : [])) }
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Treat a bundle's plugin as badly as a host and a provider may, and say what it does wrong.",
            usage:
                "berthctl plugin check BUNDLE [--output json] [--junit FILE] [--seed N] [--timeout SECONDS] [--settings JSON] [--case NAME ...] [--list]",
            discussion: """
                Loads the plugin in processes of its own, unconfined: check only what you would run. \
                Options and exit status, one per outcome: berthctl plugin check --help.
                """,
            helpNames: [])
        @Argument(parsing: .captureForPassthrough, help: "Passed to berth-plugin-check check.") var arguments: [String] = []
        func run() throws { try PluginCommand.reporting { try CheckProgram.become(["check"] + arguments) } }
    }

    /// As Session.run does, for commands without a daemon.
    static func reporting(_ body: () throws -> Void) throws {
        do {
            try body()
            try Output.flush()
        } catch let exit as Exit {
            var text = "berthctl: \(Terminal.safe(exit.message))\n"
            if let hint = exit.hint { text += "hint: \(Terminal.safe(hint))\n" }
            FileHandle.standardError.write(Data(text.utf8))
            throw ExitCode(exit.code)
        }
    }
}
