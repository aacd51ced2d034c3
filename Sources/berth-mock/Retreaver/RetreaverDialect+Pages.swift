// Paging by number and the `Link` header, which every index of Retreaver has, and error bodies, whose form is unconfirmed.

extension RetreaverDialect {
    /// Page from 1 and its length: 25 unless asked, at most 100 (the mock's choice; the real maximum is unknown).
    static func page(_ request: APIRequest) -> (number: Int, size: Int) {
        let query = request.query
        return (max(1, query.integer("page") ?? 1), request.pageSize(min(100, max(1, query.integer("per_page") ?? 25))))
    }

    /// RFC 8288 links with absolute URLs that echo the whole query, the API key included. Under the loop fault `next` never ends.
    static func link(_ request: APIRequest, page: Int, size: Int, count: Int) -> [(name: String, value: String)] {
        let last = max(1, (count + size - 1) / size)
        func url(_ number: Int) -> String {
            let kept = request.rawQuery.split(separator: "&").filter { !$0.hasPrefix("page=") }.map(String.init)
            return "<http://\(request.host)\(request.path)?\((kept + ["page=\(number)"]).joined(separator: "&"))>"
        }
        var links: [String] = []
        if request.pagingFault == .loop {
            links.append("\(url(page)); rel=\"next\"")
        } else {
            if page > 1 { links.append("\(url(page - 1)); rel=\"prev\"") }
            if page < last {
                links.append("\(url(page + 1)); rel=\"next\"")
                links.append("\(url(last)); rel=\"last\"")
            }
        }
        return links.isEmpty ? [] : [("Link", links.joined(separator: ", "))]
    }

    /// One page of `items` as `[{key:{...}}]`.
    static func index<Item>(_ request: APIRequest, _ key: String, _ items: [Item], _ write: (Item, inout JSONText) -> Void) -> Reply {
        let (page, size) = page(request)
        let start = min(items.count, (page - 1) * size)
        return .json(headers: link(request, page: page, size: size, count: items.count)) { json in
            json.array { json in
                for item in items[start..<min(items.count, start + size)] { json.object { json in json.object(key) { write(item, &$0) } } }
            }
        }
    }

    /// An error. Bodies are the mock's choice: clients are to treat them as opaque.
    static func error(_ status: Int, _ message: String) -> Reply { .json(status) { $0.object { $0.put("error", message) } } }
}
