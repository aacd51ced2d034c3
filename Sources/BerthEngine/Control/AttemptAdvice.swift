// What a person does next about an operation of a plugin that failed. The message says what happened; it does not say this.

import BerthModel

extension AttemptStatus {
    /// One line for the operator, with the connection's name in it.
    func advice(_ connection: String) -> String {
        switch self {
        case .retry, .remoteDown: "the provider fails; try again. berthctl requests --failed shows since when"
        case .timeout: "try again; if it stays: berthctl requests shows how long the provider takes"
        case .throttled: "the provider's limits are used up: berthctl connection show \(connection)"
        case .authExpired, .authDenied: "berthctl connection check \(connection)"
        case .denied: "a rule of the daemon or the manifest refuses it, as the message says; asking again gives the same"
        case .crashed, .hung, .contractViolation, .internal: "a defect of the plugin; the daemon's log has more"
        case .ok, .invalidEvent, .notFound, .conflict, .cancelled, .unsupported: "status \(rawValue)"
        }
    }
}
