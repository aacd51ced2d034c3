// connection add|list|show|connect|set-credentials|check|pause|resume|reset-circuit|clear-cache|disconnect|remove

import ArgumentParser
import BerthModel
import Foundation

struct ConnectionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connection", abstract: "Connections to providers.",
        subcommands: [
            Add.self, List.self, Show.self, Connect.self, SetCredentials.self, Check.self, Pause.self, Resume.self, ResetCircuit.self,
            ClearCache.self,
            Disconnect.self, Remove.self,
        ])

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
        @Option(name: .customLong("credential"), help: "Secret field as NAME=@FILE, or NAME=@- for standard input.") var credentials:
            [String] =
                []
        @Option(name: .customLong("setting"), help: "Setting as NAME=VALUE.") var settings: [String] = []
        @Option(help: "hmac, standard-webhooks, token, basic, plugin; default the plugin's.") var webhookScheme: String?
        @Option(help: "Key deliveries are verified with, as @FILE or @-; generated when left out.") var webhookSecret: String?
        @Option(name: .customLong("allow-ip"), help: "Address or CIDR range that may send webhooks.") var allowIPs: [String] = []
        @Option(name: .customLong("schedule"), help: "STREAM=SCHEDULE, such as calls=\"every 5m\".") var schedules: [String] = []

        func run() throws {
            try Session.run(options) { session in
                var body: [String: JSONValue] = [
                    "provider": .string(provider), "workspace": .string(workspace), "name": .string(name),
                    "settings": .object(try Session.members(settings, option: "--setting")),
                ]
                if let baseURL { body["base_url"] = .string(baseURL) }
                var fields = try Session.members(credentials, option: "--credential", areSecret: true)
                if let credentialKind { fields["kind"] = .string(credentialKind) }
                if !fields.isEmpty { body["credentials"] = .object(fields) }
                var webhook: [String: JSONValue] = [:]
                if let webhookScheme { webhook["scheme"] = .string(webhookScheme) }
                if let webhookSecret { webhook["secret"] = .string(try Session.secret(webhookSecret, option: "--webhook-secret")) }
                if !allowIPs.isEmpty { webhook["allow_ips"] = .array(allowIPs.map { .string($0) }) }
                if !webhook.isEmpty { body["webhook"] = .object(webhook) }
                if !schedules.isEmpty {
                    body["streams"] = .object(try Session.members(schedules, option: "--schedule").mapValues { .object(["schedule": $0]) })
                }
                let added = try session.ask("POST", "/v1/connections", .object(body))
                session.show(added)
                if let url = added["webhook"]?["url"]?.stringValue, let warning = ConnectionCommand.unreachable(url) {
                    Session.tell(warning)
                }
            }
        }
    }

    /// What to say of a webhook URL that no provider can call: it names every address, so no [server] public_url is set.
    static func unreachable(_ url: String) -> String? {
        guard ["http://0.0.0.0:", "http://[::]:"].contains(where: url.hasPrefix) else { return nil }
        return
            "berthctl: the webhook URL names every address of this machine, which no provider can call: set [server] public_url to where "
            + "they reach it, such as https://hooks.example.com, and restart berthd; berthctl connection show then shows the right one"
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "All connections.")
        @OptionGroup var options: SessionOptions
        func run() throws {
            try Session.run(options) {
                try $0.show(
                    list: $0.ask("GET", "/v1/connections"),
                    [
                        ("ID", "id"), ("PROVIDER", "provider"), ("WORKSPACE", "workspace"), ("NAME", "name"), ("STATUS", "status"),
                        ("LAST SYNC", "last_sync_at"), ("FAILURES", "failures"), ("CREDENTIALS DAYS", "credentials_age_days"),
                        ("ROTATION DUE", "rotation_due"), ("LAST ERROR", "last_error"),
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

    struct SetCredentials: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-credentials", abstract: "Give a connection new credentials; the next request uses them.",
            discussion: """
                Example:
                  berthctl connection set-credentials main --credential token=@/root/new.token
                All fields of the kind are given together. What is there says how old it is: berthctl connection show NAME.
                """)
        @OptionGroup var options: SessionOptions
        @Argument(help: "Id, name or provider/name.") var connection: String
        @Option(help: "Credential kind; default the connection's.") var credentialKind: String?
        @Option(name: .customLong("credential"), help: "Secret field as NAME=@FILE, or NAME=@- for standard input.") var credentials:
            [String] =
                []

        func run() throws {
            try Session.run(options) { session in
                var fields = try Session.members(credentials, option: "--credential", areSecret: true)
                if let credentialKind { fields["kind"] = .string(credentialKind) }
                guard !fields.isEmpty else {
                    throw ValidationError("Give --credential NAME=@FILE for each field: berthctl plugin show PROVIDER lists them.")
                }
                session.show(
                    try session.ask("PATCH", "/v1/connections/\(Session.encoded(connection))", .object(["credentials": .object(fields)])))
            }
        }
    }

    struct Connect: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have a person consent at the provider: prints a URL and waits until the browser came back.",
            discussion: """
                The provider sends the browser to the daemon's /oauth/callback below [server] public_url. Where no browser can reach the \
                daemon, give --redirect-uri an address registered with the provider, and paste the browser's address line afterwards:
                  berthctl connection connect NAME --redirect-uri http://localhost:1 --paste
                """)
        @OptionGroup var options: SessionOptions
        @Argument(help: "Id, name or provider/name.") var connection: String
        @Option(help: "Where the provider sends the browser; default the daemon's own callback.") var redirectURI: String?
        @Flag(help: "Read the browser's address line (or the code) from standard input.") var paste = false
        @Option(help: "Seconds to wait for the browser.") var wait: Int = 600

        func run() throws {
            try Session.run(options) { session in
                let path = "/v1/connections/\(Session.encoded(connection))"
                let body: [String: JSONValue] = redirectURI.map { ["redirect_uri": .string($0)] } ?? [:]
                let consent = try session.ask("POST", "\(path)/connect", .object(body))
                guard case .string(let url)? = consent["url"] else { throw ExitCode(70) }
                Session.tell("Open this URL in a browser, it works once and for ten minutes:\n\n  \(url)\n")
                if paste {
                    Session.tell("Paste the address line the browser ended on, or the code:")
                    guard let line = readLine(), !line.isEmpty else { throw ExitCode(66) }
                    let isURL = line.contains("?")
                    session.show(try session.ask("POST", "\(path)/connect/complete", .object([isURL ? "url" : "code": .string(line)])))
                    return
                }
                let began = try session.ask("GET", path)["updated_at"]
                for _ in 0..<max(1, wait * 2) {
                    usleep(500_000)
                    let shown = try session.ask("GET", path)
                    guard case .object(let credentials)? = shown["credentials"], credentials["connected"] == .bool(true),
                        shown["updated_at"] != began
                    else { continue }
                    session.show(shown)
                    return
                }
                Session.tell("Nobody came back within \(wait) s; the link may still be used: berthctl connection show \(connection)")
                throw ExitCode(75)
            }
        }
    }

    struct Disconnect: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Cut off from the provider: tokens are revoked, secrets forgotten, webhooks refused; records stay.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Id, name or provider/name.") var connection: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("POST", "/v1/connections/\(Session.encoded(connection))/disconnect")) }
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try the credential at the provider; exit status 0 when it is accepted, 76 when not.")
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

    struct ClearCache: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "clear-cache", abstract: "Forget kept answers of the provider; the next requests ask it again.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Id, name or provider/name.") var connection: String
        @Option(help: "Only those whose path and query begin with it, such as /api/v2/prospects.") var prefix: String?
        func run() throws {
            try Session.run(options) {
                let query = prefix.map { "?prefix=\(Session.encoded($0))" } ?? ""
                $0.show(try $0.ask("DELETE", "/v1/connections/\(Session.encoded(connection))/cache\(query)"))
            }
        }
    }

    struct ResetCircuit: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send requests again at once after too many failures; the circuit opens again if they go on.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Id, name or provider/name.") var connection: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("POST", "/v1/connections/\(Session.encoded(connection))/reset-circuit")) }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a connection and its secrets; tokens are revoked, its records and events stay.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Id, name or provider/name.") var connection: String
        func run() throws {
            try Session.run(options) { session in
                let answer = try session.ask("DELETE", "/v1/connections/\(Session.encoded(connection))")
                guard let problem = answer["problem"]?.stringValue else { return }
                Session.tell("removed, but the provider may still hold the grant: \(Terminal.safe(problem)); end it there")
            }
        }
    }
}
