// The entities every Berth has. Others come with the plugins that bring them.

extension EntityDefinition {
    /// `call`, `tracking_number`, `campaign`.
    public static let builtIn: [EntityDefinition] = [call, trackingNumber, campaign]

    /// One phone call through a tracking number.
    public static let call = EntityDefinition(
        name: EntityName("call")!,
        fields: [
            .init("direction", .enumeration, values: ["inbound", "outbound"]),
            .init(
                "status", .enumeration, isIndexed: true,
                values: ["ringing", "in_progress", "completed", "missed", "failed", "blocked"]),
            .init("tracking_number", .phone, isIndexed: true),
            .init("caller_number", .phone, isIndexed: true),
            .init("destination_number", .phone),
            .init("campaign_id", .string, isIndexed: true, references: EntityName("campaign")),
            .init("publisher_id", .string),
            .init("buyer_id", .string),
            .init("started_at", .time, isIndexed: true),
            .init("answered_at", .time),
            .init("ended_at", .time),
            .init("duration_seconds", .integer),
            .init("talk_seconds", .integer),
            .init("recording_url", .string),
            .init("converted", .boolean),
            .init("revenue", .decimal),
            .init("payout", .decimal),
            .init("cost", .decimal),
            .init("currency", .string),
            .init("duplicate", .boolean),
            .init("tags", .json),
        ])

    /// A number that calls are tracked by.
    public static let trackingNumber = EntityDefinition(
        name: EntityName("tracking_number")!,
        fields: [
            .init("number", .phone, isIndexed: true),
            .init("toll_free", .boolean),
            .init("country", .string),
            .init("campaign_id", .string, isIndexed: true, references: EntityName("campaign")),
            .init("publisher_id", .string),
            .init("status", .enumeration, values: ["active", "inactive", "released"]),
        ])

    /// A campaign (offer) that calls belong to.
    public static let campaign = EntityDefinition(
        name: EntityName("campaign")!,
        fields: [
            .init("name", .string, isIndexed: true),
            .init("status", .enumeration, values: ["active", "paused", "archived"]),
        ])
}
