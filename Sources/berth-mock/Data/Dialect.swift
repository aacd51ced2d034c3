// What each provider brings: its API over a book of calls, and its webhooks. A dialect does no I/O and reads no clock, so a test
// drives it with values.

/// A webhook about to be sent, without signature.
struct WebhookMessage: Sendable {
    /// Provider's word for what happened.
    var event: String
    var externalID: String
    /// What a receiver would recognise a repeat by.
    var dedupKey: String
    var method: String
    /// Absolute.
    var url: String
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// Position of the call in the book.
    var serial: Int
}

/// One provider's way of speaking.
protocol Dialect: Sendable {
    /// Answers a request to the provider's API; nil when the path is none of this provider's.
    mutating func answer(_ request: APIRequest, book: inout CallBook) -> Reply?
    /// Provider's word for a stage of a call; nil when it tells nothing then.
    func event(for stage: CallStage, call: MockCall) -> String?
    /// The webhook for `target`. - Parameter ordinal: counts messages, for variety that is not random.
    func message(_ event: String, call: MockCall, book: CallBook, target: String, ordinal: Int) -> WebhookMessage
    /// URLs that were registered through the API for this event and call.
    func subscribers(_ event: String, call: MockCall, book: CallBook) -> [String]
    /// Whether any URL is registered through the API.
    var hasSubscribers: Bool { get }
    /// Serials that the last requests changed and that a webhook should tell about; empties the list.
    mutating func takeChanged() -> [Int]
}
