// The streams. Calls have no "updated since": conversions and revenue arrive late and do not move `created_at`, so an
// incremental read asks again for the calls of the last days (the manifest's overlap). Cursor -1 begins, 0 ends; neither
// is ever kept as a position.

public import BerthPluginSDK

extension TrackDriveAdapter: StreamReader {
    /// `calls`, `numbers`, `campaigns`.
    public func read(_ request: ReadRequest, _ context: ReadContext) throws {
        switch request.stream {
        case "calls":
            try walkCalls(request, context) { row, asked in try emit(call: row, seen: asked, to: context) }
        case "numbers": try readNumbers(request, context)
        case "campaigns": try readCampaigns(request, context)
        default: throw ProviderError.unsupported("TrackDrive has no stream '\(request.stream)'")
        }
    }

    private func walkCalls(
        _ request: ReadRequest, _ context: ReadContext, emit: (_ row: JSONNode, _ asked: ProviderTime) throws -> Void
    ) throws {
        let since = request.since ?? request.until.adding(seconds: -Int64(historyDays) * 86_400)
        var window = [("created_at_from", since.trackDriveText)]
        if request.mode == .range { window.append(("created_at_to", request.until.trackDriveText)) }
        var pager = Pager(context)
        try pager.cursors(from: request.state?["cursor"]?.string ?? "-1") { cursor in
            var page = HTTPRequest.get("/api/v1/calls", class: "lists")
            page.query = [("cursor", cursor), ("per_page", String(pageSize))] + window
            return try ask(page, context).answer
        } map: { answer in
            let root = try answer.json()
            for row in try Self.rows(root, "calls", answer).elements { try emit(row["call"] ?? row, answer.askedAt) }
            return Self.nextCursor(root)
        }
    }

    /// The list stands under its name, or alone where the server leaves the root out.
    static func rows(_ root: JSONNode, _ name: StaticString, _ answer: HTTPResponse) throws -> JSONNode {
        if root.kind == .array { return root }
        guard let rows = root[name], rows.kind == .array else {
            throw ProviderError(.remoteDown, "TrackDrive's answer has no list of \(name)", remoteStatus: answer.status)
        }
        return rows
    }

    /// nil at the end.
    static func nextCursor(_ root: JSONNode) -> String? {
        guard let cursor = root.at("/metadata/next_cursor")?.scalarText, cursor != "0", !cursor.isEmpty else { return nil }
        return cursor
    }

    /// Numbers document no cursor: pages are asked for by number until one is empty. A page shorter than was asked for is
    /// no end: TrackDrive documents no maximum of `per_page`, and one that caps it gives short pages of a long list.
    private func readNumbers(_ request: ReadRequest, _ context: ReadContext) throws {
        try readPages("/api/v1/phone_numbers", "phone_numbers", request, context) { row, asked in
            try emit(number: row["phone_number"] ?? row, seen: asked, to: context)
        }
    }

    /// Offers. Their list is not in TrackDrive's public documents: where it is missing, the offers that recent calls name
    /// are the campaigns.
    private func readCampaigns(_ request: ReadRequest, _ context: ReadContext) throws {
        do {
            guard request.state?["cursor"] == nil else { throw ProviderError(.notFound, "") }
            try readPages("/api/v1/offers", "offers", request, context) { row, asked in
                let offer = row["offer"] ?? row
                try emit(campaign: offer["id"]?.scalarText, name: offer["name"], raw: offer, seen: asked, to: context)
            }
        } catch let error as ProviderError where error.status == .notFound {
            context.log.info("TrackDrive has no list of offers here; taking them from the calls")
            var seen: Set<String> = []
            try walkCalls(request, context) { row, asked in
                guard let id = row["offer_id"]?.scalarText, seen.insert(id).inserted else { return }
                try emit(campaign: id, name: row["offer"], raw: nil, seen: asked, to: context)
            }
        }
    }

    private func readPages(
        _ path: String, _ name: StaticString, _ request: ReadRequest, _ context: ReadContext,
        emit: (_ row: JSONNode, _ asked: ProviderTime) throws -> Void
    ) throws {
        var pager = Pager(context)
        var number = request.state?["page"]?.int64.map { Int($0) } ?? 1
        var first: [UInt8]?
        try pager.pages(from: number) { page in
            number = page
            return try ask(.get(path, query: ["page": String(page), "per_page": String(pageSize)], class: "lists"), context).answer
        } map: { answer in
            let root = try answer.json()
            let rows = try Self.rows(root, name, answer)
            guard let row = rows[0] else { return nil }
            let key = Array(row.jsonBytes)
            guard key != first else { return try Self.endOfUnpaged(rows.count, of: name, pageSize) }
            first = key
            for row in rows.elements { try emit(row, answer.askedAt) }
            return number + 1
        }
    }
}

extension TrackDriveAdapter {
    /// The same first row again: the server does not page this list, and what came is all of it. But not where it is just as
    /// long as a page: then the rest of it may stand on pages that never come, and to end well would be to call them deleted.
    private static func endOfUnpaged(_ count: Int, of name: StaticString, _ pageSize: Int) throws -> Int? {
        guard count == pageSize || count == defaultPageSize else { return nil }
        throw ProviderError(
            .internal,
            "cursor_stalled: TrackDrive gives the same \(count) \(name) for every page; the read ends here and keeps what it has",
            remoteCode: "cursor_stalled")
    }

    /// What TrackDrive documents for `per_page` where nobody asks.
    private static var defaultPageSize: Int { 25 }
}

extension ProviderTime {
    /// `2026-01-31 12:25:15 +0000`, the form of TrackDrive's filters.
    var trackDriveText: String {
        let text = rfc3339
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8)) +0000"
    }
}
