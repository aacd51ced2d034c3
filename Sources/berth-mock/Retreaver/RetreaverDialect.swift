// Retreaver's Core API and webhooks. Aggregated reports, data writing and real-time bidding are not played.

/// Speaks as Retreaver.
struct RetreaverDialect: Dialect {
    let apiKey: String
    let company: Int
    /// Webhooks registered as timers: event, URL with tokens.
    var timers: [(event: String, url: String)] = []
    var random: SeededGenerator
    /// Contacts by id.
    var contacts: [RetreaverContact]
    private var counter: MinuteCounter
    private var cache = CallRowsCache()
    private var shrunk = 0

    init(apiKey: String, company: Int, seed: UInt64, limit: RateLimit) {
        self.apiKey = apiKey
        self.company = company
        random = SeededGenerator(seed: seed, "retreaver ids")
        contacts = (0..<30).map {
            RetreaverContact(id: 900 + $0, number: "+1202555\((5000 + $0).padded(4))", tags: [("tier", $0 % 2 == 0 ? "gold" : "plain")])
        }
        if case .perMinute(let number) = limit { counter = MinuteCounter(limit: number) } else { counter = MinuteCounter(limit: nil) }
    }

    mutating func answer(_ request: APIRequest, book: inout CallBook) -> Reply? {
        var path = request.segments
        guard let first = path.first, let last = path.last, Self.roots.contains(first.split(separator: ".").first.map(String.init) ?? "")
        else {
            return nil
        }
        guard first != "api" || path.count > 2 && ["calls", "affiliates"].contains(path[2].split(separator: ".")[0]) else { return nil }
        if counter.refusal(request.now) != nil { return .empty(429) }
        let isTimer = path.count == 3 && last == "timers"
        // The suffix picks the format; XML is not played.
        guard last.hasSuffix(".json") || isTimer else { return Self.error(406, "Not Acceptable") }
        if !isTimer { path[path.count - 1] = String(last.dropLast(5)) }
        guard request.query["api_key"] == apiKey else { return Self.error(401, "Invalid API key") }
        guard request.query["company_id"] == String(company) else { return Self.error(403, "Company id missing or not yours") }
        return route(request, path, &book)
    }

    private static let roots: Set<String> = [
        "api", "campaigns", "numbers", "contacts", "contact_numbers", "targets", "companies", "company", "affiliates",
    ]

    private mutating func route(_ request: APIRequest, _ path: [String], _ book: inout CallBook) -> Reply {
        if path[0] == "api" {
            guard let version = Int(path[1].dropFirst()), (1...4).contains(version), path[1].first == "v" else {
                return Self.error(404, "Not Found")
            }
            if path[2] == "affiliates" { return affiliates(request, Array(path.dropFirst(2)), book) }
            guard request.method == "GET" else { return Self.error(405, "Method Not Allowed") }
            return path.count == 3 ? calls(request, version, book) : call(request, version, path[3], book)
        }
        switch path[0] {
        case "campaigns": return campaigns(request, path, &book)
        case "numbers": return numbers(request, path, &book)
        case "contacts", "contact_numbers": return contacts(request, path)
        case "targets": return targets(request, path, book)
        case "affiliates": return affiliates(request, path, book)
        default:
            let company = self.company
            func write(_ json: inout JSONText) {
                json.object { json in
                    json.object("company") { json in
                        json.put("id", company)
                        json.put("name", "Mock Media")
                    }
                }
            }
            return .json { json in if path[0] == "company" { write(&json) } else { json.array { write(&$0) } } }
        }
    }

    private func call(_ request: APIRequest, _ version: Int, _ id: String, _ book: CallBook) -> Reply {
        guard let call = book.call(id: id), call.externalID == id else { return Self.error(404, "Not Found") }
        let withFlow = request.query["call_flow_events"] == "true"
        return .json { RetreaverRecord.write(call, version: version, withFlow: withFlow, company: company, catalog: book.catalog, to: &$0) }
    }

