// What the token endpoint was asked and what it answered: tests prove "exactly one token request" from it.

/// One token request.
struct TokenEntry: Sendable {
    /// From 1, in order of arrival.
    var number: Int
    /// Real time, without the server's skew.
    var arrivedAt: Milliseconds
    /// When its answer left; nil while a fault holds it back.
    var finishedAt: Milliseconds?
    var grantType: String?
    var client: String?
    /// `basic`, `body`, `none`, `assertion`.
    var authentication: String?
    /// `issued`, an OAuth error code, or the fault that answered instead.
    var outcome: String
    /// 0: the connection was reset.
    var status: Int
    /// Faults that struck.
    var faults: [String] = []
    var grant: String?
    var account: String?
    /// Of the refresh token that was presented.
    var presented: Int?
    /// Of the refresh token that was issued.
    var issued: Int?

    func write(to json: inout JSONText) {
        json.put("n", number)
        json.put("arrived_at", milliseconds: arrivedAt)
        json.put("finished_at", finishedAt.map { Int($0) })
        json.put("grant_type", grantType)
        json.put("client", client)
        json.put("client_auth", authentication)
        json.put("outcome", outcome)
        json.put("status", status)
        json.array("faults", texts: faults)
        json.put("grant", grant)
        json.put("account", account)
        json.put("presented_generation", presented)
        json.put("issued_generation", issued)
    }
}

/// All token requests since the start or the last clearing, and counts of the other endpoints.
struct TokenLedger: Sendable {
    private(set) var entries: [TokenEntry] = []
    private(set) var inFlight = 0
    private(set) var inFlightMax = 0
    private var lastNumber = 0
    /// `granted`, `access_denied`, ...
    var authorizations: [String: Int] = [:]
    /// `revoked`, `unknown_token`, `invalid_client`, ...
    var revocations: [String: Int] = [:]

    /// A request came; its number.
    mutating func begin(at now: Milliseconds) -> Int {
        lastNumber += 1
        entries.append(TokenEntry(number: lastNumber, arrivedAt: now, outcome: "pending", status: 0))
        inFlight += 1
        inFlightMax = max(inFlightMax, inFlight)
        return lastNumber
    }

    /// Changes the entry of this number, unless it was cleared meanwhile.
    mutating func change(_ number: Int, _ body: (inout TokenEntry) -> Void) {
        guard let first = entries.first?.number, entries.indices.contains(number - first) else { return }
        body(&entries[number - first])
    }

    /// The answer left, or was dropped.
    mutating func finish(_ number: Int, at now: Milliseconds) {
        inFlight -= 1
        change(number) { $0.finishedAt = now }
    }

    /// Forgets the requests; numbers go on.
    mutating func clear() {
        entries = []
        inFlightMax = inFlight
        authorizations = [:]
        revocations = [:]
    }

    func write(to json: inout JSONText, withEntries: Bool) {
        json.object("token_requests") { json in
            json.put("total", entries.count)
            json.put("in_flight", inFlight)
            json.put("in_flight_max", inFlightMax)
            json.object("by_grant_type") { json in Self.write(entries.map { $0.grantType ?? "unknown" }, to: &json) }
            json.object("by_outcome") { json in Self.write(entries.map(\.outcome), to: &json) }
        }
        json.object("authorizations") { json in
            for (name, count) in authorizations.sorted(by: { $0.key < $1.key }) { json.put(name, count) }
        }
        json.object("revocations") { json in for (name, count) in revocations.sorted(by: { $0.key < $1.key }) { json.put(name, count) } }
        guard withEntries else { return }
        json.array("entries") { json in for entry in entries { json.object { entry.write(to: &$0) } } }
    }

    private static func write(_ names: [String], to json: inout JSONText) {
        let counts = Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
        for (name, count) in counts.sorted(by: { $0.key < $1.key }) { json.put(name, count) }
    }
}
