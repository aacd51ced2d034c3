// A sync run's row, read in one place.

import BerthModel
import Foundation

enum RunRow {
    static let select = """
        SELECT r.id, c.id, c.provider, r.stream, r.mode, r.cause, r.status, r.since, r.until, r.created, r.started, r.finished, r.counts,
          r.pages, r.attempts, r.error, r.checkpoint_schema, r.checkpoint, r.number
        FROM run r JOIN connection c ON c.number = r.connection
        """

    static func read(_ row: PreparedStatement) throws -> SyncRun {
        guard let id = RunID(row.text(0)), let connection = ConnectionID(row.text(1)), let provider = ProviderName(row.text(2)),
            let stream = StreamName(row.text(3)), let mode = ReadMode(rawValue: row.text(4)),
            let cause = SyncTrigger(rawValue: row.text(5)),
            let status = RunStatus(rawValue: row.text(6))
        else { throw BerthError("store_corrupt", "run row '\(row.text(0))' is unreadable") }
        func time(_ column: Int32) -> Timestamp? { row.optionalInt64(column).map { Timestamp(milliseconds: $0) } }
        return SyncRun(
            id: id, connection: connection, provider: provider, stream: stream, mode: mode, trigger: cause, status: status, since: time(7),
            until: Timestamp(milliseconds: row.int64(8)), createdAt: Timestamp(milliseconds: row.int64(9)), startedAt: time(10),
            finishedAt: time(11), counts: try JSONDecoder().decode(RunCounts.self, from: Data(row.text(12).utf8)),
            pages: Int(row.int64(13)),
            attempts: Int(row.int64(14)), error: row.optionalText(15).flatMap(FailureText.decode),
            checkpoint: row.optionalInt64(16).map { Checkpoint(schema: UInt32(clamping: $0), state: row.blob(17)) })
    }

    static func encode(_ counts: RunCounts) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(counts), as: UTF8.self)
    }
}
