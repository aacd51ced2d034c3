// feed: what becomes durable, live; reconnects and goes on where it was.

import ArgumentParser
import BerthModel
import Foundation

struct FeedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "feed", abstract: "Follow what becomes durable, live; Ctrl-C ends.",
        discussion:
            """
            With --output json each line is one JSON object. --after ID begins after a known notice, --after 0 with all that is kept. \
            A line feed.gap says that notices between the id asked for and the position are not kept any more; missed is null where the id \
            is of another life of the database, such as before a backup was put back.
            """)
    @OptionGroup var options: SessionOptions
    @Option(help: "Only of this connection.") var connection: String?
    @Option(help: "Only these topics, comma-separated, such as record.created,run.finished.") var topic: String?
    @Option(help: "Begin after this id; left out: from now on.") var after: Int64?
    @Option(help: "End after this many.") var count: Int?

    func run() throws {
        try Session.run(options) { session in
            var position = after
            var left = count ?? .max
            var failures = 0
            while left > 0 {
                do {
                    var reader = SSEReader()
                    let headers = position.map { [("Last-Event-ID", String($0))] } ?? []
                    let target = "/v1/feed" + Session.query([("connection", connection), ("topic", topic)])
                    let refusal = try session.client.stream(target, headers: headers) { piece in
                        failures = 0
                        for item in reader.take(piece) {
                            position = item.id
                            // Without data it only says where the feed stands.
                            guard !item.data.isEmpty else { continue }
                            try show(item, session)
                            // A gap is no notice.
                            if item.topic != "feed.gap" { left -= 1 }
                            if left == 0 { return false }
                        }
                        return true
                    }
                    if let refusal { throw Exit.refused(refusal.status, refusal.body) }
                } catch let exit as Exit where [69, 71, 76].contains(exit.code) && failures < 30 && position != nil {
                    // The daemon restarts: come back and go on after the last notice seen.
                }
                guard left > 0 else { return }
                failures += 1
                sleep(UInt32(min(5, failures)))
            }
        }
    }

    private func show(_ item: SSEReader.Item, _ session: Session) throws {
        if session.options.output == .json {
            var members = JSONValue(text: Array(item.data.utf8))?.objectValue ?? [:]
            members["feed_id"] = .integer(item.id)
            members["topic"] = .string(item.topic)
            Output.print(JSONValue.object(members).text)
        } else {
            let data = JSONValue(text: Array(item.data.utf8)) ?? .null
            let rest = (data.objectValue ?? [:]).filter { !["at", "connection", "workspace"].contains($0.key) }
                .sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.cell)" }.joined(separator: " ")
            Output.print("\(data.cell("at"))  \(Terminal.safe(item.topic))  \(rest)")
        }
        try Output.flush()
    }
}

/// Reads server-sent events from pieces of any size.
struct SSEReader {
    struct Item {
        let id: Int64
        let topic: String
        let data: String
    }

    private var buffer: [UInt8] = []
    private var fields: [String: String] = [:]

    mutating func take(_ piece: [UInt8]) -> [Item] {
        buffer += piece
        var items: [Item] = []
        while let end = buffer.firstIndex(of: 0x0A) {
            let line = String(decoding: buffer[..<end], as: UTF8.self)
            buffer.removeSubrange(...end)
            if line.isEmpty {
                if let id = fields["id"].flatMap({ Int64($0) }) {
                    items.append(Item(id: id, topic: fields["event"] ?? "", data: fields["data"] ?? ""))
                }
                fields = [:]
            } else if !line.hasPrefix(":"), let colon = line.firstIndex(of: ":") {
                fields[String(line[..<colon])] = String(line[line.index(after: colon)...].drop { $0 == " " })
            }
        }
        return items
    }
}
