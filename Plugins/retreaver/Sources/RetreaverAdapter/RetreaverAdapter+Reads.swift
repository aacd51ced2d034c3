// The streams. Pages are numbered and shift while one walks:
//  - a first, full or range read walks created_at upwards, where new rows only ever come at the end;
//  - an incremental read walks updated_at, which Retreaver sorts newest first whatever is asked. No upper bound is sent:
//    a row that changes meanwhile then moves to the front and pushes the others towards later pages, so that one may come
//    twice but none is skipped. All pages of the window are read before the run, and with it the cursor, moves on.

public import BerthPluginSDK

extension RetreaverAdapter: StreamReader {
    /// `calls`, `numbers`, `campaigns`.
    public func read(_ request: ReadRequest, _ context: ReadContext) throws {
        switch request.stream {
        case "calls": try readCalls(request, context)
        case "numbers":
            try readList("/numbers.json", request, context) { row, asked in try emit(number: row, at: asked, to: context) }
        case "campaigns":
            try readList("/campaigns.json", request, context) { row, asked in try emit(campaign: row, at: asked, to: context) }
        default: throw ProviderError.unsupported("Retreaver has no stream '\(request.stream)'")
        }
    }

    private func readCalls(_ request: ReadRequest, _ context: ReadContext) throws {
        let since = request.since ?? request.until.adding(seconds: -Int64(historyDays) * 86_400)
        let isByUpdate = request.mode == .incremental && request.since != nil
        var query: [(name: String, value: String)]
        if isByUpdate {
            query = [("sort_by", "updated_at"), ("order", "desc"), ("updated_at_start", since.rfc3339)]
        } else {
            query = [
                ("sort_by", "created_at"), ("order", "asc"), ("created_at_start", since.rfc3339),
                ("created_at_end", request.until.rfc3339),
            ]
        }
        try walk("/api/v2/calls.json", query, request, context) { rows, asked in
            var oldest: ProviderTime?
            for row in rows.elements {
                let call = row["call"] ?? row
                try emit(call: call, at: asked, to: context)
                if isByUpdate { oldest = ProviderTime(call["updated_at"]) }
            }
            // `updated_at_start` is documented by example only: if it is ignored, the rows themselves say when to stop.
            return oldest.map { $0 < since } ?? false
        }
    }

    private func readList(
        _ path: String, _ request: ReadRequest, _ context: ReadContext, emit: (_ row: JSONNode, _ asked: ProviderTime) throws -> Void
    ) throws {
        try walk(path, [], request, context) { rows, asked in
            for row in rows.elements { try emit(row, asked) }
            return false
        }
    }

    /// Walks pages along the Link header. Its URL echoes the key, so that only the page number is taken from it.
    private func walk(
        _ path: String, _ query: [(name: String, value: String)], _ request: ReadRequest, _ context: ReadContext,
        map: (_ rows: JSONNode, _ asked: ProviderTime) throws -> Bool
    ) throws {
        let start = request.state?["page"]?.int64.map { Int($0) } ?? 1
        var pager = Pager(context)
        try pager.pages(from: start) { number in
            var page = HTTPRequest.get(path, class: "lists")
            page.query = query + [("page", String(number)), ("per_page", String(pageSize))]
            return try ask(page, context)
        } map: { answer in
            let rows = try answer.json()
            guard rows.kind == .array else {
                throw ProviderError(.remoteDown, "Retreaver's answer to \(path) is not a list", remoteStatus: answer.status)
            }
            let isDone = try map(rows, answer.askedAt)
            guard !isDone, let next = answer.link("next") else { return nil }
            guard let number = QueryText.value("page", of: next).flatMap({ Int($0) }) else {
                throw ProviderError(.remoteDown, "Retreaver's Link header names a next page without its number")
            }
            return number
        }
    }
}
