// How a provider's deliveries are received, declared so completely that accepting one runs no plugin code.

/// The manifest's `[webhook]` table.
public struct WebhookSpec: Sendable, Hashable {
    /// HTTP methods taken.
    public var methods: Set<String>
    /// Schemes a connection may choose.
    public var schemes: [SignatureScheme.Kind]
    /// The scheme when the connection names none.
    public var defaultScheme: SignatureScheme.Kind
    /// Details of the `hmac` scheme for this provider.
    public var hmac: SignatureScheme.HMAC
    /// Header or query name of the `token` scheme's alternative places; the path segment always works.
    public var tokenPlaces: [ValueSelector]
    /// What a signature that the plugin verifies covers; nil: the plugin answers for the whole delivery.
    public var pluginSigned: [SignatureScheme.HMAC.Part]?
    /// Where the event kind stands: the first selector that finds a value.
    public var eventKind: [ValueSelector]
    /// Parts of the dedup key, each a list of alternatives; empty: SHA-256 of method, query and body.
    public var dedupKey: [[ValueSelector]]
    /// Parts of the ordering key; empty: no order kept.
    public var orderingKey: [[ValueSelector]]
    /// The answer the provider wants to an accepted delivery.
    public var success: Success
    /// Challenge echoes and validations by the provider.
    public var handshake: Handshake?

    /// The answer to an accepted delivery.
    public struct Success: Sendable, Hashable {
        /// 200 to 299.
        public var status: Int
        /// nil: Berth's `{"id":...,"duplicate":...}`.
        public var body: String?
        /// Of the body.
        public var contentType: String
        /// An answer.
        public init(status: Int = 202, body: String? = nil, contentType: String = "application/json") {
            self.status = status
            self.body = body
            self.contentType = contentType
        }
    }

    /// A request that validates the URL and is no delivery.
    public enum Handshake: Sendable, Hashable {
        /// A request in which the selector finds a value is answered 200 with that value as text.
        case echo(ValueSelector)
        /// HEAD, or GET without query, is answered 200 with an empty body.
        case probe
        /// CloudEvents OPTIONS.
        case cloudEvents
    }

    /// All parts.
    public init(
        methods: Set<String>, schemes: [SignatureScheme.Kind], defaultScheme: SignatureScheme.Kind, hmac: SignatureScheme.HMAC = .init(),
        tokenPlaces: [ValueSelector] = [], eventKind: [ValueSelector] = [], dedupKey: [[ValueSelector]] = [],
        orderingKey: [[ValueSelector]] = [], success: Success = .init(), handshake: Handshake? = nil
    ) {
        self.methods = methods
        self.schemes = schemes
        self.defaultScheme = defaultScheme
        self.hmac = hmac
        self.tokenPlaces = tokenPlaces
        self.eventKind = eventKind
        self.dedupKey = dedupKey
        self.orderingKey = orderingKey
        self.success = success
        self.handshake = handshake
    }
}

/// Where a value stands in a delivery. Text form: `header:NAME`, `query:NAME`, `form:NAME`, `json:/pointer`,
/// `constant:TEXT`; alternatives are joined by `|`.
public enum ValueSelector: Sendable, Hashable {
    /// A header, name in lower case.
    case header(String)
    /// A query field, percent-decoded.
    case query(String)
    /// A field of a form body, percent-decoded.
    case form(String)
    /// A JSON pointer (RFC 6901) into the body; scalars as text.
    case json(String)
    /// Always this.
    case constant(String)

    /// Reads one selector; nil when the prefix is unknown or the rest empty.
    public init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let rest = String(text[text.index(after: colon)...])
        guard !rest.isEmpty else { return nil }
        switch text[..<colon] {
        case "header": self = .header(rest.lowercased())
        case "query": self = .query(rest)
        case "form": self = .form(rest)
        case "json" where rest.hasPrefix("/"): self = .json(rest)
        case "constant": self = .constant(rest)
        default: return nil
        }
    }

    /// Reads alternatives joined by `|`; nil when any is wrong.
    public static func alternatives(_ text: String) -> [ValueSelector]? {
        let parts = text.split(separator: "|", omittingEmptySubsequences: false).map { ValueSelector(String($0)) }
        guard !parts.isEmpty, !parts.contains(nil) else { return nil }
        return parts.compactMap { $0 }
    }
}

/// How a delivery proves where it comes from.
public struct SignatureScheme: Sendable, Hashable {
    /// The schemes of interfaces.md that this version offers.
    public enum Kind: String, Sendable, Codable, Hashable, CaseIterable {
        /// Keyed hash in a header.
        case hmac
        /// Standard Webhooks 1.0.
        case standardWebhooks = "standard-webhooks"
        /// An unguessable path segment, query or header value.
        case token
        /// HTTP basic authentication.
        case basic
        /// By the plugin's `berth.verify/1`.
        case plugin
    }

    /// The `hmac` scheme.
    public struct HMAC: Sendable, Hashable {
        /// A hash.
        public enum Algorithm: String, Sendable, Codable, Hashable { case sha1, sha256, sha512 }
        /// Text form of the signature.
        public enum Encoding: String, Sendable, Codable, Hashable { case hex, base64 }
        /// A piece of what is signed.
        public enum Part: Sendable, Hashable {
            /// The raw body.
            case body
            /// The timestamp header's text.
            case timestamp
            /// The request method.
            case method
            /// The path as received, without query.
            case path
            /// The raw query.
            case query
            /// These characters.
            case literal(String)
        }
        /// The hash.
        public var algorithm: Algorithm = .sha256
        /// Header of the signature, lower case.
        public var header: String = "x-signature"
        /// Text form.
        public var encoding: Encoding = .hex
        /// Before the signature in the header; nil: `<algorithm>=` is accepted and not required.
        public var prefix: String?
        /// What is signed, in order.
        public var signed: [Part] = [.body]
        /// Header with the time of sending, Unix seconds or milliseconds or RFC 3339; nil: none.
        public var timestampHeader: String?
        /// Largest difference to now, both ways.
        public var toleranceSeconds: Int64 = 300
        /// SHA-256, hex, `X-Signature`, body.
        public init() {}
    }
}
