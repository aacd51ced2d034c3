// Fields with their kind in the type, so that a duration cannot be written where money belongs.

/// Kinds of fields; each says how a provider's value becomes the canonical text.
public enum FieldKind {
    /// Any text.
    public enum Text {}
    /// E.164 where the source allows.
    public enum Phone {}
    /// RFC 3339, UTC, milliseconds.
    public enum Time {}
    /// A decimal string exactly as the provider wrote its digits.
    public enum Money {}
    /// Whole seconds.
    public enum Seconds {}
    /// A whole number.
    public enum Integer {}
    /// True or false.
    public enum Flag {}
    /// Any JSON.
    public enum JSON {}
    /// One of a closed list.
    public enum Choice<Value> {}
}

/// A field of an entity. Those of the built-in entities stand below; a plugin's own entity makes its own.
public struct Field<Kind>: Sendable {
    let name: StaticString
    /// A field by its name in the entity.
    public init(_ name: StaticString) { self.name = name }
}

/// Values of `call.status`.
public enum CallStatus: String, Sendable { case ringing, inProgress = "in_progress", completed, missed, failed, blocked }
/// Values of `call.direction`.
public enum CallDirection: String, Sendable { case inbound, outbound }
/// Values of `tracking_number.status`.
public enum NumberStatus: String, Sendable { case active, inactive, released }
/// Values of `campaign.status`.
public enum CampaignStatus: String, Sendable { case active, paused, archived }

extension Field where Kind == FieldKind.Choice<CallStatus> {
    /// `call.status`
    public static var status: Self { Self("status") }
}
extension Field where Kind == FieldKind.Choice<CallDirection> {
    /// `call.direction`
    public static var direction: Self { Self("direction") }
}
extension Field where Kind == FieldKind.Choice<NumberStatus> {
    /// `tracking_number.status`
    public static var numberStatus: Self { Self("status") }
}
extension Field where Kind == FieldKind.Choice<CampaignStatus> {
    /// `campaign.status`
    public static var campaignStatus: Self { Self("status") }
}
extension Field where Kind == FieldKind.Phone {
    /// `call.tracking_number`: the number the caller dialled.
    public static var trackingNumber: Self { Self("tracking_number") }
    /// `call.caller_number`
    public static var callerNumber: Self { Self("caller_number") }
    /// `call.destination_number`: where the call was sent to.
    public static var destinationNumber: Self { Self("destination_number") }
    /// `tracking_number.number`
    public static var number: Self { Self("number") }
}
extension Field where Kind == FieldKind.Text {
    /// The campaign's key, of `call` and `tracking_number`.
    public static var campaignID: Self { Self("campaign_id") }
    /// The publisher's key, of `call` and `tracking_number`.
    public static var publisherID: Self { Self("publisher_id") }
    /// `call.buyer_id`
    public static var buyerID: Self { Self("buyer_id") }
    /// `call.recording_url`
    public static var recordingURL: Self { Self("recording_url") }
    /// `call.currency`, ISO 4217.
    public static var currency: Self { Self("currency") }
    /// `tracking_number.country`, ISO 3166-1 alpha-2.
    public static var country: Self { Self("country") }
    /// `campaign.name`
    public static var name: Self { Self("name") }
}
extension Field where Kind == FieldKind.Time {
    /// `call.started_at`
    public static var startedAt: Self { Self("started_at") }
    /// `call.answered_at`
    public static var answeredAt: Self { Self("answered_at") }
    /// `call.ended_at`
    public static var endedAt: Self { Self("ended_at") }
}
extension Field where Kind == FieldKind.Seconds {
    /// `call.duration_seconds`: from ringing to the end.
    public static var duration: Self { Self("duration_seconds") }
    /// `call.talk_seconds`: while connected.
    public static var talk: Self { Self("talk_seconds") }
}
extension Field where Kind == FieldKind.Flag {
    /// `call.converted`
    public static var converted: Self { Self("converted") }
    /// `call.duplicate`
    public static var duplicate: Self { Self("duplicate") }
    /// `tracking_number.toll_free`
    public static var tollFree: Self { Self("toll_free") }
}
extension Field where Kind == FieldKind.Money {
    /// `call.revenue`: what the buyer pays.
    public static var revenue: Self { Self("revenue") }
    /// `call.payout`: what the publisher gets.
    public static var payout: Self { Self("payout") }
    /// `call.cost`
    public static var cost: Self { Self("cost") }
}
extension Field where Kind == FieldKind.JSON {
    /// `call.tags`
    public static var tags: Self { Self("tags") }
}
