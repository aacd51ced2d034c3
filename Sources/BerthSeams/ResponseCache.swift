// Where answers of providers are kept. What may be kept, for how long and when it is asked for again is decided by whoever
// asks (BerthOutbound); an implementation only keeps, finds, bounds and forgets.

public import BerthModel

/// Keeps answers. Losing them costs nothing but requests: no method throws, and what can't be read is not there.
public protocol ResponseCache: Sendable {
    /// All variants under a key, at most 16; they count as used now.
    func answers(_ key: ResponseCacheKey) async -> [KeptAnswer]
    /// Keeps an answer in place of the variant with the same `selecting`. Least recently used ones of the connection go until its
    /// answers take at most `bytesMax`; an answer larger than a quarter of that is not kept. True when it is kept.
    func keep(_ answer: KeptAnswer, _ key: ResponseCacheKey, bytesMax: Int) async -> Bool
    /// Forgets answers of a connection; how many there were.
    @discardableResult
    func forget(_ selection: ResponseCacheSelection, of connection: ConnectionID) async -> Int
    /// What all answers take now.
    func bytes() async -> Int
    /// Why nothing is kept now; nil: it is.
    func problem() async -> BerthError?
}

/// Whose answer to what. A connection belongs to one workspace for all its life, so that no answer crosses workspaces.
public struct ResponseCacheKey: Sendable, Hashable {
    /// Whose account was asked.
    public var connection: ConnectionID
    /// Whether the connection's credential was sent.
    public var isAuthenticated: Bool
    /// `GET` or `HEAD`.
    public var method: String
    /// `https://host:port`.
    public var origin: String
    /// Begins with `/`; percent-encoded as sent.
    public var path: String
    /// Without `?` and without the credential; may be empty.
    public var query: String

    /// A key.
    public init(connection: ConnectionID, isAuthenticated: Bool, method: String, origin: String, path: String, query: String) {
        self.connection = connection
        self.isAuthenticated = isAuthenticated
        self.method = method
        self.origin = origin
        self.path = path
        self.query = query
    }
}

/// An answer 200 with what decides about its use.
public struct KeptAnswer: Sendable {
    /// The request headers that `Vary` names, lower case, sorted by name; an absent header has an empty value.
    public var selecting: [(name: String, value: String)]
    /// The answer's, names in lower case.
    public var headers: [(name: String, value: String)]
    /// Decompressed.
    public var body: [UInt8]
    /// When the provider made it or last called it current.
    public var validatedAt: Timestamp
    /// For how long the provider calls it fresh; 0: to be asked for each time; nil: it says nothing.
    public var freshSeconds: Int64?

    /// An answer.
    public init(
        selecting: [(name: String, value: String)], headers: [(name: String, value: String)], body: [UInt8], validatedAt: Timestamp,
        freshSeconds: Int64?
    ) {
        self.selecting = selecting
        self.headers = headers
        self.body = body
        self.validatedAt = validatedAt
        self.freshSeconds = freshSeconds
    }
}

/// Which answers of a connection.
public enum ResponseCacheSelection: Sendable, Hashable {
    /// All.
    case all
    /// Those whose path and query (`/calls?page=2`) begin with this text.
    case prefix(String)
    /// Those that a write at this path may have changed: there, below it, and at each collection above it.
    case touched(origin: String, path: String)
    /// Those under one key, whatever their variant.
    case key(ResponseCacheKey)
}
