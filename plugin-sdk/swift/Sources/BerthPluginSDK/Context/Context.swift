// What an adapter may do while one of its operations runs: ask the provider, emit records, write to the log. Not
// Sendable on purpose: the daemon lets only the operation's own thread make these calls.

internal import CBerthPlugin

/// One running operation.
public class Context {
    /// Requests to the provider.
    public let http: HTTPClient
    /// Lines for the operator.
    public let log: OperationLog

    let link: HostLink
    let operation: UInt64
    var batch = RecordBatch()
    /// The event or written record being processed.
    var item: UInt32 = BERTH_NO_ITEM

    init(_ link: HostLink, _ operation: UInt64) {
        self.link = link
        self.operation = operation
        http = HTTPClient(link, operation)
        log = OperationLog(link, operation)
    }

    /// Whether the operation should end soon. Cheap: ask in loops.
    public var isCancelled: Bool { link.table.is_cancelled(link.table.host, operation) != 0 }

    /// Throws `CancelledError` when the operation should end soon.
    public func checkCancelled() throws { if isCancelled { throw CancelledError() } }

    /// Time left until the operation's deadline; zero when passed.
    public var remaining: Duration {
        .milliseconds(Int64(clamping: link.table.remaining_ms(link.table.host, operation)))
    }

    /// Emits a record: the provider's id, the time it is known to have been so, the original, and its fields.
    ///
    /// Only the fields set in `fields` change in the store. One set without a value leaves the stored value alone, so that a
    /// delivery with three facts does no harm to the others, unless `coverage` says that the row tells more than that.
    /// A record older than the stored one (by `sourceTime`) changes nothing. An original of more than 1 MiB is left out,
    /// with a warning; fields of more than 1 MiB throw `invalidEvent`. Waits while the daemon is behind; throws
    /// `CancelledError` when the operation should end.
    public func upsert(
        _ stream: String, key: String, sourceTime: ProviderTime?, raw: JSONNode? = nil, coverage: RowCoverage = .facts,
        fields: (inout RecordWriter) throws -> Void
    ) throws {
        try check(key: key, of: stream)
        let mark = batch.mark
        let head = RecordHead(stream: stream, key: key, sourceTime: sourceTime, raw: raw.flatMap { kept($0, of: stream, key) })
        try batch.add(head, item: item, isDelete: false, coverage: coverage, payload: fields)
        if batch.lastPayloadBytes > RecordBatch.documentBytesMax {
            let size = batch.lastPayloadBytes
            batch.discard(after: mark)
            throw ProviderError.invalidEvent(
                "the fields of record '\(key)' of stream '\(stream)' take \(size) bytes; \(RecordBatch.documentBytesMax) are allowed")
        }
        if batch.isFull { try flush() }
    }

    /// The original where the daemon takes it: a record is worth more than its original, and a run more than one record.
    private func kept(_ raw: JSONNode, of stream: String, _ key: String) -> JSONNode? {
        let size = raw.jsonBytes.count
        guard size > RecordBatch.documentBytesMax else { return raw }
        log.warning(
            "record '\(key)' of stream '\(stream)' is kept without its original of \(size) bytes; \(RecordBatch.documentBytesMax) are allowed"
        )
        return nil
    }

    /// Emits a deletion.
    public func delete(_ stream: String, key: String, sourceTime: ProviderTime?) throws {
        try check(key: key, of: stream)
        batch.add(RecordHead(stream: stream, key: key, sourceTime: sourceTime, raw: nil), item: item, isDelete: true) { _ in }
        if batch.isFull { try flush() }
    }

    /// What the daemon would take for a broken rule of the ABI, and end the worker for, is the provider's odd data here.
    private func check(key: String, of stream: String) throws {
        guard (1...RecordBatch.keyBytesMax).contains(key.utf8.count), !key.utf8.contains(0) else {
            throw ProviderError.invalidEvent(
                "a record of stream '\(stream)' has an id of \(key.utf8.count) bytes; 1 to \(RecordBatch.keyBytesMax) are allowed, "
                    + "and none of them may be NUL")
        }
    }

    /// Hands collected records to the daemon. The SDK does so by itself when there are many, at checkpoints and at the end.
    public func flush() throws {
        let status = batch.flush { link.table.emit(link.table.host, operation, $0, $1) }
        if let error = ProviderError.from(hostStatus: status, "the daemon refused the records") { throw error }
    }

    func reply(_ json: [UInt8]) throws {
        let status = json.withUnsafeBufferPointer { link.table.reply(link.table.host, operation, berth_plugin_slice($0)) }
        if let error = ProviderError.from(hostStatus: status, "the daemon refused the result document") { throw error }
    }
}

/// A running read: a context that can also make its position durable.
public final class ReadContext: Context {
    private let stateSchema: UInt32

    init(_ link: HostLink, _ operation: UInt64, stateSchema: UInt32) {
        self.stateSchema = stateSchema
        super.init(link, operation)
    }

    /// Makes all records so far and this position durable together; an interrupted read begins again here.
    ///
    /// `state` writes the members of the position's JSON object, at most 64 KiB, no secrets.
    public func checkpoint(_ state: (inout JSONWriter) -> Void) throws {
        try flush()
        var json = JSONWriter(capacity: 128)
        json.beginObject()
        state(&json)
        json.endObject()
        let status = json.bytes.withUnsafeBufferPointer {
            link.table.checkpoint(link.table.host, operation, stateSchema, 0, berth_plugin_slice($0))
        }
        if let error = ProviderError.from(hostStatus: status, "the daemon refused the checkpoint") { throw error }
    }
}

/// Lines for the operator. Never put secrets or whole payloads in them.
public struct OperationLog {
    private let link: HostLink
    private let operation: UInt64

    init(_ link: HostLink, _ operation: UInt64) {
        self.link = link
        self.operation = operation
    }

    /// For people who look for a defect.
    public func debug(_ message: String) { write(BERTH_LOG_DEBUG, message) }
    /// Worth knowing.
    public func info(_ message: String) { write(BERTH_LOG_INFO, message) }
    /// Something a person may have to look at.
    public func warning(_ message: String) { write(BERTH_LOG_WARNING, message) }
    /// Something is broken.
    public func error(_ message: String) { write(BERTH_LOG_ERROR, message) }

    private func write(_ level: UInt32, _ message: String) {
        var message = message
        message.withUTF8 { link.table.log(link.table.host, operation, level, berth_plugin_slice($0)) }
    }
}
