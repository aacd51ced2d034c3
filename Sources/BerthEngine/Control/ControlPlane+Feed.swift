// The feed over the control API.

public import BerthControlAPI
public import BerthModel
import BerthSeams
import Synchronization

extension ControlPlane {
    public func feed(after lastID: Int64?, _ query: ListQuery, _ caller: Caller) async throws(BerthError)
        -> AsyncThrowingStream<[FeedItem], any Error>
    {
        try refuseUnknown(query, known: ["connection", "topic"])
        let wanted = try connection(query)
        let topics = try query["topic"].map { text throws(BerthError) in
            Set(
                try text.split(separator: ",").map { part throws(BerthError) in
                    guard let topic = Notice.Topic(rawValue: String(part)) else {
                        throw Self.noChoice("topic", String(part), Notice.Topic.allCases)
                    }
                    return topic.rawValue
                })
        }
        // Where "now" is must be settled before the peer hears of its subscription, and told to it: it can then come back
        // without a gap even if it has seen nothing yet.
        let newest = try await feed.lastSequence()
        let start = lastID ?? newest
        await auditRead(
            "feed.read", caller, wanted, "after \(start)" + (topics.map { ": \($0.sorted().joined(separator: " "))" } ?? ""))
        let opening = Mutex<[FeedItem]?>([FeedItem(id: min(start, newest), topic: "", data: "")])
        // Pulled, not pushed: a batch is read when the peer took the one before.
        let reader = feed.reader(after: start)
        return AsyncThrowingStream {
            if let first = opening.withLock({ $0.take() }) { return first }
            while let part = try await reader.next() {
                switch part {
                case .gap(let gap): return [Self.item(gap)]
                case .notices(let notices):
                    let items = notices.filter { notice in
                        (wanted == nil || notice.connection == wanted) && (topics == nil || topics?.contains(notice.topic) == true)
                    }
                    if !items.isEmpty { return items.map(Self.item) }
                }
            }
            return nil
        }
    }

    private static func item(_ notice: Notice) -> FeedItem {
        let common = JSONValue.object([
            "at": .string(notice.at.description), "connection": .string(notice.connection.description),
            "provider": .string(notice.provider.text), "workspace": .string(notice.workspace.text),
        ]).text
        let data = notice.data == "{}" ? common : String(common.dropLast()) + "," + notice.data.dropFirst()
        return FeedItem(id: notice.sequence, topic: notice.topic, data: data)
    }

    private static func item(_ gap: FeedGap) -> FeedItem {
        let data = JSONValue.object([
            "asked": .integer(gap.asked), "position": .integer(gap.position), "missed": gap.missed.map { .integer($0) } ?? .null,
        ])
        return FeedItem(id: gap.position, topic: FeedItem.gapTopic, data: data.text)
    }
}
