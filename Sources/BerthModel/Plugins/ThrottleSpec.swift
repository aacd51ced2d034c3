// How a provider says "too many requests" where it does not say 429 with Retry-After. Only described here; the broker of
// outgoing requests reads answers by it.

/// One kind of answer that means: not now. All conditions given must hold.
public struct ThrottleSpec: Sendable, Hashable {
    /// HTTP status it comes with; nil: any.
    public var status: Int?
    /// JSON pointer (RFC 6901) into the answer's body that must lead to a value.
    public var bodyPointer: String?
    /// The value that must stand there; nil: any but null and false.
    public var equals: JSONValue?
    /// Header that must be there, lower case.
    public var header: String?
    /// How long to wait.
    public var wait: Wait

    /// How long to wait. A Retry-After in the answer goes before it.
    public struct Wait: Sendable, Hashable {
        /// JSON pointer to a number of seconds.
        public var bodyPointer: String?
        /// Header with a number of seconds or an HTTP date, lower case.
        public var header: String?
        /// Until the next full multiple of so many seconds since 1970: 60 waits for the minute to turn.
        public var boundarySeconds: Int?
        /// Seconds, when nothing else tells.
        public var seconds: Int
        /// A wait.
        public init(bodyPointer: String? = nil, header: String? = nil, boundarySeconds: Int? = nil, seconds: Int = 60) {
            self.bodyPointer = bodyPointer
            self.header = header
            self.boundarySeconds = boundarySeconds
            self.seconds = seconds
        }
    }

    /// A kind of answer.
    public init(status: Int? = nil, bodyPointer: String? = nil, equals: JSONValue? = nil, header: String? = nil, wait: Wait = Wait()) {
        self.status = status
        self.bodyPointer = bodyPointer
        self.equals = equals
        self.header = header
        self.wait = wait
    }
}
