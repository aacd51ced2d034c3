// What a worker says to the daemon. The worker runs code nobody vouches for, so this reader is the border: small, checked
// in every value, fuzzed.

/// Worker to daemon.
public enum WorkerMessage: Hashable, Sendable {
    /// Sealed and loaded.
    case ready(landlockABI: Int32, hasSeccomp: Bool, interfaces: [String])
    /// Not loaded, and why.
    case refused(code: String, message: String, hint: String)
    /// The instance numbered by the operation field was made (0) or not.
    case instance(status: Int32, message: String)
    /// One line for the operator; operation 0 when it belongs to none.
    case log(level: UInt32, text: String)
    /// Details of a failure.
    case failed(WireFailure)
    /// Records.
    case emitted([WireRecord])
    /// Everything emitted so far and this position belong together.
    case checkpoint(schema: UInt32, state: [UInt8])
    /// The operation's result document.
    case reply([UInt8])
    /// To be sent to the provider.
    case request(WireRequest)
    /// Is `expected` the keyed hash of `message`?
    case hmac(algorithm: UInt32, message: [UInt8], expected: [UInt8])
    /// The operation has ended; a status per event or record.
    case done(status: Int32, statuses: [Int32])
    /// The plugin broke the ABI's rules.
    case violation(String)
}

extension WorkerMessage {
    /// The kinds, for those who write frames piece by piece.
    public enum Kind: UInt8, Sendable {
        /// See the message of that name.
        case ready = 65, refused, instance, log, failed, emitted, checkpoint, reply, request, hmac, done, violation
    }

    /// The message's frames.
    public func frames(operation: UInt64) -> [UInt8] {
        var out = WireWriter()
        let kind: Kind
        switch self {
        case .ready(let abi, let hasSeccomp, let interfaces):
            kind = .ready
            out.put(abi)
            out.put(hasSeccomp)
            out.put(UInt32(interfaces.count))
            for interface in interfaces { out.put(interface) }
        case .refused(let code, let message, let hint):
            kind = .refused
            out.put(code)
            out.put(message)
            out.put(hint)
        case .instance(let status, let message):
            kind = .instance
            out.put(status)
            out.put(message)
        case .log(let level, let text):
            kind = .log
            out.put(level)
            out.put(text)
        case .failed(let failure):
            kind = .failed
            out.put(failure)
        case .emitted(let records):
            kind = .emitted
            out.put(UInt32(records.count))
            var stream: String?
            for record in records { out.put(record, previousStream: &stream) }
        case .checkpoint(let schema, let state):
            kind = .checkpoint
            out.put(schema)
            out.put(state)
        case .reply(let json):
            kind = .reply
            out.put(json)
        case .request(let request):
            kind = .request
            out.put(request)
        case .hmac(let algorithm, let message, let expected):
            kind = .hmac
            out.put(algorithm)
            out.put(message)
            out.put(expected)
        case .done(let status, let statuses):
            kind = .done
            out.put(status)
            out.put(UInt32(statuses.count))
            for status in statuses { out.put(status) }
        case .violation(let text):
            kind = .violation
            out.put(text)
        }
        return out.frames(kind: kind.rawValue, operation: operation)
    }

    /// Reads one message's payload.
    public init(kind: UInt8, payload: UnsafeRawBufferPointer) throws(WireError) {
        guard let kind = Kind(rawValue: kind) else { throw WireError(.unknownKind, "kind \(kind) from a worker") }
        var reader = WireReader(payload, "message from a worker")
        switch kind {
        case .ready:
            let abi = try reader.integer(Int32.self)
            let hasSeccomp = try reader.bool()
            let count = try reader.count(max: 64, bytesEach: 4)
            var interfaces: [String] = []
            for _ in 0..<count { interfaces.append(try reader.text(max: 64)) }
            self = .ready(landlockABI: abi, hasSeccomp: hasSeccomp, interfaces: interfaces)
        case .refused:
            let code = try reader.text(max: 64)
            let message = try reader.text(max: WireLimits.failureBytesMax)
            self = .refused(code: code, message: message, hint: try reader.text(max: WireLimits.failureBytesMax))
        case .instance:
            let status = try reader.integer(Int32.self)
            self = .instance(status: status, message: try reader.text(max: WireLimits.failureBytesMax))
        case .log:
            let level = try reader.integer(UInt32.self)
            guard level <= 3 else { throw WireError(.badValue, "log level \(level)") }
            self = .log(level: level, text: try reader.text(max: WireLimits.logBytesMax))
        case .failed: self = .failed(try reader.failure())
        case .emitted:
            let count = try reader.count(max: WireLimits.itemsMax, bytesEach: 26)
            var records: [WireRecord] = []
            records.reserveCapacity(count)
            var stream: String?
            for _ in 0..<count { records.append(try reader.record(previousStream: &stream)) }
            self = .emitted(records)
        case .checkpoint:
            let schema = try reader.integer(UInt32.self)
            self = .checkpoint(schema: schema, state: try reader.bytes(max: WireLimits.checkpointBytesMax))
        case .reply: self = .reply(try reader.bytes())
        case .request: self = .request(try reader.request())
        case .hmac:
            let algorithm = try reader.integer(UInt32.self)
            let message = try reader.bytes()
            self = .hmac(algorithm: algorithm, message: message, expected: try reader.bytes(max: 64))
        case .done:
            let status = try reader.integer(Int32.self)
            let count = try reader.count(max: WireLimits.itemsMax, bytesEach: 4)
            var statuses: [Int32] = []
            statuses.reserveCapacity(count)
            for _ in 0..<count { statuses.append(try reader.integer()) }
            self = .done(status: status, statuses: statuses)
        case .violation: self = .violation(try reader.text(max: WireLimits.failureBytesMax))
        }
        try reader.end()
    }
}
