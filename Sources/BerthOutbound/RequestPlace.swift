// Where a request was to go, in the words of logs: what a person needs to find it, and nothing that may be about a person.

import CCurl

/// Host and path of a request, for the log.
struct RequestPlace {
    var host: String
    var path: String

    /// Of a URL that may go out or not; nil: it is none.
    init?(_ text: String, base: String) {
        guard case .success(let url) = ParsedURL.parse(text.contains("://") ? text : base + text) else { return nil }
        host = url.part(CURLUPART_HOST) ?? ""
        path = Self.path(of: url)
    }

    /// Path, and names of query parameters with their values masked: a value may be a person's phone number. So may what stands where a
    /// name should be.
    static func path(of url: ParsedURL) -> String {
        var text = url.part(CURLUPART_PATH) ?? "/"
        if let query = url.part(CURLUPART_QUERY), !query.isEmpty {
            text += "?"
            text += query.split(separator: "&").map { (isName($0.prefix { $0 != "=" }) ? $0.prefix { $0 != "=" } : "***") + "=***" }
                .joined(separator: "&")
        }
        return text.utf8.count <= 512 ? text : String(text.prefix(500)) + "..."
    }

    /// A letter first, then what names of parameters are made of (`filter[from]`, also encoded), and fewer digits than a phone number has.
    private static func isName(_ text: Substring) -> Bool {
        let name = text.replacing("%5B", with: "[").replacing("%5D", with: "]").replacing("%5b", with: "[").replacing("%5d", with: "]")
        guard let first = name.first, first.isLetter || first == "_" || first == "$" else { return false }
        return name.utf8.count <= 64 && name.count(where: \.isNumber) < 6
            && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-.[]$:".contains($0)) }
    }
}
