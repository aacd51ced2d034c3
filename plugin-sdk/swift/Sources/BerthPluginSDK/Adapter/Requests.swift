// What the daemon asks of an adapter besides events: a read, a write, an action.

internal import CBerthPlugin

/// A stream to read.
public struct ReadRequest: Sendable {
    /// What a read covers.
    public enum Mode: UInt32, Sendable {
        /// Everything; what is not seen may be removed.
        case full = 1
        /// What changed since the last run.
        case incremental = 2
        /// Everything between `since` and `until`.
        case range = 3
    }
    /// Which stream.
    public let stream: String
    /// What it covers.
    public let mode: Mode
    /// Lower bound, the manifest's overlap already taken off; nil when there is none.
    public let since: ProviderTime?
    /// Upper bound: the time the run started, or the range's end.
    public let until: ProviderTime
    /// The last durable checkpoint of this run; nil when it begins, or when it was written by another `stateSchema`.
    public let state: JSONNode?

    init(_ request: UnsafePointer<berth_read_request_v1>, stateSchema: UInt32) {
        let raw = request.pointee
        stream = raw.stream.text
        mode = Mode(rawValue: raw.mode) ?? .full
        since = raw.since == .min ? nil : ProviderTime(milliseconds: raw.since)
        until = ProviderTime(milliseconds: raw.until)
        let bytes = raw.state.bytes
        // A checkpoint of another format or a broken one is no reason to fail: the run begins again.
        state = bytes.isEmpty || raw.state_schema != stateSchema ? nil : (try? JSONDocument(bytes))?.root
    }
}

/// A record of the workspace to push.
public struct OutgoingRecord: Sendable {
    /// Delete it, rather than create or change it.
    public let isDelete: Bool
    /// The provider's id; empty: create.
    public let key: String
    /// The same again when the write is repeated.
    public let idempotencyKey: String
    /// JSON object of the entity's fields.
    public let payload: JSONNode

    init(_ record: berth_outgoing_record_v1) throws {
        isDelete = record.kind == BERTH_RECORD_DELETE
        key = record.key.text
        idempotencyKey = record.idempotency_key.text
        do {
            payload = try JSONDocument(record.payload.len == 0 ? Array("{}".utf8) : record.payload.bytes).root
        } catch {
            throw ProviderError.invalidEvent("the fields of the record to write are not JSON: \(error)")
        }
        guard payload.kind == .object else { throw ProviderError.invalidEvent("the fields of the record to write are not a JSON object") }
    }
}

/// An action to perform.
public struct ActionRequest: Sendable {
    /// Declared in the manifest.
    public let name: String
    /// JSON.
    public let input: JSONNode
    /// The same when the daemon repeats the call.
    public let idempotencyKey: String

    init(name: String, input: [UInt8], idempotencyKey: String) throws {
        self.name = name
        self.idempotencyKey = idempotencyKey
        do {
            self.input = try JSONDocument(input.isEmpty ? Array("{}".utf8) : input).root
        } catch {
            throw ProviderError(.invalidArgument, "the input of action '\(name)' is not JSON: \(error)")
        }
    }

    /// A text member of the input that must be there; a number is taken as its digits.
    public func required(_ member: String) throws -> String {
        guard let text = input[member: member]?.scalarText, !text.isEmpty else {
            throw ProviderError(.invalidArgument, "action '\(name)' needs the input member '\(member)'")
        }
        return text
    }
}
