// RFC 8288 Link headers, as far as paging needs them.

extension HTTPResponse {
    /// The URL of the link with this relation (`next`, `last`); nil when there is none.
    ///
    /// It may hold credentials that the provider echoes: take the page number or cursor out of it with
    /// `QueryText.value(_:of:)` rather than asking for it as it is, and never log it.
    public func link(_ relation: String) -> String? {
        for header in headers where header.name == "link" {
            for part in Self.links(header.value) {
                guard let close = part.firstIndex(of: ">"), part.first == "<" else { continue }
                let parameters = part[part.index(after: close)...].split(separator: ";")
                let found = parameters.contains { parameter in
                    let pair = parameter.split(separator: "=", maxSplits: 1)
                    guard pair.count == 2, pair[0].filter({ $0 != " " }).lowercased() == "rel" else { return false }
                    return pair[1].filter { $0 != "\"" }.split(separator: " ").contains { $0 == relation }
                }
                if found { return String(part[part.index(after: part.startIndex)..<close]) }
            }
        }
        return nil
    }

    /// Links end at commas outside of `<...>`.
    private static func links(_ value: String) -> [Substring] {
        var parts: [Substring] = []
        var from = value.startIndex
        var isInside = false
        for index in value.indices {
            switch value[index] {
            case "<": isInside = true
            case ">": isInside = false
            case "," where !isInside:
                parts.append(value[from..<index])
                from = value.index(after: index)
            default: break
            }
        }
        parts.append(value[from...])
        return parts.map { $0.drop { $0 == " " } }
    }
}
