// Small answers: lists, refusals, results of one operation.

public import BerthModel

/// A list with its next page.
public struct List<Item: Codable & Sendable>: Codable, Sendable {
    /// In order.
    public var items: [Item]
    /// null: the last page.
    public var next: String?
    /// A page.
    public init(items: [Item], next: String? = nil) {
        self.items = items
        self.next = next
    }

    private enum CodingKeys: String, CodingKey { case items, next }
    /// Encodes `next` even when it is null.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(items, forKey: .items)
        try container.encode(next, forKey: .next)
    }
}

/// An error inside an answer, and the body of error answers (RFC 9457).
public struct Problem: Codable, Sendable {
    /// `about:blank`
    public var type: String?
    /// The HTTP phrase.
    public var title: String?
    /// The HTTP status.
    public var status: Int?
    /// What happened.
    public var detail: String
    /// Stable cause.
    public var code: String
    /// What to do.
    public var hint: String?
    /// True when the same request may succeed later; nil when it will not by waiting.
    public var retryable: Bool?

    /// Of an error; with a status it is a whole body.
    public init(_ error: BerthError, status: Int? = nil, title: String? = nil) {
        type = status == nil ? nil : "about:blank"
        self.title = title
        self.status = status
        detail = error.message
        code = error.code.rawValue
        hint = error.hint
        retryable = status != nil && error.isRetryable ? true : nil
    }
}

/// `POST .../check`
public struct CheckResult: Codable, Sendable {
    /// Whether the provider accepts the credential.
    public var ok: Bool
    /// What the provider says of the account.
    public var account: JSONValue
    /// Why not.
    public var failure: AttemptFailure?
    /// A result.
    public init(ok: Bool, account: JSONValue, failure: AttemptFailure?) {
        self.ok = ok
        self.account = account
        self.failure = failure
    }
}

/// `POST .../actions/{action}`
public struct ActionResult: Codable, Sendable {
    /// The plugin's answer.
    public var output: JSONValue
    /// Records it brought.
    public var records: Int
    /// A result.
    public init(output: JSONValue, records: Int) {
        self.output = output
        self.records = records
    }
}

/// Replays.
public struct Replay: Codable, Sendable {
    /// Whether nothing was changed.
    public var dry_run: Bool
    /// How many.
    public var count: Int
    /// Which; the first 1,000.
    public var events: [String]
    /// Whether there are more than are listed.
    public var truncated: Bool
    /// A result about these events.
    public init(dry_run: Bool, events all: [EventID]) {
        self.dry_run = dry_run
        count = all.count
        events = all.prefix(1000).map(\.description)
        truncated = all.count > events.count
    }
}

/// Where a person consents.
public struct Consent: Codable, Sendable {
    /// To be opened in a browser.
    public var url: String
    /// Where the provider sends the browser afterwards.
    public var redirect_uri: String
    /// The URL works until then, once.
    public var expires_at: Timestamp
    /// All parts.
    public init(url: String, redirect_uri: String, expires_at: Timestamp) {
        self.url = url
        self.redirect_uri = redirect_uri
        self.expires_at = expires_at
    }
}

/// A connection was removed, and something of it is left elsewhere.
public struct ConnectionRemoved: Codable, Sendable {
    /// Why the provider may still hold the grant.
    public var problem: String
    /// What is left.
    public init(problem: String) { self.problem = problem }
}

/// Kept answers that were forgotten.
public struct CacheCleared: Codable, Sendable {
    /// How many there were.
    public var removed: Int
    /// A count.
    public init(removed: Int) { self.removed = removed }
}

/// What a change of the vault's key did.
public struct VaultRotation: Codable, Sendable {
    /// Id of the key that seals now.
    public var key: String
    /// Ids of keys that could still open: keep them as long as backups that need them.
    public var older_keys: [String]
    /// Values sealed again.
    public var rewrapped: Int
    /// Values that were sealed with it already.
    public var current: Int
    /// All parts.
    public init(key: String, older_keys: [String], rewrapped: Int, current: Int) {
        self.key = key
        self.older_keys = older_keys
        self.rewrapped = rewrapped
        self.current = current
    }
}
