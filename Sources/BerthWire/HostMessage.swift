// What the daemon says to a worker. The operation number of the frame says which operation, or which instance, it is about.

/// Daemon to worker.
public enum HostMessage: Hashable, Sendable {
    /// First of all: seal yourself with this, then load.
    case hello(Hello)
    /// Make the instance numbered by the operation field.
    case createInstance(connection: String, settings: [UInt8], baseURL: String)
    /// Let it go once its operations have ended.
    case destroyInstance
    /// Begin an operation.
    case begin(Start, Work)
    /// End the operation soon.
    case cancel
    /// A checkpoint is durable (0), or the operation is to end with this status.
    case checkpointed(status: Int32)
    /// The provider's answer.
    case answer(WireAnswer)
    /// The verdict on a keyed hash, as ABI status.
    case hmacVerdict(status: Int32)

    /// How to seal and what to load.
    public struct Hello: Hashable, Sendable {
        /// ``WireLimits/version``
        public var version: UInt32
        /// Plugin id, for messages.
        public var provider: String
        /// Address space beyond what the worker itself maps.
        public var memoryMiB: UInt32
        /// Whether it may work without Landlock or seccomp.
        public var isBestEffort: Bool
        /// Further folders that may be read while loading.
        public var readPaths: [String]
        /// All parts.
        public init(provider: String, memoryMiB: UInt32, isBestEffort: Bool, readPaths: [String] = [], version: UInt32 = WireLimits.version)
        {
            self.version = version
            self.provider = provider
            self.memoryMiB = memoryMiB
            self.isBestEffort = isBestEffort
            self.readPaths = readPaths
        }
    }

    /// What every operation has.
    public struct Start: Hashable, Sendable {
        /// Of which instance.
        public var instance: UInt64
        /// Milliseconds it has; of a read, between two checkpoints.
        public var deadlineMilliseconds: UInt32
        /// Its place in the shared progress page.
        public var slot: UInt32
        /// All parts.
        public init(instance: UInt64, deadlineMilliseconds: UInt32, slot: UInt32) {
            self.instance = instance
            self.deadlineMilliseconds = deadlineMilliseconds
            self.slot = slot
        }
    }

    /// What an operation does.
    public enum Work: Hashable, Sendable {
        /// `berth.events/1`
        case handle([WireEvent])
        /// `berth.read-stream/1`
        case read(stream: String, mode: UInt32, since: Int64, until: Int64, schema: UInt32, state: [UInt8])
        /// `berth.actions/1`
        case perform(name: String, input: [UInt8], idempotencyKey: String)
        /// `berth.credentials/1`
        case check
        /// `berth.verify/1`
        case verify(WireEvent)
        /// `berth.write-records/1`
        case write(stream: String, records: [WireOutgoingRecord])
    }
}

extension HostMessage {
    /// Whether the worker has asked for it.
    public var isAnswer: Bool {
        switch self {
        case .answer, .hmacVerdict, .checkpointed: true
        case .hello, .createInstance, .destroyInstance, .begin, .cancel: false
        }
    }

    private enum Kind: UInt8 {
        case hello = 1, createInstance, destroyInstance, handle, read, perform, check, verify, write, cancel, checkpointed, answer,
            hmacVerdict
    }

    /// The message's frames.
    public func frames(operation: UInt64) -> [UInt8] {
        var out = WireWriter()
        let kind: Kind
        switch self {
        case .hello(let hello):
            kind = .hello
            out.put(hello.version)
            out.put(hello.provider)
            out.put(hello.memoryMiB)
            out.put(hello.isBestEffort)
            out.put(UInt32(hello.readPaths.count))
            for path in hello.readPaths { out.put(path) }
        case .createInstance(let connection, let settings, let baseURL):
            kind = .createInstance
            out.put(connection)
            out.put(settings)
            out.put(baseURL)
        case .destroyInstance: kind = .destroyInstance
        case .begin(let start, let work): kind = Self.write(start, work, to: &out)
        case .cancel: kind = .cancel
        case .checkpointed(let status):
            kind = .checkpointed
            out.put(status)
        case .answer(let answer):
            kind = .answer
            out.put(answer)
        case .hmacVerdict(let status):
            kind = .hmacVerdict
            out.put(status)
        }
        return out.frames(kind: kind.rawValue, operation: operation)
    }

