// What the name of a webhook's trigger says about its call. Users type these names, so that they are read loosely, and all
// call tracking providers mean the same few things. Which facts of a delivery refine its state is each adapter's own.

/// A moment in a call's life, by the name of the trigger that tells of it.
public enum CallTrigger: Sendable, Hashable {
    /// It came in.
    case started
    /// Somebody took it.
    case answered
    /// It is over; whether somebody had taken it is left to the facts.
    case ended
    /// It is over and nobody had taken it.
    case missed
    /// It could not be put through.
    case failed
    /// It was worth something.
    case converted
    /// The name says nothing of the call's state.
    case other

    /// By a name in any case and with any separators: `incoming`, `Call Ended`, `call_forwarded`, `new_call`.
    public init(_ name: String) {
        self =
            switch Self.word(name) {
            case "start", "started", "incoming", "new", "ringing", "ping", "selected": .started
            case "answered", "answer", "connected", "connect", "forwarded": .answered
            case "end", "ended", "completed", "complete", "finished", "hangup": .ended
            case "missed", "noanswer": .missed
            case "error", "failed": .failed
            case "converted", "conversion", "sale": .converted
            default: .other
            }
    }

    /// The letters of a name in lower case, without the word "call" at either end.
    public static func word(_ name: String) -> String {
        let letters = String(name.lowercased().filter(\.isLetter))
        if letters.hasPrefix("call") { return String(letters.dropFirst(4)) }
        return letters.hasSuffix("call") ? String(letters.dropLast(4)) : letters
    }

    /// The state of the call at that moment; `completed` for an end. nil: the name does not say.
    public var status: CallStatus? {
        switch self {
        case .started: .ringing
        case .answered: .inProgress
        case .ended: .completed
        case .missed: .missed
        case .failed: .failed
        case .converted, .other: nil
        }
    }

    /// A conversion is its own proof; the others say nothing.
    public var converted: Bool? { self == .converted ? true : nil }

    /// The `sourceTime` of a delivery of this trigger that carries no time of change.
    ///
    /// States that pass are told of by deliveries that may come late, after that of the end, and their time of receipt says
    /// nothing of when they were so. They are dated back, by more than a delivery is ever late: what has already been told of
    /// the call, by later triggers or by a read, stands. Between themselves they stay in order, and what comes first, as it
    /// usually does, is shown at once. `answeredAt`, where a delivery carries it, is the very time of its state. The daemon
    /// has no order of states: a record without any `sourceTime` would always win.
    ///
    /// A late one changes nothing at all then, its other facts are not taken either: they stand in its event, and a read of
    /// the call brings them.
    public func sourceTime(receivedAt: ProviderTime, answeredAt: ProviderTime? = nil) -> ProviderTime {
        switch self {
        case .started: receivedAt.adding(seconds: -2 * Self.latestSeconds)
        case .answered:
            max(receivedAt.adding(seconds: -Self.latestSeconds), min(receivedAt, answeredAt ?? .init(milliseconds: .min)))
        case .ended, .missed, .failed, .converted, .other: receivedAt
        }
    }

    /// A day: providers that try deliveries again give up within it.
    private static let latestSeconds: Int64 = 86_400
}
