// status, health, metrics, audit, log, backup.

import ArgumentParser
import BerthModel

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "status", abstract: "What runs, and how it is.")
    @OptionGroup var options: SessionOptions

    func run() throws {
        try Session.run(options) { $0.show(try $0.ask("GET", "/v1/status")) }
    }
}

struct HealthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Health with its parts; exit status 0 ok or degraded, 69 failing.")
    @OptionGroup var options: SessionOptions

    func run() throws {
        try Session.run(options) { session in
            let health = try session.ask("GET", "/v1/health")
            guard let status = health["status"]?.stringValue, ["ok", "degraded", "failing"].contains(status),
                case .array(let parts)? = health["parts"]
            else { throw Exit.protocolError("it says nothing of health") }
            if session.options.output == .json {
                Output.print(health.text)
            } else {
                var table = Table(["PART", "STATUS", "DETAIL"])
                table.rows = parts.map { [$0.cell("name"), $0.cell("status"), $0.cell("detail")] }
                Output.print(table.text(width: Terminal.width))
                for part in parts {
                    if let hint = part["hint"]?.stringValue { Output.print("\(part.cell("name")): \(Terminal.safe(hint))") }
                }
            }
            if status == "failing" { throw ExitCode(69) }
        }
    }
}

struct MetricsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "metrics", abstract: "Prometheus metrics as text.")
    @OptionGroup var options: SessionOptions

    func run() throws {
        try Session.run(options) { session in
            let answer = try session.client.send("GET", "/metrics")
            guard answer.status == 200 else { throw Exit.refused(answer.status, answer.body) }
            Output.print(String(decoding: answer.body, as: UTF8.self), terminator: "")
        }
    }
}

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "audit", abstract: "Who did what, newest first.")
    @OptionGroup var options: SessionOptions
    @Option(help: "Only entries of this kind, such as webhook.refused; webhook. for all that begin so.") var kind: String?
    @Option(help: "Only by this actor, such as uid:1000 or scheduler.") var actor: String?
    @Option(help: "Only of this connection.") var connection: String?
    @Option(help: "Only at or after this time (RFC 3339 or a date).") var since: String?
    @Option(help: "Only before this time.") var until: String?
    @Option(help: "1 to 1000.") var limit: Int = 50
    @Option(help: "Next page.") var cursor: String?

    func run() throws {
        try Session.run(options) { session in
            let query = Session.query([
                ("kind", kind), ("actor", actor), ("connection", connection), ("since", since), ("until", until), ("limit", String(limit)),
                ("cursor", cursor),
            ])
            try session.show(
                list: session.ask("GET", "/v1/audit" + query),
                [
                    ("AT", "at"), ("KIND", "kind"), ("ACTOR", "actor"), ("ADDRESS", "address"), ("CONNECTION", "connection"),
                    ("DETAIL", "detail"),
                ])
        }
    }
}

struct RequestsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests", abstract: "Requests to providers, newest first; never their headers or bodies.")
    @OptionGroup var options: SessionOptions
    @Option(help: "Only of this connection.") var connection: String?
    @Option(help: "Only of this provider.") var provider: String?
    @Option(help: "Only with this HTTP status.") var status: Int?
    @Flag(help: "Only without an answer, or with 400 and above.") var failed = false
    @Option(help: "Only at or after this time (RFC 3339 or a date).") var since: String?
    @Option(help: "Only before this time.") var until: String?
    @Option(help: "1 to 1000.") var limit: Int = 50
    @Option(help: "Next page.") var cursor: String?

    func run() throws {
        try Session.run(options) { session in
            let query = Session.query([
                ("connection", connection), ("provider", provider), ("status", status.map { String($0) }),
                ("failed", failed ? "true" : nil),
                ("since", since), ("until", until), ("limit", String(limit)), ("cursor", cursor),
            ])
            try session.show(
                list: session.ask("GET", "/v1/requests" + query),
                [
                    ("AT", "at"), ("PROVIDER", "provider"), ("CONNECTION", "connection"),
                    ("METHOD", "method"), ("HOST", "host"), ("PATH", "path"), ("STATUS", "status"),
                    ("FAILURE", "failure"), ("SECONDS", "duration_seconds"), ("WAITED", "waited_seconds"), ("TRIES", "tries"),
                    ("REASON", "reason"),
                ])
        }
    }
}

struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "log", abstract: "Logging.", subcommands: [Level.self])

    struct Level: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change the log level until the next start.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "trace, debug, info, notice, warning, error, critical") var level: String

        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("PUT", "/v1/log/level", .object(["level": .string(level)]))) }
        }
    }
}

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Write a consistent copy of the database while the daemon runs.",
        discussion:
            "To restore: stop berthd, run berthd --config FILE --restore COPY as its user, start. Keep the vault key too."
    )
    @OptionGroup var options: SessionOptions
    @Argument(help: "New file, absolute, on the daemon's machine.") var path: String

    func run() throws {
        try Session.run(options) { $0.show(try $0.ask("POST", "/v1/backup", .object(["path": .string(path)]))) }
    }
}

struct VaultCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vault", abstract: "The key that secrets are sealed with.", subcommands: [Rotate.self])

    struct Rotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change the key while the daemon runs: every secret is sealed again.",
            discussion: """
                With --new-key the daemon makes a key in place of its key file; the one before stays as KEYFILE.old. Back the new key up, \
                and keep the old one with the backups made before. Without it the keys are read again from where they are.
                """)
        @OptionGroup var options: SessionOptions
        @Flag(help: "Make a new key.") var newKey = false

        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("POST", "/v1/vault/rotate", .object(["new_key": .bool(newKey)]))) }
        }
    }
}
