// Keeps OAuth grants alive: hands out access tokens, renews them in time and once for all who wait, and stores what the
// provider gave before anybody uses it.

public import BerthModel
public import BerthSeams
import Crypto
public import Logging

/// ``Grants`` over the vault.
///
/// Isolation: an actor; what is done with one connection's grant - a renewal, a consent, its end - is done one after the other, in the
/// order asked. At most one renewal per connection is under way, in a task of its own, so that a caller that is cancelled
/// cancels nobody else.
public actor GrantKeeper: Grants {
    let secrets: any SecretStore
    let desk: ExchangeDesk
    let clock: any WallClock
    let entropy: any Entropy
    let logger: Logger
    private let accessRevision: (@Sendable (ConnectionID) -> UInt64?)?
    private let tell: @Sendable (GrantNews) async -> Void

    private struct Held {
        var grant: StoredGrant?
        var serial: UInt64
        /// The provider does not take the access token any more.
        var isRefused = false
        var trial = TokenTrial(at: .now)
        /// After a failure nothing is asked before this.
        var holdUntil: ContinuousClock.Instant?
        var failures = 0
        /// Refusals in a row that waiting does not mend.
        var refusals = 0
        var lastFailure: GrantFailure?
        /// What went wrong first since tokens could last be had.
        var firstCause: String?
    }
    private var held: [ConnectionID: Held] = [:]
    /// By the spec, and so by the address and credential: those who come after a change don't get what was asked for before.
    private var renewals: [ConnectionID: (spec: CredentialSpec, task: Task<Result<AccessToken, AttemptFailure>, Never>)] = [:]
    /// Grants that are being given back for good.
    var endings: [ConnectionID: Task<String?, Never>] = [:]
    private var nextSerial: UInt64 = 1
    /// Who waits for a turn at a connection's grant; an entry: somebody has it.
    private var turns: [ConnectionID: [CheckedContinuation<Void, Never>]] = [:]
    /// Counted up when a connection changes: what was begun before is not kept in memory.
    private var changes: [ConnectionID: Int] = [:]
    /// Those whose grant has ended: nothing is asked for them until they are opened again.
    private(set) var closed: Set<ConnectionID> = []
    var pending: [String: PendingConsent] = [:]

    /// A keeper; `tell` is called after each change is durable. `accessRevision` tells which address and credential of a connection are in
    /// service: nothing is asked for with others.
    public init(
        secrets: any SecretStore, desk: ExchangeDesk, clock: any WallClock, entropy: any Entropy, logger: Logger,
        accessRevision: (@Sendable (ConnectionID) -> UInt64?)? = nil, tell: @escaping @Sendable (GrantNews) async -> Void
    ) {
        self.secrets = secrets
        self.desk = desk
        self.clock = clock
        self.entropy = entropy
        self.logger = logger
        self.accessRevision = accessRevision
        self.tell = tell
    }

    // MARK: Tokens

    public func token(of connection: ConnectionID, _ spec: CredentialSpec) async -> Result<AccessToken, AttemptFailure> {
        guard let oauth = spec.oauth else { return .failure(AttemptFailure(.internal, "kind \(spec.kind.rawValue) has no tokens")) }
        guard !closed.contains(connection) else { return .failure(Self.ended(connection)) }
        guard isInService(spec, connection) else { return .failure(.connectionChanged(connection)) }
        if let known = held[connection], !known.isRefused, let grant = known.grant {
            let now = clock.now()
            if grant.isGood(at: now, for: 0), !grant.isDue(at: now, before: oauth.refreshBeforeSeconds) {
                return .success(token(grant, known.serial))
            }
            // Early renewal: those who come meanwhile are not kept waiting for as long as the old one is good.
            if grant.isGood(at: now, for: 10) {
                if known.holdUntil.map({ .now >= $0 }) ?? true, renewals[connection]?.spec != spec { _ = renewal(connection, spec, oauth) }
                return .success(token(grant, known.serial))
            }
        }
        if let renewal = renewals[connection], renewal.spec == spec { return await renewal.task.value }
        if let known = held[connection], let failure = known.lastFailure, let until = known.holdUntil, .now < until {
            return .failure(Self.attemptFailure(failure, connection, wait: Int64((until - .now) / .milliseconds(1))))
        }
        return await renewal(connection, spec, oauth).value
    }

    public func refused(_ token: AccessToken, of connection: ConnectionID) {
        guard let known = held[connection], known.serial == token.serial, known.grant != nil else { return }
        if held[connection]?.trial.refuse(at: .now) == true { held[connection]?.isRefused = true }
    }

    public func accepted(_ token: AccessToken, of connection: ConnectionID) {
        if held[connection]?.serial == token.serial { held[connection]?.trial.accept() }
    }

    public func forget(_ connection: ConnectionID) {
        held[connection] = nil
        changes[connection, default: 0] += 1
    }

    public func close(_ connection: ConnectionID) async {
        await enter(connection)
        shut(connection)
        desk.cleared(connection)
        leave(connection)
    }

    /// In its turn: who waits for a token is told that there is none.
    func shut(_ connection: ConnectionID) {
        closed.insert(connection)
        pending = pending.filter { $0.value.connection != connection }
        held[connection] = nil
    }

    public func open(_ connection: ConnectionID) { closed.remove(connection) }

    func isClosed(_ connection: ConnectionID) -> Bool { closed.contains(connection) }

    static func ended(_ connection: ConnectionID) -> AttemptFailure {
        AttemptFailure(.authDenied, "no token for \(connection): its grant has ended (berthctl connection connect NAME)")
    }

    // MARK: Turns

    /// Waits until nobody else works at the grant.
    func enter(_ connection: ConnectionID) async {
        guard turns[connection] != nil else {
            turns[connection] = []
            return
        }
        await withCheckedContinuation { turns[connection]?.append($0) }
    }

    func leave(_ connection: ConnectionID) {
        guard let next = turns[connection]?.first else {
            turns[connection] = nil
            return
        }
        turns[connection]?.removeFirst()
        next.resume()
    }

    private func token(_ grant: StoredGrant, _ serial: UInt64) -> AccessToken {
        AccessToken(secret: grant.accessToken, type: grant.tokenType, serial: serial)
    }

    // MARK: Renewal

    private func renewal(_ connection: ConnectionID, _ spec: CredentialSpec, _ oauth: OAuthSpec) -> Task<
        Result<AccessToken, AttemptFailure>, Never
    > {
        let task = Task { await self.renew(connection, spec, oauth) }
        renewals[connection] = (spec, task)
        return task
    }

    private func renew(_ connection: ConnectionID, _ spec: CredentialSpec, _ oauth: OAuthSpec) async -> Result<AccessToken, AttemptFailure>
    {
        await enter(connection)
        defer {
            if renewals[connection]?.spec == spec { renewals[connection] = nil }
            leave(connection)
        }
        guard !closed.contains(connection) else { return .failure(Self.ended(connection)) }
        guard isInService(spec, connection) else { return .failure(.connectionChanged(connection)) }
        let before = changes[connection]
        do throws(GrantFailure) {
            let grant = try await freshGrant(connection, spec, oauth)
            // Of a connection that was changed meanwhile: good for those who wait, and the next one looks again.
            return .success(token(grant, changes[connection] == before ? hold(grant, connection) : 0))
        } catch {
            guard isInService(spec, connection) else { return .failure(.connectionChanged(connection)) }
            guard changes[connection] == before else { return .failure(Self.attemptFailure(error, connection, wait: 1000)) }
            return .failure(await fail(error, connection))
        }
    }

    /// The stored grant when it is good, or one renewed and stored.
    private func freshGrant(_ connection: ConnectionID, _ spec: CredentialSpec, _ oauth: OAuthSpec) async throws(GrantFailure)
        -> StoredGrant
    {
        var isRefused = held[connection]?.isRefused ?? false
        // Of a connection that has no credentials any more nothing is made.
        let given = try await given(connection, spec)
        _ = try await client(of: connection)
        let key = try await exchangeKey(connection)
        var stored = try await load(connection)
        // Each time: what an answer on the disk spent may not be sent again.
        switch try await interrupted(connection, spec, oauth, key) {
        case .nothing: break
        case .taken(let grant): (stored, isRefused) = (grant, false)
        case .refused(let failure):
            // Kinds that need nobody's consent start again.
            if !failure.needsConsent || Self.needsPerson(spec.kind) { throw failure }
        }
        // What the operator gave since then takes the place of what came of it before.
        if let known = stored, !known.descends(from: given, spec.kind) { stored = nil }
        if var known = stored, spec.kind == .authorizationCode, !known.isConsent {
            // It can be read off the connection's kind only as long as that stays; a store that fails is asked again next time.
            known.isConsent = true
            do throws(GrantFailure) { try await store(known, connection) } catch {
                logger.debug("a consent is not marked as one yet", metadata: ["connection": "\(connection)", "error": "\(error.message)"])
            }
            stored = known
        }
        let now = clock.now()
        if let stored, let reason = stored.deadReason {
            throw GrantFailure(message: reason, hint: Self.remedy(spec.kind), isFinal: true, needsConsent: true)
        }
        if let stored, !isRefused, stored.isGood(at: now, for: 0), !stored.isDue(at: now, before: oauth.refreshBeforeSeconds) {
            return stored
        }
        let fresh = try await request(connection, spec, oauth, stored, given, key)
        await tell(.renewed(connection))
        return fresh
    }

    private func request(
        _ connection: ConnectionID, _ spec: CredentialSpec, _ oauth: OAuthSpec, _ stored: StoredGrant?, _ given: String?, _ key: Secret
    ) async throws(GrantFailure) -> StoredGrant {
        let client = try await client(of: connection)
        var refresh = stored?.refreshToken
        if refresh == nil, spec.kind == .refreshToken { refresh = try await field("refresh_token", connection) }
        var parameters: [(String, String)]
        let basis: Secret
        if let refresh {
            parameters = [("grant_type", "refresh_token"), ("refresh_token", refresh.exposedText)]
            basis = refresh
        } else {
            switch spec.kind {
            case .clientCredentials:
                parameters = [("grant_type", "client_credentials")] + Self.scope(oauth)
                basis = try await field("client_id", connection)
            case .password:
                let (user, password) = (try await field("username", connection), try await field("password", connection))
                parameters =
                    [("grant_type", "password"), ("username", user.exposedText), ("password", password.exposedText)] + Self.scope(oauth)
                basis = password
            case .jwtBearer:
                let keyText = try await field("private_key", connection)
                let assertion = try TokenRequest.assertion(
                    issuer: client.id, subject: try await field("subject", connection).exposedText,
                    audience: oauth.audience ?? oauth.tokenURL,
                    keyPEM: keyText.exposedText, algorithm: oauth.algorithm, id: randomText(16), now: clock.now())
                parameters = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)] + Self.scope(oauth)
                basis = keyText
            case .authorizationCode, .refreshToken, .apiKey, .basic:
                throw GrantFailure(
                    message: stored == nil ? "nobody has consented yet" : "the token has expired and the provider gave no refresh token",
                    hint: "berthctl connection connect NAME", isFinal: true, needsConsent: true)
            }
        }
        var before = stored ?? StoredGrant(accessToken: Secret(copying: [UInt8]()), refreshToken: refresh, obtainedAt: clock.now())
        before.given = given
        try checkService(spec, connection)
        let reply = try await desk.exchange(
            TokenRequest(oauth.tokenURL, parameters, client, oauth), of: connection, key: key, basis: Self.basis(basis),
            isOwnAddress: oauth.isOwnAddress
        ).get()
        do throws(GrantFailure) {
            return try await take(reply, over: before, connection, spec)
        } catch {
            // Kinds that need nobody's consent start again without the refresh token that the provider no longer takes.
            guard error.needsConsent, refresh != nil, !Self.needsPerson(spec.kind) else { throw error }
            return try await request(connection, spec, oauth, nil, given, key)
        }
    }

    /// Stores what an answer gives, over what was there. Durable when it returns; only then is the answer's file deleted. Throws when there
    /// is no token to use in it; the refresh token of such an answer is stored all the same. `isConsent`: a bad answer ends a consent that
    /// somebody tried, and nothing of what the connection lives on meanwhile.
    func take(
        _ reply: ExchangeReply, over before: StoredGrant, _ connection: ConnectionID, _ spec: CredentialSpec, isConsent: Bool = false,
        hiding more: [Secret] = []
    ) async throws(GrantFailure) -> StoredGrant {
        switch await judge(reply, over: before, connection, spec, isConsent: isConsent, hiding: more) {
        case .failure(var failure):
            if let kept = failure.kept {
                KillPoint.reach("grant.before-store")
                try await store(kept, connection)
                KillPoint.reach("grant.after-store")
                held[connection]?.grant?.refreshToken = kept.refreshToken
            } else if failure.needsConsent, !isConsent, Self.needsPerson(spec.kind), isInService(spec, connection) {
                // An answer that was lost or could not be read may have held the token that would have been good now.
                if let cause = held[connection]?.firstCause, cause != failure.message { failure.message += "; it began with: \(cause)" }
                try await bury(before, failure.message, connection)
            }
            desk.settled(connection)
            throw failure
        case .success(let grant):
            KillPoint.reach("grant.before-store")
            try await store(grant, connection)
            KillPoint.reach("grant.after-store")
            desk.settled(connection)
            return grant
        }
    }

    /// What an answer makes of the grant before it. Stores nothing.
    func judge(
        _ reply: ExchangeReply, over before: StoredGrant, _ connection: ConnectionID, _ spec: CredentialSpec, isConsent: Bool = false,
        hiding more: [Secret] = []
    ) async -> Result<StoredGrant, GrantFailure> {
        guard reply.status > 0 else {
            return .failure(
                GrantFailure(
                    message: "no answer of the token endpoint\(reply.failure.map { ": \($0)" } ?? "")", hint: "it is asked again by and by")
            )
        }
        let words = ForeignWords(hiding: await confidential(connection, before) + more)
        let now = clock.now()
        switch TokenReply.read(reply.response, spec.oauth ?? OAuthSpec(tokenURL: ""), now: now, words) {
        case .failure(var failure):
            if failure.needsConsent, !isConsent {
                failure.hint = [Self.remedy(spec.kind), failure.clock].compactMap { $0 }.joined(separator: "; ")
            }
            return .failure(failure)
        case .success(let read):
            if let text = read.unreadLifetime {
                logger.notice("a token's lifetime can't be read", metadata: ["connection": "\(connection)", "expires_in": "\(text)"])
            }
            if let known = before.account, let account = read.account, known != account {
                return .failure(Self.strangeAccount(words.plain(account, 100), known))
            }
            var grant = StoredGrant(
                accessToken: read.accessToken, tokenType: read.tokenType,
                expiresAt: read.expiresIn.map { now.adding(seconds: min($0, 315_360_000)) },
                refreshToken: read.refreshToken ?? before.refreshToken, scope: read.scope ?? before.scope,
                account: read.account ?? before.account, given: before.given, isConsent: isConsent || before.isConsent, obtainedAt: now)
            guard var failure = read.unfit else { return .success(grant) }
            if read.refreshToken != nil, !isConsent {
                // Its access token is nobody's: the next renewal begins with the refresh token.
                grant.accessToken = Secret(copying: [UInt8]())
                failure.kept = grant
            }
            return .failure(failure)
        }
    }

    /// Whether a grant of this kind is lost with its refresh token.
    private static func needsPerson(_ kind: CredentialSpec.Kind) -> Bool { [.authorizationCode, .refreshToken].contains(kind) }

    /// A grant the provider has ended stays ended over a restart: asking again could only be taken for an attack.
    func bury(_ grant: StoredGrant, _ reason: String, _ connection: ConnectionID) async throws(GrantFailure) {
        var dead = grant
        dead.deadReason = reason
        try await store(dead, connection)
    }

    /// What a person does when the provider does not take a credential of this kind any more.
    private static func remedy(_ kind: CredentialSpec.Kind) -> String {
        switch kind {
        case .authorizationCode, .apiKey, .basic:
            "the grant was revoked, has expired or was used elsewhere: berthctl connection connect NAME"
        case .refreshToken:
            "the grant was revoked, has expired or was used elsewhere: give the connection a new refresh_token: berthctl connection set-credentials NAME"
        case .password: "check username and password: berthctl connection set-credentials NAME"
        case .clientCredentials:
            "check client_id and client_secret (berthctl connection set-credentials NAME), and the scopes the application has"
        case .jwtBearer: "check client_id, subject and private_key (berthctl connection set-credentials NAME), and this machine's clock"
        }
    }

    static func strangeAccount(_ account: String, _ known: String) -> GrantFailure {
        GrantFailure(
            message: "the provider gave a token for account '\(account)', the connection is for '\(known)'",
            hint: "berthctl connection connect NAME with the right account, or add another connection for this one", isFinal: true,
            needsConsent: true)
    }

    // MARK: Accounts

    public func identify(_ connection: ConnectionID, account: String) async throws(BerthError) {
        // In its turn, or a renewal could store its tokens between reading and writing here.
        await enter(connection)
        defer { leave(connection) }
        guard let grant = held[connection]?.grant, grant.deadReason == nil, grant.account != account else { return }
        guard case .failure(let failure) = await name(grant, account, connection) else { return }
        throw BerthError(.credential, failure.message, hint: "berthctl connection show NAME")
    }

    private func name(_ grant: StoredGrant, _ account: String, _ connection: ConnectionID) async -> Result<AccessToken, AttemptFailure> {
        do throws(GrantFailure) {
            if let known = grant.account {
                let failure = Self.strangeAccount(account, known)
                try await bury(grant, failure.message, connection)
                held[connection]?.grant = nil
                throw failure
            }
            var named = grant
            named.account = account
            try await store(named, connection)
            held[connection]?.grant = named
            return .success(token(named, held[connection]?.serial ?? 0))
        } catch {
            return .failure(await fail(error, connection))
        }
    }

    // MARK: Parts

    @discardableResult
    func hold(_ grant: StoredGrant, _ connection: ConnectionID) -> UInt64 {
        nextSerial += 1
        held[connection] = Held(grant: grant, serial: nextSerial, trial: TokenTrial(at: .now, after: held[connection]?.trial))
        return nextSerial
    }

    /// The longest that a token endpoint can ask to be left alone: a slip of its should not silence a connection for a year.
    private static let retryAfterSecondsMax: Int64 = 3600

    /// One may be a slip of a proxy or a deployment; so many in a row are for a person to see.
    private static let refusalsMax = 3

    private func fail(_ failure: GrantFailure, _ connection: ConnectionID) async -> AttemptFailure {
        var known = held[connection] ?? Held(grant: nil, serial: 0)
        known.failures += 1
        known.refusals = failure.isRefusal ? known.refusals + 1 : 0
        known.lastFailure = failure
        known.firstCause = known.firstCause ?? failure.message
        // What a person must mend is not asked again for minutes; the rest doubles from one second to one minute.
        let asked = max(0, min(failure.retryAfter ?? 0, Self.retryAfterSecondsMax)) * 1000
        let wait = failure.isFinal ? 300_000 : max(asked, min(60_000, 1000 << min(6, known.failures - 1)))
        // By the clock that nobody sets: an hour back must not silence a connection for an hour.
        known.holdUntil = .now + .milliseconds(wait)
        held[connection] = known
        logger.warning(
            "token request failed",
            metadata: [
                "connection": "\(connection)", "error": "\(failure.message)", "hint": "\(failure.hint)", "failures": "\(known.failures)",
            ])
        let error = BerthError(.credential, failure.message, hint: failure.hint, isRetryable: !failure.isFinal)
        await tell(.failed(connection, error, isFinal: failure.isFinal || known.refusals >= Self.refusalsMax))
        return Self.attemptFailure(failure, connection, wait: wait)
    }

    private static func attemptFailure(_ failure: GrantFailure, _ connection: ConnectionID, wait: Int64) -> AttemptFailure {
        AttemptFailure(
            failure.isFinal ? .authDenied : .authExpired, "no token for \(connection): \(failure.message) (\(failure.hint))",
            retryAfterMilliseconds: UInt64(max(1, wait)))
    }

    private static func scope(_ oauth: OAuthSpec) -> [(String, String)] {
        oauth.scopes.isEmpty ? [] : [("scope", oauth.scopes.joined(separator: oauth.scopeSeparator))]
    }

    /// What the operator gave that tokens descend from, as a hash: tokens of anything else are not used any more. Nil: a person's consent.
    func given(_ connection: ConnectionID, _ spec: CredentialSpec) async throws(GrantFailure) -> String? {
        let names: [String]
        switch spec.kind {
        case .refreshToken: return Self.given(try await field("refresh_token", connection))
        case .clientCredentials: names = ["client_id", "client_secret"]
        case .password: names = ["client_id", "username", "password"]
        case .jwtBearer: names = ["client_id", "subject", "private_key"]
        case .authorizationCode, .apiKey, .basic: return nil
        }
        var all: [UInt8] = []
        for name in names {
            let value = try await optional(.credential(field: name), connection)
            all += value.map(Self.basis) ?? Array(repeating: 0, count: 32)
        }
        // What one server gave is not shown to another. What a person gave lives on elsewhere: it is not to be had again.
        if let oauth = spec.oauth { all += Self.basis(Secret(copying: oauth.tokenURL.utf8)) }
        return Self.given(Secret(copying: all))
    }

    /// What a provider's words may not repeat.
    private func confidential(_ connection: ConnectionID, _ grant: StoredGrant) async -> [Secret] {
        var secrets = [grant.accessToken, grant.refreshToken].compactMap(\.self)
        for name in ["client_secret", "refresh_token", "password", "private_key"] {
            // What can't be read can't have been sent.
            if let secret = try? await self.secrets.secret(.credential(field: name), of: connection) { secrets.append(secret) }
        }
        return secrets
    }

    static func given(_ secret: Secret) -> String {
        basis(secret).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    static func basis(_ secret: Secret) -> [UInt8] { secret.withBytes { Array(SHA256.hash(data: $0)) } }

    func client(of connection: ConnectionID) async throws(GrantFailure) -> TokenRequest.Client {
        let id = try await field("client_id", connection)
        let secret = try await optional(.credential(field: "client_secret"), connection)
        return TokenRequest.Client(id: id.exposedText, secret: secret?.exposedText)
    }

    private func field(_ name: String, _ connection: ConnectionID) async throws(GrantFailure) -> Secret {
        guard let secret = try await optional(.credential(field: name), connection) else {
            throw GrantFailure(message: "the connection has no '\(name)'", hint: "berthctl connection set-credentials NAME", isFinal: true)
        }
        return secret
    }

    func optional(_ slot: SecretSlot, _ connection: ConnectionID) async throws(GrantFailure) -> Secret? {
        do { return try await secrets.secret(slot, of: connection) } catch {
            throw GrantFailure(message: error.message, hint: error.hint ?? "see the daemon's log")
        }
    }

    func load(_ connection: ConnectionID) async throws(GrantFailure) -> StoredGrant? {
        try await optional(.grant, connection).flatMap { StoredGrant($0) }
    }

    /// For what takes its place: one that can't be opened is as good as none. A store that fails is told, because what is there may be whole.
    func replaceable(_ connection: ConnectionID) async throws(GrantFailure) -> StoredGrant? {
        do throws(BerthError) { return try await secrets.secret(.grant, of: connection).flatMap { StoredGrant($0) } } catch {
            guard error.code == .vaultSealed else {
                throw GrantFailure(message: error.message, hint: error.hint ?? "see the daemon's log")
            }
            logger.warning("a grant that can't be opened is replaced", metadata: ["connection": "\(connection)", "error": "\(error)"])
            return nil
        }
    }

    /// Whether the spec's address and credential are those the connection has now.
    func isInService(_ spec: CredentialSpec, _ connection: ConnectionID) -> Bool {
        guard let accessRevision else { return true }
        return spec.accessRevision != 0 && spec.accessRevision == accessRevision(connection)
    }

    /// The last thing before secrets go on their way: what was read since `spec` was made is of its revision, because none comes back.
    func checkService(_ spec: CredentialSpec, _ connection: ConnectionID) throws(GrantFailure) {
        guard isInService(spec, connection) else {
            throw GrantFailure(message: "address or credential of the connection changed meanwhile", hint: "try again")
        }
    }

    private func store(_ grant: StoredGrant, _ connection: ConnectionID) async throws(GrantFailure) {
        do { try await secrets.set(grant.sealable, .grant, of: connection) } catch {
            throw GrantFailure(message: "the tokens can't be stored: \(error.message)", hint: error.hint ?? "see berthctl health")
        }
    }

    /// Durable before the first exchange, or its answer could not be opened by the next life.
    func exchangeKey(_ connection: ConnectionID) async throws(GrantFailure) -> Secret {
        if let key = try await optional(.exchangeKey, connection) { return key }
        var bytes: [UInt8] = []
        for _ in 0..<4 { withUnsafeBytes(of: entropy.next()) { bytes.append(contentsOf: $0) } }
        let key = Secret(copying: bytes)
        do { try await secrets.set(key, .exchangeKey, of: connection) } catch {
            throw GrantFailure(message: "a key can't be stored: \(error.message)", hint: error.hint ?? "see berthctl health")
        }
        return key
    }

    func randomText(_ bytes: Int) -> String {
        var random: [UInt8] = []
        while random.count < bytes { withUnsafeBytes(of: entropy.next()) { random.append(contentsOf: $0) } }
        return Base64.encode(Array(random.prefix(bytes)), urlSafe: true)
    }

    func announce(_ news: GrantNews) async { await tell(news) }
}
