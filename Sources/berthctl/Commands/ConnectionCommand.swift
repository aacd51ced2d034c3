// connection add|list|show|check|pause|resume|remove

import ArgumentParser
import BerthModel

struct ConnectionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connection", abstract: "Connections to providers.",
        subcommands: [Add.self, List.self, Show.self, Check.self, Pause.self, Resume.self, Remove.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a connection; prints its webhook URL and, this once, a generated token or secret.",
            discussion: """
                Example:
                  berthctl connection add ringba --name main --credential token=@/root/ringba.token \\
                    --setting account_id=RA1 --schedule calls="every 5m"
                What a provider needs: berthctl plugin show PROVIDER.
                """)
        @OptionGroup var options: SessionOptions
        @Argument(help: "Provider: a plugin's id.") var provider: String
        @Option(help: "Workspace.") var workspace: String = "default"
        @Option(help: "Name, unique per provider and workspace.") var name: String = "main"
        @Option(help: "Overrides the provider's address (private deployments, mocks).") var baseURL: String?
        @Option(help: "Credential kind; default the plugin's first.") var credentialKind: String?
        @Option(name: .customLong("credential"), help: "Secret field as NAME=@FILE (or @- for standard input).") var credentials: [String] = []
        @Option(name: .customLong("setting"), help: "Setting as NAME=VALUE.") var settings: [String] = []
        @Option(help: "hmac, standard-webhooks, token, basic, plugin; default the plugin's.") var webhookScheme: String?
        @Option(help: "Key deliveries are verified with, as @FILE; generated when left out.") var webhookSecret: String?
        @Option(name: .customLong("allow-ip"), help: "Address or CIDR range that may send webhooks.") var allowIPs: [String] = []
        @Option(name: .customLong("schedule"), help: "STREAM=SCHEDULE, such as calls=\"every 5m\".") var schedules: [String] = []

        func run() throws {
            try Session.run(options) { session in
                var body: [String: JSONValue] = [
                    "provider": .string(provider), "workspace": .string(workspace), "name": .string(name),
                    "settings": .object(try Session.members(settings, option: "--setting")),
                ]
                if let baseURL { body["base_url"] = .string(baseURL) }
                var fields = try Session.members(credentials, option: "--credential")
                if let credentialKind { fields["kind"] = .string(credentialKind) }
                if !fields.isEmpty { body["credentials"] = .object(fields) }
                var webhook: [String: JSONValue] = [:]
                if let webhookScheme { webhook["scheme"] = .string(webhookScheme) }
                if let webhookSecret { webhook["secret"] = .string(try Session.value(webhookSecret)) }
                if !allowIPs.isEmpty { webhook["allow_ips"] = .array(allowIPs.map { .string($0) }) }
                if !webhook.isEmpty { body["webhook"] = .object(webhook) }
                if !schedules.isEmpty {
                    body["streams"] = .object(try Session.members(schedules, option: "--schedule").mapValues { .object(["schedule": $0]) })
                }
                session.show(try session.ask("POST", "/v1/connections", .object(body)))
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "All connections.")
        @OptionGroup var options: SessionOptions
        func run() throws {
            try Session.run(options) {
                $0.show(
                    list: try $0.ask("GET", "/v1/connections"),
                    [
                        ("ID", "id"), ("PROVIDER", "provider"), ("WORKSPACE", "workspace"), ("NAME", "name"), ("STATUS", "status"),
                        ("LAST SYNC", "last_sync_at"), ("FAILURES", "failures"), ("LAST ERROR", "last_error"),
                    ])
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One connection.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Id, name or provider/name.") var connection: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("GET", "/v1/connections/\(Session.encoded(connection))")) }
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Try the credential at the provider; exit status 0 when it is accepted, 76 when not.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Id, name or provider/name.") var connection: String
        func run() throws {
            try Session.run(options) { session in
                let result = try session.ask("POST", "/v1/connections/\(Session.encoded(connection))/check")
                session.show(result)
                if result["ok"] != .bool(true) { throw ExitCode(76) }
            }
        }
    }

    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Stop dispatch and syncs; webhooks are still kept.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Id, name or provider/name.") var connection: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("POST", "/v1/connections/\(Session.encoded(connection))/pause")) }
        }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Go on after a pause, and clear an error.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Id, name or provider/name.") var connection: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("POST", "/v1/connections/\(Session.encoded(connection))/resume")) }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a connection and its secrets; its records and events stay.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Id, name or provider/name.") var connection: String
        func run() throws {
            try Session.run(options) { _ = try $0.ask("DELETE", "/v1/connections/\(Session.encoded(connection))") }
        }
    }
}
