// A request to a played API, free of the HTTP server's types, so that a dialect is a plain function of request, book and time.

/// How a fault bends this request's paging.
enum PagingFault: Sendable { case loop, shrinking }

/// A request as a dialect sees it.
struct APIRequest: Sendable {
    /// `GET`, in capitals.
    var method: String
    /// Without query.
    var path: String
    /// As received, without the question mark.
    var rawQuery: String
    var query: QueryString
    /// Names in lower case.
    var headers: [String: String]
    var body: [UInt8]
    /// When it arrived.
    var now: Milliseconds
    /// Set when a fault applies.
    var pagingFault: PagingFault?
    /// Rows that a page has at most; nil: as many as the provider's own maximum.
    var pageRowsMax: Int?
    /// Status of a throttled answer (Ringba); a fault makes it 200.
    var throttleStatus = 429
    /// Throttle whatever the counts say.
    var isThrottleForced = false

    /// Path segments: `/v2/RA1/calllogs` is `["v2", "RA1", "calllogs"]`.
    var segments: [String] { path.split(separator: "/").map { percentDecoded($0[...].replacingPlus) } }
    /// A page's length where `wanted` would be the provider's own choice.
    func pageSize(_ wanted: Int) -> Int { min(wanted, max(1, pageRowsMax ?? wanted)) }
    /// The host and port the client used.
    var host: String { headers["host"] ?? "127.0.0.1" }
    /// The body as JSON.
    var document: JSONDocument? { JSONDocument(parsing: body) }
    /// The body as a form.
    var form: QueryString { QueryString(String(decoding: body, as: UTF8.self)[...]) }

    /// Fields from query, then form body, then JSON body under `root`: several providers take all three.
    func field(_ name: String, root: String? = nil) -> String? {
        if let value = query[name] { return value }
        if headers["content-type"]?.hasPrefix("application/x-www-form-urlencoded") == true { return form[name] }
        let document = document
        return (root.flatMap { document?[$0] } ?? document)?[name]?.text
    }
}

extension Substring {
    /// A plus is a plus in a path.
    fileprivate var replacingPlus: Substring {
        contains("+") ? split(separator: "+", omittingEmptySubsequences: false).joined(separator: "%2B")[...] : self
    }
}