    private static func write(_ start: Start, _ work: Work, to out: inout WireWriter) -> Kind {
        out.put(start.instance)
        out.put(start.deadlineMilliseconds)
        out.put(start.slot)
        switch work {
        case .handle(let events):
            out.put(UInt32(events.count))
            for event in events { out.put(event) }
            return .handle
        case .read(let stream, let mode, let since, let until, let schema, let state):
            out.put(stream)
            out.put(mode)
            out.put(since)
            out.put(until)
            out.put(schema)
            out.put(state)
            return .read
        case .perform(let name, let input, let idempotencyKey):
            out.put(name)
            out.put(input)
            out.put(idempotencyKey)
            return .perform
        case .check: return .check
        case .verify(let event):
            out.put(event)
            return .verify
        case .write(let stream, let records):
            out.put(stream)
            out.put(UInt32(records.count))
            for record in records { out.put(record) }
            return .write
        }
    }

    /// Reads one message's payload.
    public init(kind: UInt8, payload: UnsafeRawBufferPointer) throws(WireError) {
        guard let kind = Kind(rawValue: kind) else { throw WireError(.unknownKind, "kind \(kind) to a worker") }
        var reader = WireReader(payload, "message to a worker")
        switch kind {
        case .hello:
            let version = try reader.integer(UInt32.self)
            let provider = try reader.text(max: 256)
            let memory = try reader.integer(UInt32.self)
            let bestEffort = try reader.bool()
            let count = try reader.count(max: 64, bytesEach: 4)
            var paths: [String] = []
            for _ in 0..<count { paths.append(try reader.text(max: 4096)) }
            self = .hello(Hello(provider: provider, memoryMiB: memory, isBestEffort: bestEffort, readPaths: paths, version: version))
        case .createInstance:
            let connection = try reader.text(max: 256)
            let settings = try reader.bytes()
            self = .createInstance(connection: connection, settings: settings, baseURL: try reader.text())
        case .destroyInstance: self = .destroyInstance
        case .handle, .read, .perform, .check, .verify, .write: self = try Self.begin(kind, &reader)
        case .cancel: self = .cancel
        case .checkpointed: self = .checkpointed(status: try reader.integer())
        case .answer: self = .answer(try reader.answer())
        case .hmacVerdict: self = .hmacVerdict(status: try reader.integer())
        }
        try reader.end()
    }

    private static func begin(_ kind: Kind, _ reader: inout WireReader) throws(WireError) -> HostMessage {
        let instance = try reader.integer(UInt64.self)
        let deadline = try reader.integer(UInt32.self)
        let slot = try reader.integer(UInt32.self)
        guard slot < WireLimits.operationsMax else { throw WireError(.badValue, "slot \(slot)") }
        let start = Start(instance: instance, deadlineMilliseconds: deadline, slot: slot)
        switch kind {
        case .handle:
            let count = try reader.count(max: WireLimits.itemsMax, bytesEach: 36)
            var events: [WireEvent] = []
            events.reserveCapacity(count)
            for _ in 0..<count { events.append(try reader.event()) }
            return .begin(start, .handle(events))
        case .read:
            let stream = try reader.text(max: 256)
            let mode = try reader.integer(UInt32.self)
            let since = try reader.integer(Int64.self)
            let until = try reader.integer(Int64.self)
            let schema = try reader.integer(UInt32.self)
            let state = try reader.bytes(max: WireLimits.checkpointBytesMax)
            return .begin(start, .read(stream: stream, mode: mode, since: since, until: until, schema: schema, state: state))
        case .perform:
            let name = try reader.text(max: 256)
            let input = try reader.bytes()
            return .begin(start, .perform(name: name, input: input, idempotencyKey: try reader.text(max: 4096)))
        case .verify: return .begin(start, .verify(try reader.event()))
        case .write:
            let stream = try reader.text(max: 256)
            let count = try reader.count(max: WireLimits.itemsMax, bytesEach: 13)
            var records: [WireOutgoingRecord] = []
            for _ in 0..<count { records.append(try reader.outgoingRecord()) }
            return .begin(start, .write(stream: stream, records: records))
        default: return .begin(start, .check)
        }
    }
}
