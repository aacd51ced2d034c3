// What the public listener asks the engine: take this delivery, and what shall I answer?

public import BerthModel

/// Receives webhook deliveries. Called concurrently.
public protocol WebhookReceiver: Sendable {
    /// Takes one delivery; answers once, on any thread, also before this returns. Never blocks. Every outcome has its
    /// answer.
    func receive(_ delivery: RawDelivery, _ answer: @escaping @Sendable (IntakeAnswer) -> Void)
    /// Notes that one was given up before it was read whole: too large, too slow. Its body is not looked at.
    func gaveUp(_ delivery: RawDelivery, _ error: BerthError)
    /// Notes that a delivery's sender was told to come again, because its answer took longer than so many seconds. The answer may still
    /// come, and is then nobody's.
    func tookTooLong(provider: String, connection: String?, seconds: Int)
}

extension WebhookReceiver {
    /// `receive(_:_:)` for callers that can wait.
    public func receive(_ delivery: RawDelivery) async -> IntakeAnswer {
        await withUnsafeContinuation { continuation in receive(delivery) { continuation.resume(returning: $0) } }
    }
}

/// The answer to a delivery.
public enum IntakeAnswer: Sendable {
    /// Durable: only a store makes the receipt.
    case accepted(IntakeReceipt, WebhookSpec.Success)
    /// A validation of the URL, answered as the manifest declares. Nothing was stored.
    case handshake(status: Int, body: String, contentType: String, headers: [(name: String, value: String)])
    /// Not taken, and the same request will not be taken later either: 401, 403, 404, 410.
    case refused(status: Int, BerthError)
    /// Not taken by this method: 405 with those that are (RFC 9110, 15.5.6).
    case methodRefused(allowed: Set<String>, BerthError)
    /// Not taken now: 503 with Retry-After.
    case overloaded(retryAfterSeconds: Int, BerthError)
}
