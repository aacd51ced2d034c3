// What metrics hear from intake.

/// Told of every webhook request. Called on the request's path: must be quick, never block, and be callable from any
/// thread.
public protocol IntakeObserver: Sendable {
    /// A request was answered. `provider` is `unknown` and `kind` empty unless a connection of that provider exists and
    /// the delivery was verified; the number of different kinds is bounded.
    func received(provider: String, kind: String, outcome: IntakeOutcome)
}

/// How a webhook request ended.
public enum IntakeOutcome: String, Sendable, Hashable, CaseIterable {
    /// A new event is durable.
    case accepted
    /// The event was there before.
    case duplicate
    /// A validation of the URL.
    case handshake
    /// Not authentic.
    case unauthorized
    /// From an address that may not call.
    case forbidden
    /// Nothing takes webhooks there.
    case notFound = "not_found"
    /// The connection was cut off.
    case gone
    /// The manifest does not take the method.
    case methodNotAllowed = "method_not_allowed"
    /// Nothing accepted for now.
    case overloaded
}
