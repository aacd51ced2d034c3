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
    case throttle200 = "throttle-200"
    case hugeBody = "huge-body"
    case gzipBomb = "gzip-bomb"
    case redirectLoopback = "redirect-loopback"
    case duplicateWebhooks = "duplicate-webhooks"
    case shuffledWebhooks = "shuffled-webhooks"
    case badSignature = "bad-signature"

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
        case .throttle200: "Ringba's throttle body comes with status 200"
        case .hugeBody: "API answers 256 MiB"
        case .gzipBomb: "API answers 1 GiB of spaces in 7 MiB of gzip"
        case .redirectLoopback: "API answers 302 to a trap on this listener"
        case .duplicateWebhooks: "accepted webhooks are sent again"
        case .shuffledWebhooks: "webhooks leave in random order, eight at a time"
        case .badSignature: "signed webhooks carry a wrong signature"
        }
    }
}

/// A fault and how often it strikes.
struct Fault: Sendable {
    var kind: FaultKind
    /// 0 to 1; for `auth-expired` the number of requests before it.
    var parameter: Double

    /// Reads `http-500:0.5`. - Throws: what is wrong and what would be right.
    init(_ text: String) throws(MockProblem) {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard let kind = parts.first.flatMap(FaultKind.init) else {
            throw MockProblem("unknown fault '\(text)'; known are \(FaultKind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self.kind = kind
        parameter = kind == .authExpired ? 20 : 1
        guard parts.count > 1 else { return }
        guard let number = Double(parts[1]), number >= 0, kind == .authExpired || number <= 1 else {
            throw MockProblem("fault '\(text)': the part after the colon is a probability from 0 to 1 (auth-expired: a count)")
        }
        parameter = number
    }

    /// As it was written.
    var text: String { "\(kind.rawValue):\(parameter)" }
}

/// A mistake in what the user asked for.
struct MockProblem: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
