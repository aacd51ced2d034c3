// An event's row, read in one place.

import BerthModel
import Foundation

enum EventRow {
    /// Column order of every query that reads events; needs `event e` joined with `connection c`.
    static let columns = """
        e.id, e.sequence, c.id, c.provider, e.kind, e.state, e.unsupported, e.attempt, e.dedup, e.ordering, e.method, e.query,
        e.received, e.due, e.settled, e.failure, e.deaths, e.unproven
        """
    static let contents = ", e.headers, e.body"

    static let states: [EventState] = [.available, .running, .retryable, .scheduled, .completed, .cancelled, .discarded]

    static func number(_ state: EventState) -> Int64 {
        guard let index = states.firstIndex(of: state) else { preconditionFailure("a state without a number") }
        return Int64(index)
    }

    static func read(_ row: PreparedStatement, withContents: Bool) throws -> Event {
        guard let id = EventID(row.text(0)), let connection = ConnectionID(row.text(2)), let provider = ProviderName(row.text(3)),
            states.indices.contains(Int(row.int64(5)))
        else { throw BerthError("store_corrupt", "event row \(row.int64(1)) is unreadable") }
        var event = Event(
            id: id, sequence: row.int64(1), connection: connection, provider: provider, kind: row.text(4), state: states[Int(row.int64(5))],
            isUnsupported: row.int64(6) != 0, attempt: Int(row.int64(7)), dedupKey: row.text(8), orderingKey: row.optionalText(9),
            method: row.text(10), query: row.text(11), headers: withContents ? HeaderText.decode(row.text(18)) : [],
            body: withContents ? row.blob(19) : [], receivedAt: Timestamp(milliseconds: row.int64(12)),
            dueAt: Timestamp(milliseconds: row.int64(13)), settledAt: row.optionalInt64(14).map { Timestamp(milliseconds: $0) },
            lastFailure: row.optionalText(15).flatMap(FailureText.decode))
        event.deaths = Int(row.int64(16))
        event.unproven = UnprovenParts(rawValue: row.int64(17))
        return event
    }
}

/// Failures as JSON in a column.
enum FailureText {
    static func encode(_ failure: AttemptFailure) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(failure), as: UTF8.self)
    }

    /// A text of an older version that no longer reads is shown as it stands.
    static func decode(_ text: String) -> AttemptFailure? {
        (try? JSONDecoder().decode(AttemptFailure.self, from: Data(text.utf8))) ?? AttemptFailure(.internal, text)
    }
}
