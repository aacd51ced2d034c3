// The figures both ends of a worker's socket keep to, and what a break of them is called.

/// Limits of the protocol.
public enum WireLimits {
    /// Both ends are built together; a worker of another build is refused.
    public static let version: UInt32 = 1
    /// Bytes before each frame's payload: length (u32), kind (u8), flags (u8), zero (u16), operation (u64), little-endian.
    public static let headerBytes = 16
    /// Payload of one frame; longer messages are continued in further frames.
    public static let frameBytesMax = 1 << 20
    /// Payload of one message, all its frames together.
    public static let messageBytesMax = 64 << 20
    /// A checkpoint's state.
    public static let checkpointBytesMax = 64 << 10
    /// A record's key.
    public static let keyBytesMax = 1024
    /// One log line; longer ones are cut.
    public static let logBytesMax = 4096
    /// A failure's message; longer ones are cut.
    public static let failureBytesMax = 4096
    /// Events or records in one message.
    public static let itemsMax = 65_536
    /// Headers of one request, answer or event.
    public static let headersMax = 1024
    /// Emitted bytes a worker gathers before it sends them on.
    public static let emissionBytes = 256 << 10
    /// Checkpoints handed over and not yet durable.
    public static let checkpointWindow = 1
    /// Operations at once in one worker.
    public static let operationsMax = 32
    /// Events of one operation whose statuses stand in the shared progress pages.
    public static let sharedStatuses = 1024
    /// Bytes of the progress pages: a touched item per operation, then statuses per operation. Sparse: what is not used has no memory.
    public static let progressBytes = 4096 + operationsMax * sharedStatuses * 4
    /// "Concerns no single item", as in the plugin ABI.
    public static let noItem: UInt32 = 0xFFFF_FFFF
    /// "Time unknown", as in the plugin ABI.
    public static let noTime = Int64.min
}

/// A message that breaks the protocol. There is no way back into step with its sender: the worker is killed.
public struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is broken.
    public enum Code: String, Sendable, Hashable {
        /// Ends before its content does.
        case truncated
        /// Holds more than its content.
        case trailing
        /// A length or count beyond the limits.
        case tooLarge = "too_large"
        /// A kind of message nobody knows, or not in this direction.
        case unknownKind = "unknown_kind"
        /// A value outside its range.
        case badValue = "bad_value"
        /// Text that is not UTF-8.
        case notUTF8 = "not_utf8"
        /// A continuation of something else.
        case outOfStep = "out_of_step"
    }
    /// What is broken.
    public let code: Code
    /// Which part of which message.
    public let detail: String
    /// An error.
    public init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }
    /// `too_large: frame of 4294967295 bytes`
    public var description: String { "\(code.rawValue): \(detail)" }
}
