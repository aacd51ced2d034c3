// The one error that operators see: what happened, to what, and what to do next.

/// Why something could not be done. Its texts are shown to operators and clients: they never hold a secret.
public struct BerthError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A stable machine-readable cause.
    public var code: Code
    /// What happened, to what, with the values that matter.
    public var message: String
    /// What the operator does next; a command where there is one.
    public var hint: String?
    /// Whether the same request may succeed later without anybody changing anything.
    public var isRetryable: Bool
    /// When trying again makes sense, if known.
    public var retryAfter: Duration?

    /// An error with its texts.
    public init(_ code: Code, _ message: String, hint: String? = nil, isRetryable: Bool = false, retryAfter: Duration? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
        self.isRetryable = isRetryable
        self.retryAfter = retryAfter
    }

    /// `code: message (hint)`
    public var description: String {
        hint.map { "\(code.rawValue): \(message) (\($0))" } ?? "\(code.rawValue): \(message)"
    }

    /// An open set of causes; a module may add its own.
    public struct Code: RawRepresentable, Hashable, Sendable, Codable, ExpressibleByStringLiteral {
        /// The text that API clients see.
        public let rawValue: String
        /// A code by its text.
        public init(rawValue: String) { self.rawValue = rawValue }
        /// A code by its text.
        public init(stringLiteral value: String) { rawValue = value }

        /// The request's own values are wrong.
        public static let invalid: Code = "invalid_request"
        /// The thing named does not exist.
        public static let notFound: Code = "not_found"
        /// The thing exists already or is in a state that forbids this.
        public static let conflict: Code = "conflict"
        /// The caller may not do this.
        public static let forbidden: Code = "forbidden"
        /// The caller did not prove who it is.
        public static let unauthorized: Code = "unauthorized"
        /// More than a declared limit.
        public static let tooLarge: Code = "too_large"
        /// A queue is full or space is low; nothing was accepted.
        public static let overloaded: Code = "overloaded"
        /// The daemon is stopping.
        public static let stopping: Code = "stopping"
        /// The store failed.
        public static let store: Code = "store_failed"
        /// The plugin failed.
        public static let plugin: Code = "plugin_failed"
        /// The provider failed.
        public static let provider: Code = "provider_failed"
        /// The provider refused the credential.
        public static let credential: Code = "credential_refused"
        /// Asked for something this version or plugin does not offer.
        public static let unsupported: Code = "unsupported"
        /// A defect in Berth.
        public static let `internal`: Code = "internal"
    }
}
