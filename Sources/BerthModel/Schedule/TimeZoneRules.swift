// What a schedule must know of a time zone: the offset at a moment, and when it changes. No names, no formatting.

/// The offsets of one time zone over time.
public protocol TimeZoneRules: Sendable {
    /// Seconds east of UTC in force at a moment.
    func offsetSeconds(at moment: Timestamp) -> Int64
    /// The first change of the offset strictly after a moment; nil when there is none.
    func transition(after moment: Timestamp) -> ZoneTransition?
    /// The last change of the offset at or before a moment; nil when there is none.
    func transition(atOrBefore moment: Timestamp) -> ZoneTransition?
}

/// A change of offset.
public struct ZoneTransition: Sendable, Hashable {
    /// The first moment with the new offset.
    public var moment: Timestamp
    /// Seconds east of UTC until then.
    public var offsetBefore: Int64
    /// Seconds east of UTC from then on.
    public var offsetAfter: Int64

    /// A change.
    public init(moment: Timestamp, offsetBefore: Int64, offsetAfter: Int64) {
        self.moment = moment
        self.offsetBefore = offsetBefore
        self.offsetAfter = offsetAfter
    }
}

/// A zone whose offset never changes.
public struct FixedZone: TimeZoneRules, Hashable {
    private let offset: Int64

    /// A zone `offsetSeconds` east of UTC.
    public init(offsetSeconds: Int64) { offset = offsetSeconds }

    /// Coordinated universal time.
    public static let utc = FixedZone(offsetSeconds: 0)

    /// Always the same.
    public func offsetSeconds(at moment: Timestamp) -> Int64 { offset }
    /// None.
    public func transition(after moment: Timestamp) -> ZoneTransition? { nil }
    /// None.
    public func transition(atOrBefore moment: Timestamp) -> ZoneTransition? { nil }
}
