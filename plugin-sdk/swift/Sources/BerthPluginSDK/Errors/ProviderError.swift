// What went wrong at the provider, in the words of the ABI, so that the daemon knows whether to try again, to wait, to
// ask a person or to park an event. It doesn't decide how often to retry: that is the daemon's.

internal import CBerthPlugin

/// A failure an adapter reports. Throw it; the SDK hands it to the daemon with all its details.
public struct ProviderError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure; the daemon's reaction follows from it.
    public enum Status: Int32, Sendable, Hashable {
        /// Passing trouble: try again later.
        case retry = 1
        /// The provider asks for fewer requests.
        case throttled = 2
        /// The credential has run out and may be renewed.
        case authExpired = 3
        /// The credential is wrong or lacks a right: a person must act.
        case authDenied = 4
        /// This event can never be processed: it is parked at once.
        case invalidEvent = 5
        /// The object is not there.
        case notFound = 6
        /// The object's state does not allow it.
        case conflict = 7
        /// The provider fails: 5xx, unreachable, no JSON.
        case remoteDown = 8
        /// No answer in time.
        case timeout = 9
        /// Nobody handles this kind: kept and marked, not an error.
        case unsupported = 11
        /// A defect in the adapter.
        case `internal` = 12
        /// Wrong settings or input.
        case invalidArgument = 14
        /// The daemon refuses: egress rule, missing permission.
        case denied = 15
    }

    /// What kind.
    public var status: Status
    /// For the operator: what happened, to what, what to do next. Never a secret or a whole payload.
    public var message: String
    /// The provider's HTTP status; 0 when there was none.
    public var remoteStatus: Int
    /// The provider's own error code.
    public var remoteCode: String
    /// How long the provider asks to wait; nil: the daemon decides.
    public var retryAfter: Duration?
    /// The daemon knows the details already, from its own part of the exchange.
    var isReported = false

    /// A failure.
    public init(
        _ status: Status, _ message: String, remoteStatus: Int = 0, remoteCode: String = "", retryAfter: Duration? = nil
    ) {
        self.status = status
        self.message = message
        self.remoteStatus = remoteStatus
        self.remoteCode = remoteCode
        self.retryAfter = retryAfter
    }

    /// An event that can never be processed.
    public static func invalidEvent(_ message: String) -> ProviderError { ProviderError(.invalidEvent, message) }
    /// An event, stream or action that this adapter does not know.
    public static func unsupported(_ message: String) -> ProviderError { ProviderError(.unsupported, message) }

    /// `throttled (HTTP 429): ...`
    public var description: String {
        remoteStatus == 0 ? "\(status): \(message)" : "\(status) (HTTP \(remoteStatus)): \(message)"
    }
}

/// Thrown by the SDK out of host calls when the operation should end: its deadline passed or somebody cancelled it.
/// Let it through; there is nothing to clean up that the daemon does not undo itself.
public struct CancelledError: Error, Sendable, Hashable {
    /// The operation should end.
    public init() {}
}

extension ProviderError {
    /// What a status answered by a host call means; nil: it went well.
    static func from(hostStatus status: Int32, _ what: @autoclosure () -> String) -> (any Error)? {
        switch status {
        case BERTH_OK: return nil
        case BERTH_CANCELLED, BERTH_STALE: return CancelledError()
        default:
            var error = ProviderError(Status(rawValue: status) ?? .internal, what())
            error.isReported = true
            return error
        }
    }
}
