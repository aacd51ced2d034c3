// event list|show|replay|cancel, record list|show, dead-letter list|redrive, action run

import ArgumentParser
import BerthModel

/// Options that choose events.
struct EventChoice: ParsableArguments {
    @Option(help: "Only of this connection.") var connection: String?
    @Option(help: "Only of this provider.") var provider: String?
    @Option(help: "Only of this kind.") var kind: String?
    @Option(help: "Received at or after (RFC 3339 or a date).") var since: String?
    @Option(help: "Received before.") var until: String?

    /// As members of a filter body.
    var members: [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        for (name, value) in [("connection", connection), ("provider", provider), ("kind", kind), ("since", since), ("until", until)] {
            if let value { members[name] = .string(value) }
        }
        return members
    }
}

private let eventColumns: [(heading: String, path: String)] = [
    ("ID", "id"), ("RECEIVED", "received_at"), ("PROVIDER", "provider"), ("KIND", "kind"), ("STATE", "state"), ("ATTEMPT", "attempt"),
    ("FAILURE", "failure.message"),
]

struct EventCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "event", abstract: "Webhook deliveries.", subcommands: [List.self, Show.self, ReplayOne.self, Cancel.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Deliveries, newest first.")
        @OptionGroup var options: SessionOptions
        @OptionGroup var choice: EventChoice
        @Option(help: "available, running, retryable, scheduled, completed, cancelled, discarded; comma-separated") var state: String?
        @Option(help: "1 to 1000.") var limit: Int = 50
        @Option(help: "Next page.") var cursor: String?

        func run() throws {
            try Session.run(options) { session in
                let query = Session.query([
                    ("connection", choice.connection), ("provider", choice.provider), ("kind", choice.kind), ("since", choice.since),
                    ("until", choice.until), ("state", state), ("limit", String(limit)), ("cursor", cursor),
                ])
                try session.show(list: session.ask("GET", "/v1/events" + query), eventColumns)
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One delivery with headers and body.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Event id.") var id: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("GET", "/v1/events/\(Session.encoded(id))")) }
        }
    }

    struct ReplayOne: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "replay", abstract: "Process settled deliveries again: one by id, or many by filter.",
            discussion: "A filter finds what is completed or discarded. What was cancelled comes back by its id only.")
        @OptionGroup var options: SessionOptions
        @OptionGroup var choice: EventChoice
        @Argument(help: "Event id; left out: all that the filter finds.") var id: String?
        @Flag(help: "Only say which.") var dryRun = false
        @Option(help: "At most this many.") var limit: Int = 10_000

        func run() throws {
            try Session.run(options) { session in
                if let id, !dryRun {
                    return session.show(try session.ask("POST", "/v1/events/\(Session.encoded(id))/replay"))
                }
                var body = choice.members
                if let id { body["ids"] = .array([.string(id)]) }
                guard !body.isEmpty else {
                    throw Exit.usage("name an event or give a filter", hint: "berthctl event replay --since 2026-01-01 --dry-run")
                }
                body["dry_run"] = .bool(dryRun)
                body["limit"] = .integer(Int64(limit))
                session.show(try session.ask("POST", "/v1/events/replay", .object(body)))
            }
        }
    }
}

extension EventCommand {
    struct Cancel: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Give a delivery up that waits for an attempt.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Event id.") var id: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.ask("POST", "/v1/events/\(Session.encoded(id))/cancel")) }
        }
    }
}

struct DeadLetterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letter", abstract: "Events that used up their attempts or can't be processed.",
        subcommands: [List.self, Redrive.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Dead letters, newest first.")
        @OptionGroup var options: SessionOptions
        @OptionGroup var choice: EventChoice
        @Option(help: "1 to 1000.") var limit: Int = 50
        @Option(help: "Next page.") var cursor: String?

        func run() throws {
            try Session.run(options) { session in
                let query = Session.query([
                    ("connection", choice.connection), ("provider", choice.provider), ("kind", choice.kind), ("since", choice.since),
                    ("until", choice.until), ("limit", String(limit)), ("cursor", cursor),
                ])
                try session.show(list: session.ask("GET", "/v1/dead-letters" + query), eventColumns)
            }
        }
    }

    struct Redrive: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Process dead letters again; all of them unless a filter is given.")
        @OptionGroup var options: SessionOptions
        @OptionGroup var choice: EventChoice
        @Flag(help: "Only say which.") var dryRun = false

        func run() throws {
            try Session.run(options) { session in
                var body = choice.members
                body["dry_run"] = .bool(dryRun)
                session.show(try session.ask("POST", "/v1/dead-letters/redrive", .object(body)))
            }
        }
    }
}

