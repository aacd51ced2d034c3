// What can be made to go wrong, by the names the command line and the admin route use.

/// A way in which a provider misbehaves.
enum FaultKind: String, Sendable, CaseIterable {
    case http500 = "http-500"
    case http503 = "http-503"
    case rateLimit = "rate-limit"
    case authExpired = "auth-expired"
    case html
    case truncatedJSON = "truncated-json"
    case slow, hang, reset
    case loopPaging = "loop-paging"
    case shrinkingList = "shrinking-list"
    case cappedPages = "capped-pages"
    case throttle200 = "throttle-200"
    case hugeBody = "huge-body"
    case gzipBomb = "gzip-bomb"
    case redirectLoopback = "redirect-loopback"
    case duplicateWebhooks = "duplicate-webhooks"
    case shuffledWebhooks = "shuffled-webhooks"
    case badSignature = "bad-signature"
    case tokenHTML = "token-html"
    case token500 = "token-500"
    case tokenEmpty = "token-empty"
    case token429 = "token-429"
    case tokenInvalidGrant = "token-invalid-grant"
    case tokenInvalidClient = "token-invalid-client"
    case tokenError200 = "token-error-200"
    case tokenReset = "token-reset"
    case tokenRedirect = "token-redirect"
    case tokenHugeBody = "token-huge-body"
    case tokenGzipBomb = "token-gzip-bomb"
    case tokenWrongType = "token-wrong-type"
    case tokenWrongScope = "token-wrong-scope"
    case tokenOtherAccount = "token-other-account"
    case tokenTruncated = "token-truncated"
    case tokenSlow = "token-slow"
    case tokenDrip = "token-drip"
    case tokenResetAfter = "token-reset-after"

    /// Where a fault strikes.
    enum Place: Sendable { case api, token, webhook }
    /// Where this one does.
    var place: Place {
        switch self {
        case .duplicateWebhooks, .shuffledWebhooks, .badSignature: .webhook
        default: rawValue.hasPrefix("token-") ? .token : .api
        }
    }
    /// What the number behind the colon is when there is none; nil: a probability.
    var defaultParameter: Double? {
        switch self {
        case .authExpired: 20
        case .cappedPages: 25
        case .tokenSlow: 5
        case .token429, .tokenDrip: 1
        default: nil
        }
    }

    /// One line for `--help`.
    var explanation: String {
        switch self {
        case .http500: "API answers 500 with an empty body"
        case .http503: "API answers 503 with Retry-After: 1"
        case .rateLimit: "API answers 429 with Retry-After: 1"
        case .authExpired: "API answers 401 after N requests (auth-expired:N, default 20)"
        case .html: "API answers 200 with an HTML page"
        case .truncatedJSON: "API answers half of the document, with a matching length"
        case .slow: "API answers one byte at a time"
        case .hang: "API never answers"
        case .reset: "API resets the connection in the middle of the body"
        case .loopPaging: "lists give their first page for ever"
        case .shrinkingList: "lists lose seven rows at the front with every page"
        case .cappedPages: "lists give at most N rows a page, whatever is asked for (capped-pages:N, default 25)"
        case .throttle200: "Ringba's throttle body comes with status 200"
        case .hugeBody: "API answers 256 MiB"
        case .gzipBomb: "API answers 1 GiB of spaces in 7 MiB of gzip"
        case .redirectLoopback: "API answers 302 to a trap on this listener"
        case .duplicateWebhooks: "accepted webhooks are sent again"
        case .shuffledWebhooks: "webhooks leave in random order, eight at a time"
        case .badSignature: "signed webhooks carry a wrong signature"
        case .tokenHTML: "token endpoint answers 200 with an HTML page; nothing issued (so the next ten)"
        case .token500: "token endpoint answers 500"
        case .tokenEmpty: "token endpoint answers 200 without a body"
        case .token429: "token endpoint answers 429 with Retry-After: N (token-429:N, default 1)"
        case .tokenInvalidGrant: "token endpoint says invalid_grant and leaves the grant alive"
        case .tokenInvalidClient: "token endpoint says invalid_client"
        case .tokenError200: "token endpoint answers 200 with an error in the JSON, as GitHub does"
        case .tokenReset: "token endpoint resets the connection before it does anything"
        case .tokenRedirect: "token endpoint answers 302 to a trap on this listener"
        case .tokenHugeBody: "token endpoint answers 256 MiB"
        case .tokenGzipBomb: "token endpoint answers 1 GiB of spaces in 7 MiB of gzip"
        case .tokenWrongType: "tokens are issued with token_type mac (from here on tokens are issued and rotated)"
        case .tokenWrongScope: "tokens are issued for other.scope alone"
        case .tokenOtherAccount: "tokens are issued for acct-other"
        case .tokenTruncated: "half of the token reply, with a matching length"
        case .tokenSlow: "the token reply waits N seconds (token-slow:N, default 5)"
        case .tokenDrip: "the token reply comes a byte every N seconds (token-drip:N, default 1)"
        case .tokenResetAfter: "the connection is reset after tokens were rotated, before the reply"
        }
    }
}

/// A fault and how often it strikes.
struct Fault: Sendable {
    var kind: FaultKind
    /// 0 to 1, or what ``FaultKind/defaultParameter`` says.
    var parameter: Double
    /// How often it may still strike; nil: for ever.
    var remaining: Int?

    /// Reads `http-500:0.5`, `token-500*2` (twice, then no more). - Throws: what is wrong and what would be right.
    init(_ text: String) throws(MockProblem) {
        let halves = text.split(separator: "*", maxSplits: 1).map(String.init)
        if halves.count > 1 {
            guard let count = Int(halves[1]), count > 0 else {
                throw MockProblem("fault '\(text)': the part after the star is a count from 1")
            }
            remaining = count
        }
        let parts = (halves.first ?? "").split(separator: ":", maxSplits: 1).map(String.init)
        guard let kind = parts.first.flatMap(FaultKind.init) else {
            throw MockProblem("unknown fault '\(text)'; known are \(FaultKind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self.kind = kind
        parameter = kind.defaultParameter ?? 1
        guard parts.count > 1 else { return }
        guard let number = Double(parts[1]), number >= 0, kind.defaultParameter != nil || number <= 1 else {
            throw MockProblem("fault '\(text)': the part after the colon is a probability from 0 to 1 (a number for those that say so)")
        }
        parameter = number
    }

    /// As it was written.
    var text: String { "\(kind.rawValue):\(parameter)" + (remaining.map { "*\($0)" } ?? "") }
}

/// A mistake in what the user asked for.
struct MockProblem: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
