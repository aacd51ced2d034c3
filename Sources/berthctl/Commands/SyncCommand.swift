// sync run|list|show|cancel

import ArgumentParser
import BerthModel
import Foundation

struct SyncCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Sync runs.", subcommands: [Run.self, List.self, Show.self, Cancel.self])

    struct Run: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run a stream's sync now, or the one that goes on already, and follow it; exit status 0 when it succeeds.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Id, name or provider/name.") var connection: String
        @Argument(help: "Stream, such as calls.") var stream: String
        @Option(help: "full, incremental or range; default by the stream.") var mode: String?
        @Option(help: "Lower bound, for range and incremental (RFC 3339 or a date).") var since: String?
        @Option(help: "Upper bound (RFC 3339 or a date).") var until: String?
        @Flag(help: "Do not wait for the end.") var noWait = false

        func run() throws {
            try Session.run(options) { session in
                var body: [String: JSONValue] = [:]
                if let mode { body["mode"] = .string(mode) }
                if let since { body["since"] = .string(since) }
                if let until { body["until"] = .string(until) }
                let target = "/v1/connections/\(Session.encoded(connection))/streams/\(Session.encoded(stream))/sync"
                var run: JSONValue
                do { run = try session.ask("POST", target, .object(body)) } catch let exit as Exit where exit.status == 409 && body.isEmpty
                {
                    // A schedule, or somebody else, was first: what is wanted goes on already.
                    guard let open = try Self.openRun(connection, stream, session) else { throw exit }
                    Session.tell("a run of this stream goes on already: \(open["id"]?.stringValue ?? "")")
                    run = open
                }
                if !noWait { run = try Self.follow(run, session) }
                session.show(run)
                let isGood = noWait || ["success", "partial"].contains(run["status"]?.stringValue)
                if !isGood { throw ExitCode(75) }
            }
        }

        private static func openRun(_ connection: String, _ stream: String, _ session: Session) throws -> JSONValue? {
            for status in ["running", "queued"] {
                let query = Session.query([("connection", connection), ("stream", stream), ("status", status), ("limit", "1")])
                guard case .array(let runs)? = try session.ask("GET", "/v1/runs" + query)["items"], let run = runs.first else { continue }
                return run
            }
            return nil
        }

        /// Asks until the run ends; shows its progress on a terminal.
        private static func follow(_ first: JSONValue, _ session: Session) throws -> JSONValue {
            var run = first
            guard let id = run["id"]?.stringValue else { throw Exit.protocolError("a run without id") }
            while ["queued", "running"].contains(run["status"]?.stringValue) {
                usleep(200_000)
                run = try session.ask("GET", "/v1/runs/\(id)")
                if Terminal.isTerminal, session.options.output == .table {
                    let line = "\(run.cell("status"))  pages \(run.cell("pages"))  processed \(run.cell("counts.processed"))"
                    Output.print("\r\u{1B}[K\(line)", terminator: "")
                    try Output.flush()
                }
            }
            if Terminal.isTerminal, session.options.output == .table { Output.print("\r\u{1B}[K", terminator: "") }
            return run
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Sync runs, newest first.")
        @OptionGroup var options: SessionOptions
        @Option(help: "Only of this connection.") var connection: String?
        @Option(help: "Only of this stream.") var stream: String?
        @Option(help: "queued, running, success, partial, failed, cancelled") var status: String?
        @Option(help: "1 to 1000.") var limit: Int = 50
        @Option(help: "Next page.") var cursor: String?

        func run() throws {
            try Session.run(options) { session in
                let query = Session.query([
                    ("connection", connection), ("stream", stream), ("status", status), ("limit", String(limit)), ("cursor", cursor),
                ])
                try session.show(
                    list: session.ask("GET", "/v1/runs" + query),
                    [
                        ("ID", "id"), ("PROVIDER", "provider"), ("STREAM", "stream"), ("MODE", "mode"), ("STATUS", "status"),
                        ("PROCESSED", "counts.processed"), ("CREATED", "counts.created"), ("UPDATED", "counts.updated"),
                        ("FAILED", "counts.failed"), ("SECONDS", "duration_seconds"), ("ERROR", "error.message"),
                    ])
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One run.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Run id.") var id: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("GET", "/v1/runs/\(Session.encoded(id))")) }
        }
    }

    struct Cancel: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Stop a run; what it committed stays.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Run id.") var id: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("POST", "/v1/runs/\(Session.encoded(id))/cancel")) }
        }
    }
}