    private mutating func calls(_ request: APIRequest, _ version: Int, _ book: CallBook) -> Reply {
        let query = request.query
        var bounds: [String: Milliseconds] = [:]
        for name in ["created_at_start", "created_at_end", "updated_at_start", "updated_at_end"] {
            guard let text = query[name] else { continue }
            // An unescaped plus arrives as a space and makes the date unreadable, as it does for the real thing.
            guard let time = Milliseconds(dateText: text), !text.contains(" ") else { return Self.error(400, "\(name) is not a date") }
            bounds[name] = time
        }
        let byUpdate = query["sort_by"] == "updated_at"
        let isDescending = byUpdate || query["order"]?.lowercased() != "asc"
        let created = TimeWindow(low: bounds["created_at_start"], high: bounds["created_at_end"])
        let updated = TimeWindow(low: bounds["updated_at_start"], high: bounds["updated_at_end"])
        let hasFilters = ["caller", "client_afid", "client_cid", "client_tid", "sub_id"].contains { query[$0] != nil }
        let base =
            byUpdate
            ? CallRows.updates(book.updated(from: updated.low, to: updated.high), descending: true)
            : CallRows.starts(book.started(from: created.low, to: created.high), descending: isDescending)
        let crosses = byUpdate ? created.isBounded : updated.isBounded
        var rows = base
        if hasFilters || crosses {
            let key =
                "\(byUpdate) \(isDescending) \(created) \(updated) \(query["caller"] ?? "") \(query["client_afid"] ?? "")"
                + " \(query["client_cid"] ?? "") \(query["client_tid"] ?? "") \(query["sub_id"] ?? "")"
            rows = cache.rows(for: key, of: book) {
                base.filtered(of: book) {
                    created.contains($0.startedAt) && updated.contains($0.updatedAt) && Self.matches($0, query, book.catalog)
                }
            }
        }
        let (page, size) = Self.page(request)
        if request.pagingFault == .shrinking { shrunk += 7 }
        let offset = request.pagingFault == .loop ? 0 : (page - 1) * size + (request.pagingFault == .shrinking ? shrunk : 0)
        let found = rows.page(offset: offset, limit: size, of: book)
        let withFlow = query["call_flow_events"] == "true"
        let link = Self.link(request, page: page, size: size, count: rows.count)
        return .json(headers: link) { json in
            json.array { json in
                for call in found {
                    RetreaverRecord.write(call, version: version, withFlow: withFlow, company: company, catalog: book.catalog, to: &json)
                }
            }
        }
    }

    private static func matches(_ call: MockCall, _ query: QueryString, _ catalog: Catalog) -> Bool {
        if let caller = query["caller"], call.caller.e164 != caller { return false }
        if let id = query["client_afid"], catalog.publishers[call.publisher].code != id { return false }
        if let id = query["client_cid"], catalog.campaigns[call.campaign].code != id { return false }
        if let id = query["client_tid"], call.target.map({ catalog.targets[$0].code }) != id { return false }
        return query["sub_id"] == nil
    }

    // MARK: Webhooks

    func event(for stage: CallStage, call: MockCall) -> String? {
        switch stage {
        case .started: "call_start"
        case .answered: "call_answered"
        case .ended: "call_end"
        case .converted: "converted"
        case .ringing, .recorded, .finalized, .changed: nil
        }
    }

    func message(_ event: String, call: MockCall, book: CallBook, target: String, ordinal: Int) -> WebhookMessage {
        let values: [(String, String)] = [
            ("call_uuid", call.externalID), ("caller_number", call.caller.e164), ("nanp_caller_number", String(call.caller.digits)),
            ("number", book.catalog.numbers[call.number].e164), ("caller_zip", call.caller.place.zip),
            ("caller_state", call.caller.place.state),
            ("lead_id", call.tags["lead_id"] ?? ""),
        ]
        var url = target
        if target.contains("[") {
            for (token, value) in values {
                url = url.split(separator: "[\(token)]", omittingEmptySubsequences: false).joined(separator: percentEncoded(value))
            }
        } else {
            let sent = [("call_uuid", 0), ("caller", 1), ("tracking", 3), ("zip", 4), ("lead_id", 6)]
            let separator = target.contains("?") ? "&" : "?"
            url += separator + "event=\(event)" + sent.map { "&\($0.0)=\(percentEncoded(values[$0.1].1))" }.joined()
        }
        return WebhookMessage(
            event: event, externalID: call.externalID, dedupKey: "\(call.externalID):\(event)", method: ordinal % 2 == 0 ? "GET" : "POST",
            url: url,
            serial: call.serial)
    }

    func subscribers(_ event: String, call: MockCall, book: CallBook) -> [String] { timers.filter { $0.event == event }.map(\.url) }
    var hasSubscribers: Bool { !timers.isEmpty }
    mutating func takeChanged() -> [Int] { [] }
}

/// A window whose ends may be open; both ends belong to it.
struct TimeWindow: Sendable {
    var low: Milliseconds?, high: Milliseconds?
    var isBounded: Bool { low != nil || high != nil }
    func contains(_ time: Milliseconds) -> Bool { (low.map { time >= $0 } ?? true) && (high.map { time <= $0 } ?? true) }
}
