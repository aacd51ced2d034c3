// The life of an event in the inbox.
//
//   available --lease--> running --ok/unsupported--> completed
//       ^                   |--retry, daemon or worker died--> retryable --due--> (leased again)
//       |                   |--invalid, attempts used up--> discarded (dead letter)
//       +---- replay -------+-- any end state;   cancelled: a person gave it up,
//                                               or its connection was removed

/// Where an event stands.
public enum EventState: String, Sendable, NamedChoice, Hashable {
    /// Waits for its first attempt.
    case available
    /// Leased by this life of the daemon.
    case running
    /// Failed, waits for its next attempt.
    case retryable
    /// Waits for a time given at acceptance.
    case scheduled
    /// Processed; its effects are durable.
    case completed
    /// Given up by a person, or its connection was removed.
    case cancelled
    /// Dead letter: attempts used up, or invalid.
    case discarded
}

/// How one attempt at an event ended, as the plugin or the host says.
public enum AttemptStatus: String, Sendable, Codable, Hashable, CaseIterable {
    /// Processed.
    case ok
    /// Passing trouble.
    case retry
    /// The provider asks for fewer requests.
    case throttled
    /// The credential has run out.
    case authExpired = "auth_expired"
    /// The credential is wrong.
    case authDenied = "auth_denied"
    /// Can never be processed.
    case invalidEvent = "invalid_event"
    /// The object is gone.
    case notFound = "not_found"
    /// The provider sees a conflict.
    case conflict
    /// The provider fails.
    case remoteDown = "remote_down"
    /// Took too long.
    case timeout
    /// Asked to stop.
    case cancelled
    /// Nobody handles this kind.
    case unsupported
    /// A defect in the plugin.
    case `internal`
    /// A rule of the host forbids it.
    case denied
    /// Host verdict: the plugin's process died.
    case crashed
    /// Host verdict: past its deadline and grace; killed.
    case hung
    /// Host verdict: broke the ABI's rules.
    case contractViolation = "contract_violation"

    /// By the numbers of `berth/plugin.h`; 13 and 14 are the host's answers to single calls, and no way for an attempt to end.
    private static let numbered: [AttemptStatus] = [
        .ok, .retry, .throttled, .authExpired, .authDenied, .invalidEvent, .notFound, .conflict, .remoteDown, .timeout, .cancelled,
        .unsupported, .internal, .internal, .internal, .denied,
    ]

    /// The status of an ABI number; unknown numbers are `internal`.
    public init(abi: Int32) {
        self = abi >= 0 && abi < Self.numbered.count ? Self.numbered[Int(abi)] : .internal
    }

    /// The ABI's number, also on the wire; the host's verdicts are `BERTH_INTERNAL`.
    public var abi: Int32 {
        switch self {
        case .ok: 0
        case .retry: 1
        case .throttled: 2
        case .authExpired: 3
        case .authDenied: 4
        case .invalidEvent: 5
        case .notFound: 6
        case .conflict: 7
        case .remoteDown: 8
        case .timeout: 9
        case .cancelled: 10
        case .unsupported: 11
        case .internal, .crashed, .hung, .contractViolation: 12
        case .denied: 15
        }
    }
}

/// Why an attempt did not succeed.
public struct AttemptFailure: Error, Sendable, Hashable, Codable {
    /// The outcome, never `.ok`.
    public var status: AttemptStatus
    /// For the operator.
    public var message: String
    /// The provider's HTTP status.
    public var remoteStatus: Int?
    /// The provider's own code.
    public var remoteCode: String?
    /// Milliseconds the provider or plugin asks to wait.
    public var retryAfterMilliseconds: UInt64?

    /// A failure.
    public init(
        _ status: AttemptStatus, _ message: String, remoteStatus: Int? = nil, remoteCode: String? = nil,
        retryAfterMilliseconds: UInt64? = nil
    ) {
        self.status = status
        self.message = message
        self.remoteStatus = remoteStatus
        self.remoteCode = remoteCode
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }

    private enum CodingKeys: String, CodingKey {
        case status, message
        case remoteStatus = "remote_status"
        case remoteCode = "remote_code"
        case retryAfterMilliseconds = "retry_after_ms"
    }

    /// What ends that began with an address or a credential which the connection does not have any more.
    public static func connectionChanged(_ connection: ConnectionID) -> AttemptFailure {
        AttemptFailure(
            .retry,
            "address or credential of connection \(connection) changed while this was under way: what begins now goes with the new ones")
    }
}

extension AttemptStatus {
    /// Whether the host, not the plugin, says so: the process died, hung or broke the rules.
    public var isHostVerdict: Bool {
        switch self {
        case .crashed, .hung, .contractViolation: true
        default: false
        }
    }
}
