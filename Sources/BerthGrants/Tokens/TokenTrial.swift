// Whether a refused token is worth a renewal. Many providers tell no lifetime, so that a refusal is the only sign of an end; others refuse
// whatever they just gave, and asking them for more tokens only spends refresh tokens.

/// What is known of one access token since it was given.
struct TokenTrial: Sendable {
    private let givenAt: ContinuousClock.Instant
    /// When a refusal last asked for a renewal of this connection's token.
    private var forcedAt: ContinuousClock.Instant?
    private var hasWorked = false
    private var wasRefusedFresh = false

    /// A token that is refused this soon is not one that has ended, even if another request got through with it.
    private static let youth = Duration.seconds(5)
    /// Between two renewals that tokens refused from the start ask for.
    private static let pause = Duration.seconds(120)

    /// Of a token that was given at `instant` after the one that `before` tells of.
    init(at instant: ContinuousClock.Instant, after before: TokenTrial? = nil) {
        givenAt = instant
        forcedAt = before?.forcedAt
    }

    /// The provider took it.
    mutating func accept() { hasWorked = true }

    /// The provider refused it: whether another should be asked for. One that worked has ended, and the next one will work as well; one
    /// that never did gives the next a single try in some minutes.
    mutating func refuse(at instant: ContinuousClock.Instant) -> Bool {
        wasRefusedFresh = wasRefusedFresh || !hasWorked || instant - givenAt < Self.youth
        if wasRefusedFresh, let last = forcedAt, instant - last < Self.pause { return false }
        forcedAt = instant
        return true
    }
}
