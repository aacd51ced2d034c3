// Where the public listener hands a request to the engine, and what it may answer.

public import BerthModel

/// Takes webhook requests.
public protocol WebhookReceiver: Sendable {
    /// Verifies and makes durable; answers when that is done or refused.
    func receive(_ delivery: RawDelivery) async -> IntakeAnswer
}

/// The answer to a webhook request. Only an accepted one can become a 2xx for a delivery, and it holds the store's receipt.
public enum IntakeAnswer: Sendable {
    /// Durable. The provider gets the answer it wants.
    case accepted(IntakeReceipt, WebhookSpec.Success)
    /// No delivery but a validation of the URL.
    case handshake(Handshake)
    /// Not taken: 400 to 499.
    case refused(status: Int, BerthError)
    /// Not taken now: 503 with Retry-After.
    case overloaded(retryAfterSeconds: Int, BerthError)

    /// An answer to a validation.
    public struct Handshake: Sendable {
        /// 200 to 299.
        public var status: Int
        /// Echoed value.
        public var body: String
        /// Of the body.
        public var contentType: String
        /// More headers.
        public var headers: [(name: String, value: String)]
        /// An answer.
        public init(status: Int = 200, body: String = "", contentType: String = "text/plain", headers: [(name: String, value: String)] = []) {
            self.status = status
            self.body = body
            self.contentType = contentType
            self.headers = headers
        }
    }
}
