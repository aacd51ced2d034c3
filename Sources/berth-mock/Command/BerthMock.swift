// The command line: which providers to play, with what data, faults and webhooks. What they do is in the folders beside this one.

import ArgumentParser
import Glibc

/// `berth-mock`.
@main
struct BerthMock: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "berth-mock",
        abstract: "Plays call-tracking providers: their APIs, and the webhooks they send.",
        discussion: """
            One listener plays all named providers at once; their paths do not collide.

            Credentials unless --credential says otherwise:
              ringba      account RAMOCK0000000000000000000000000001, Authorization: Token mock-ringba-token
                          (or Bearer with a session from POST /v2/token, any user and password)
              retreaver   ?api_key=mock-retreaver-key&company_id=4242
              trackdrive  basic tdpubMOCK:tdprvMOCK, or Authorization: Token mock-trackdrive-token

            Faults (KIND or KIND:PROBABILITY, with *N behind it N times only; more than one may be given):
            \(FaultKind.allCases.map { "  \($0.rawValue): \($0.explanation)" }.joined(separator: "\n"))

            Authorization server (--oauth, or the name oauth among the providers): GET /oauth/authorize, POST /oauth/token,
            POST /oauth/revoke; protected by it: /api/me, /api/items, /api/cached/VARIANT/NAME, /api/limited[/STYLE].
            Its settings (--oauth-set NAME=VALUE, PUT /_mock/oauth/settings):
            \(OAuthSettings.explanation)

            Own routes: /_mock/oauth/{ledger,grants,expire,requests,limits,cached,settings},
            GET /_mock/ledger[?ids=1], GET /_mock/calls/PROVIDER, GET and PUT /_mock/faults,
            POST /_mock/webhooks, DELETE /_mock/webhooks/PROVIDER, POST /_mock/send, POST /_mock/late-changes.
            """)

    @Argument(help: "Providers to play: ringba, retreaver, trackdrive, oauth.")
    var played: [PlayedName] = []

    @Flag(help: "Play an OAuth 2.0 authorization server and the API it protects; the same as naming oauth.")
    var oauth = false

    @Flag(name: .customLong("oauth-no-pkce"), help: "Confidential clients may leave out PKCE; the same as --oauth-set pkce=false.")
    var oauthNoPKCE = false

    @Option(name: .customLong("oauth-set"), help: "NAME=VALUE, see above. Repeatable.")
    var oauthSet: [String] = []

    @Option(help: "Address and port; port 0 picks a free one.")
    var listen = "127.0.0.1:9100"

    @Option(help: "Historic calls per provider, over the last 30 days.")
    var calls = 1000

    @Option(help: "Seed of the generated data.")
    var seed: UInt64 = 1

    @Option(name: .customLong("live-seed"), help: "Seed of calls that begin while running; default: the start time.")
    var liveSeed: UInt64?

    @Option(help: "Webhooks a second, per provider.")
    var rate = 1.0

    @Option(name: .customLong("webhook-count"), help: "Stop sending after this many webhooks per provider.")
    var webhookCount: Int?

    @Option(help: "Where webhooks go: PROVIDER=URL, or a URL when one provider is played. Repeatable.")
    var webhooks: [String] = []

    @Option(help: "PROVIDER=hmac:SECRET[:HEADER[:PARTS]] or PROVIDER=standard-webhooks:SECRET; default unsigned. Repeatable.")
    var scheme: [String] = []

    @Option(help: "ringba=ACCOUNT:TOKEN, retreaver=KEY:COMPANY, trackdrive=PUBLIC:PRIVATE[:TOKEN]. Repeatable.")
    var credential: [String] = []

    @Option(name: .customLong("rate-limit"), help: "PROVIDER=N/min or PROVIDER=off; default as the provider does. Repeatable.")
    var rateLimit: [String] = []

    @Option(help: "Append-only JSON lines, on disk before each send and after each answer.")
    var ledger: String?

    @Option(help: "KIND[:PROBABILITY], see above. Repeatable.")
    var fault: [String] = []

    @Option(name: .customLong("late-after"), help: "Seconds from the end of a live call to its late conversion.")
    var lateAfter = 15

    @Flag(name: .customLong("wrapped-calls"), help: "Every second TrackDrive webhook wraps its call as {\"call\":{...}}.")
    var wrappedCalls = false

    @Flag(name: .customLong("allow-remote"), help: "Allow webhooks to leave this machine.")
    var allowRemote = false

    mutating func validate() throws {
        guard !played.isEmpty || oauth else { throw ValidationError("name at least one of ringba, retreaver, trackdrive, oauth") }
        guard calls >= 0, calls <= 1_000_000 else { throw ValidationError("--calls is 0 to 1000000") }
        guard rate > 0, rate <= 100_000 else { throw ValidationError("--rate is above 0, at most 100000") }
    }

    mutating func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        do {
            try await MockRun(try plan()).run()
        } catch let problem as MockProblem {
            throw ValidationError(problem.description)
        }
    }

    private func plan() throws -> MockPlan {
        let address = listen.split(separator: ":", omittingEmptySubsequences: false)
        guard address.count == 2, let port = Int(address[1]), (0...65_535).contains(port) else {
            throw MockProblem("--listen is ADDRESS:PORT, not '\(listen)'")
        }
        var plan = MockPlan(host: String(address[0]), port: port, calls: calls, seed: seed, liveSeed: liveSeed, ledgerPath: ledger)
        plan.faults = try fault.map { try Fault($0) }
        plan.lateAfterSeconds = lateAfter
        plan.allowsRemote = allowRemote
        plan.wrapsCalls = wrappedCalls
        plan.oauth = try authorization()
        for name in ProviderName.allCases where played.contains(.provider(name)) {
            plan.providers.append(name)
            plan.sends[name] = SendSettings(rate: rate, count: webhookCount, allowsRemote: allowRemote)
        }
        for (name, value) in try pairs(webhooks, "--webhooks", plan) {
            plan.sends[name]?.target = try SendSettings.checked(value, allowsRemote: allowRemote)
        }
        for (name, value) in try pairs(scheme, "--scheme", plan) { plan.sends[name]?.scheme = try SigningScheme(value) }
        for (name, value) in try pairs(credential, "--credential", plan) {
            plan.credentials[name] = value.split(separator: ":").map(String.init)
        }
        for (name, value) in try pairs(rateLimit, "--rate-limit", plan) {
            guard let limit = RateLimit(value) else { throw MockProblem("--rate-limit is N/min or off, not '\(value)'") }
            plan.limits[name] = limit
        }
        return plan
    }

    private func authorization() throws(MockProblem) -> OAuthSettings? {
        guard oauth || played.contains(.oauth) else {
            guard oauthSet.isEmpty, !oauthNoPKCE else { throw MockProblem("--oauth-set and --oauth-no-pkce need --oauth") }
            return nil
        }
        var settings = OAuthSettings()
        if oauthNoPKCE { settings.isPKCERequired = false }
        for text in oauthSet {
            guard let sign = text.firstIndex(of: "=") else { throw MockProblem("--oauth-set is NAME=VALUE, not '\(text)'") }
            try settings.set(String(text[..<sign]), String(text[text.index(after: sign)...]))
        }
        return settings
    }

    // `ringba=value`, or `value` alone while one provider is played. A value may hold an equals sign itself.
    private func pairs(_ texts: [String], _ flag: String, _ plan: MockPlan) throws -> [(ProviderName, String)] {
        try texts.map { text in
            if let sign = text.firstIndex(of: "="), let name = ProviderName(rawValue: String(text[..<sign])) {
                guard plan.providers.contains(name) else {
                    throw MockProblem("\(flag): \(name.rawValue) is not played; name it as an argument")
                }
                return (name, String(text[text.index(after: sign)...]))
            }
            guard plan.providers.count == 1 else {
                throw MockProblem("\(flag) '\(text)': write PROVIDER=... when several providers are played")
            }
            return (plan.providers[0], text)
        }
    }
}