struct RecordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "record", abstract: "Canonical records.", subcommands: [List.self, Show.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Records of an entity, newest first.",
            discussion:
                "Filters: --where status=completed --where 'started_at[gte]=2026-01-01'; comparisons eq ne lt lte gt gte like in null.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Entity: call, tracking_number, campaign, ...") var entity: String
        @Option(name: .customLong("where"), help: "FIELD=VALUE or FIELD[OP]=VALUE.") var conditions: [String] = []
        @Option(help: "Only of this connection.") var connection: String?
        @Option(help: "Field, with - for descending.") var sort: String?
        @Flag(help: "Tombstones too.") var deleted = false
        @Option(help: "1 to 1000.") var limit: Int = 50
        @Option(help: "Next page.") var cursor: String?

        func run() throws {
            try Session.run(options) { session in
                var fields: [(String, String?)] = [
                    ("connection", connection), ("sort", sort), ("deleted", deleted ? "true" : nil), ("limit", String(limit)),
                    ("cursor", cursor),
                ]
                for condition in conditions {
                    guard let equals = condition.firstIndex(of: "=") else { throw Exit.usage("--where \(condition): expected FIELD=VALUE") }
                    fields.append((String(condition[..<equals]), String(condition[condition.index(after: equals)...])))
                }
                let list = try session.answer("GET", "/v1/records/\(Session.encoded(entity))" + Session.query(fields))
                try session.show(list: list, Self.columns(of: entity))
            }
        }

        private static func columns(of entity: String) -> [(heading: String, path: String)] {
            switch entity {
            case "call":
                [
                    ("ID", "id"), ("PROVIDER", "provider"), ("STARTED", "started_at"), ("STATUS", "status"), ("CALLER", "caller_number"),
                    ("TRACKING", "tracking_number"), ("SECONDS", "duration_seconds"), ("REVENUE", "revenue"),
                    ("EXTERNAL ID", "external_id"),
                ]
            case "tracking_number":
                [
                    ("ID", "id"), ("PROVIDER", "provider"), ("NUMBER", "number"), ("TOLL-FREE", "toll_free"), ("CAMPAIGN", "campaign_id"),
                    ("STATUS", "status"), ("EXTERNAL ID", "external_id"),
                ]
            default:
                [
                    ("ID", "id"), ("PROVIDER", "provider"), ("NAME", "name"), ("STATUS", "status"), ("UPDATED", "updated_at"),
                    ("EXTERNAL ID", "external_id"),
                ]
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One record with its original.")
        @OptionGroup var options: SessionOptions
        @Argument(help: "Entity.") var entity: String
        @Argument(help: "Record id.") var id: String
        func run() throws {
            try Session.run(options) { $0.show(try $0.answer("GET", "/v1/records/\(Session.encoded(entity))/\(Session.encoded(id))")) }
        }
    }
}

struct ActionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "action", abstract: "Actions of plugins.", subcommands: [Perform.self])

    struct Perform: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "run", abstract: "Perform an action.",
            discussion:
                "Example: berthctl action run main provision_number --input '{\"country\":\"US\"}'. What there is: berthctl plugin show PROVIDER."
        )
        @OptionGroup var options: SessionOptions
        @Argument(help: "Id, name or provider/name.") var connection: String
        @Argument(help: "Action.") var action: String
        @Option(help: "JSON object, or @FILE.") var input: String = "{}"

        func run() throws {
            try Session.run(options) { session in
                guard let body = JSONValue(text: Array(try Session.value(input).utf8)) else { throw Exit.usage("--input is not JSON") }
                session.show(
                    try session.ask("POST", "/v1/connections/\(Session.encoded(connection))/actions/\(Session.encoded(action))", body))
            }
        }
    }
}
