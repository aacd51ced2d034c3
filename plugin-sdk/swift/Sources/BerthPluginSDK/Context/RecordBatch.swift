// Records on their way to the daemon: all bytes in one reusable buffer, handed over in batches, because a call per
// record would be the slowest part of an isolated plugin.

internal import CBerthPlugin

/// Collects records and emits them together.
struct RecordBatch {
    private struct Entry {
        var isDelete: Bool
        var item: UInt32
        var sourceTime: Int64
        var stream: Range<Int>
        var key: Range<Int>
        var payload: Range<Int>
        var raw: Range<Int>
    }

    static let recordsMax = 256
    static let bytesMax = 512 << 10
    /// The daemon's limits for a record's key, and for its fields and its original each (docs/guarantees.md).
    static let keyBytesMax = 512
    static let documentBytesMax = 1 << 20

    private var entries: [Entry] = []
    /// Payload under construction, and everything before it; commas stand between the parts and belong to none.
    private var json = JSONWriter(capacity: 4096)
    private var lastStream: (name: String, range: Range<Int>)?

    var isEmpty: Bool { entries.isEmpty }
    var isFull: Bool { entries.count >= Self.recordsMax || json.bytes.count >= Self.bytesMax }
    /// Bytes of the fields of the record added last.
    var lastPayloadBytes: Int { entries.last?.payload.count ?? 0 }
    /// To go back to when an event fails after it emitted.
    var mark: Int { entries.count }

    mutating func discard(after mark: Int) { if mark < entries.count { entries.removeLast(entries.count - mark) } }

    /// Adds a record. A throwing `payload` leaves nothing of it.
    mutating func add(
        _ head: RecordHead, item: UInt32, isDelete: Bool, coverage: RowCoverage = .facts, payload: (inout RecordWriter) throws -> Void
    ) rethrows {
        let stream: Range<Int>
        if let lastStream, lastStream.name == head.stream {
            stream = lastStream.range
        } else {
            stream = append(text: head.stream)
            lastStream = (head.stream, stream)
        }
        let key = append(text: head.key)
        var payloadRange = 0..<0
        if !isDelete {
            json.beginObject()
            let from = json.bytes.count - 1
            var writer = RecordWriter(json: json, coverage: coverage)
            json = JSONWriter(capacity: 0)  // leaves the writer the only owner of the buffer, so that nothing is copied
            defer { json = writer.json }
            try payload(&writer)
            writer.json.endObject()
            payloadRange = from..<writer.json.bytes.count
        }
        var raw = 0..<0
        if let original = head.raw?.jsonBytes {
            json.value(json: original)
            raw = json.bytes.count - original.count..<json.bytes.count
        }
        entries.append(
            Entry(
                isDelete: isDelete, item: item, sourceTime: head.sourceTime?.milliseconds ?? Int64.min, stream: stream, key: key,
                payload: payloadRange, raw: raw))
    }

    private mutating func append(text: String) -> Range<Int> {
        json.value(json: text.utf8)
        return json.bytes.count - text.utf8.count..<json.bytes.count
    }

    /// Hands everything over. Empty afterwards, whatever the answer.
    mutating func flush(_ emit: (UnsafePointer<berth_record_v1>, UInt64) -> Int32) -> Int32 {
        guard !entries.isEmpty else { return BERTH_OK }
        let status = json.bytes.withUnsafeBufferPointer { bytes in
            withUnsafeTemporaryAllocation(of: berth_record_v1.self, capacity: entries.count) { records in
                for (index, entry) in entries.enumerated() {
                    records.initializeElement(
                        at: index,
                        to: berth_record_v1(
                            struct_size: UInt32(MemoryLayout<berth_record_v1>.size),
                            kind: entry.isDelete ? BERTH_RECORD_DELETE : BERTH_RECORD_UPSERT, item: entry.item, reserved0: 0,
                            source_time: entry.sourceTime, stream: berth_plugin_slice(bytes, entry.stream),
                            key: berth_plugin_slice(bytes, entry.key), payload: berth_plugin_slice(bytes, entry.payload),
                            raw: berth_plugin_slice(bytes, entry.raw)))
                }
                guard let first = records.baseAddress else { return BERTH_OK }
                return emit(first, UInt64(records.count))
            }
        }
        clear()
        return status
    }

    mutating func clear() {
        entries.removeAll(keepingCapacity: true)
        json.reset()
        lastStream = nil
    }
}

/// What a record is, apart from its fields.
struct RecordHead {
    var stream: String
    var key: String
    var sourceTime: ProviderTime?
    var raw: JSONNode?
}
