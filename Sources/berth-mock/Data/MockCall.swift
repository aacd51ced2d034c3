// The truth about one call, before any provider's way of telling it.

/// A consumer who calls.
struct Caller: Sendable {
    /// National number of ten digits; E.164 is `+1` and these.
    var digits: Int
    /// Where the number is from.
    var place: Place
    /// `+12025550143`.
    var e164: String { "+1\(digits)" }
}

/// A town.
struct Place: Sendable {
    var city: String, state: String, zip: String
}

/// How a call ended.
enum CallEnding: String, Sendable { case caller = "Caller", target = "Target", system = "System" }

/// One call. Fields that are nil have not happened yet, or never will.
struct MockCall: Sendable {
    /// Position in the book; never changes.
    let serial: Int
    /// The id that webhooks and API share.
    let externalID: String
    /// A second id, for providers that have a number beside the uuid.
    let numericID: Int
    let caller: Caller
    /// Indices into the catalog.
    let number: Int, campaign: Int, publisher: Int
    /// nil when no buyer was found.
    let target: Int?
    let startedAt: Milliseconds
    var answeredAt: Milliseconds?
    var endedAt: Milliseconds?
    /// Last change of anything; never goes back.
    var updatedAt: Milliseconds
    var ivrSeconds: Int, holdSeconds: Int
    var ending: CallEnding
    var isDuplicate: Bool
    var isBlocked: Bool
    var isConverted: Bool
    var hasRecording: Bool
    var revenue: Money?
    var payout: Money?
    var cost: Money
    var tags: [String: String]

    /// Seconds between buyer and consumer; 0 until the end.
    var talkSeconds: Int { answeredAt.flatMap { answered in endedAt.map { max(1, Int(($0 - answered) / 1000)) } } ?? 0 }
    /// Seconds from start to end; 0 until the end.
    var totalSeconds: Int { max(talkSeconds, endedAt.map { max(1, Int(($0 - startedAt) / 1000)) } ?? 0) }
    /// Seconds from start to the buyer's answer.
    var secondsToConnect: Int { answeredAt.map { Int(($0 - startedAt) / 1000) } ?? 0 }
    var isConnected: Bool { answeredAt != nil }
    var isLive: Bool { endedAt == nil }
}
