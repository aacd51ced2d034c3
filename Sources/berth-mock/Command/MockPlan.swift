// Everything the command line decided, checked.

/// What to play.
struct MockPlan: Sendable {
    var host: String
    var port: Int
    var calls: Int
    var seed: UInt64
    /// nil: the start time.
    var liveSeed: UInt64?
    var ledgerPath: String?
    var providers: [ProviderName] = []
    var sends: [ProviderName: SendSettings] = [:]
    var credentials: [ProviderName: [String]] = [:]
    var limits: [ProviderName: RateLimit] = [:]
    var faults: [Fault] = []
    var lateAfterSeconds = 15
    var allowsRemote = false
    var wrapsCalls = false
    /// nil: no authorization server.
    var oauth: OAuthSettings?

    init(host: String, port: Int, calls: Int, seed: UInt64, liveSeed: UInt64?, ledgerPath: String?) {
        self.host = host
        self.port = port
        self.calls = calls
        self.seed = seed
        self.liveSeed = liveSeed
        self.ledgerPath = ledgerPath
    }

    /// The dialect of `name` with its credentials and limits.
    func dialect(_ name: ProviderName) throws(MockProblem) -> any Dialect {
        let limit = limits[name] ?? .asProvider
        let given = credentials[name]
        switch name {
        case .ringba:
            let parts = given ?? ["RAMOCK0000000000000000000000000001", "mock-ringba-token"]
            guard parts.count == 2 else { throw MockProblem("--credential ringba=ACCOUNT:TOKEN") }
            return RingbaDialect(account: parts[0], token: parts[1], seed: seed, limit: limit)
        case .retreaver:
            let parts = given ?? ["mock-retreaver-key", "4242"]
            guard parts.count == 2, let company = Int(parts[1]) else {
                throw MockProblem("--credential retreaver=KEY:COMPANY, company a number")
            }
            return RetreaverDialect(apiKey: parts[0], company: company, seed: seed, limit: limit)
        case .trackdrive:
            let parts = given ?? ["tdpubMOCK", "tdprvMOCK", "mock-trackdrive-token"]
            guard parts.count >= 2 else { throw MockProblem("--credential trackdrive=PUBLIC:PRIVATE[:TOKEN]") }
            return TrackDriveDialect(
                publicKey: parts[0], privateKey: parts[1], token: parts.count > 2 ? parts[2] : "mock-trackdrive-token",
                wrapsCalls: wrapsCalls,
                limit: limit)
        }
    }
}
