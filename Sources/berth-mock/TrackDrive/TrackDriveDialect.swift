// TrackDrive's API v1 and its REST-hook subscriptions. Leads, ping-post and UI-authored triggers are not played.

import Crypto

/// Speaks as TrackDrive.
struct TrackDriveDialect: Dialect {
    let publicKey: String, privateKey: String, token: String
    /// Every second webhook wraps its call as `{"call":{...}}`; which form the real one has is unconfirmed.
    let wrapsCalls: Bool
    var subscriptions: [TrackDriveSubscription] = []
    var nextSubscription = 501
    private var counter: MinuteCounter
    private var cache = CallRowsCache()
    private var shrunk = 0
    var changed: [Int] = []

    init(publicKey: String, privateKey: String, token: String, wrapsCalls: Bool, limit: RateLimit) {
        self.publicKey = publicKey
        self.privateKey = privateKey
        self.token = token
        self.wrapsCalls = wrapsCalls
        if case .perMinute(let number) = limit { counter = MinuteCounter(limit: number) } else { counter = MinuteCounter(limit: nil) }
    }

    mutating func answer(_ request: APIRequest, book: inout CallBook) -> Reply? {
        var path = request.segments
        guard path.count >= 3, path[0] == "api", path[1] == "v1" else { return nil }
        path.removeFirst(2)
        guard Self.roots.contains(path[0]) else { return nil }
        guard isAuthorized(request) else { return Self.error(401, "base", "Invalid API key pair or token") }
        if counter.refusal(request.now) != nil {
            var reply = Self.error(429, "base", "Too many requests")
            reply.headers.append(("Retry-After", "1"))
            return reply
        }
        switch (request.method, path[0], path.count) {
        case ("GET", "calls", 1): return calls(request, book)
        case ("POST", "calls", 3) where path[1] == "update_call": return update(request, path[2], &book)
        case ("GET", "calls", 2): return call(path[1], book)
        case ("PUT", "calls", 2): return update(request, path[1], &book)
        case ("GET", "calls", 3) where path[2] == "events": return events(path[1], book)
        case (_, "subscriptions", _): return subscriptions(request, path)
        case ("GET", "phone_numbers", 1): return phoneNumbers(request, book)
        case ("GET", "offers", 1): return list(request, "offers", book.catalog.campaigns.map { ($0.numericID, $0.name) })
        case ("GET", "offers", 2): return single("offer", path[1], book.catalog.campaigns.map { ($0.numericID, $0.name) })
        case ("GET", "traffic_sources", 1): return list(request, "traffic_sources", book.catalog.publishers.map { ($0.numericID, $0.name) })
        case ("GET", "buyers", 1): return list(request, "buyers", book.catalog.buyers.map { ($0.numericID, $0.name) })
        case ("GET", "tokens", 1):
            return .json { $0.object { $0.array("tokens", texts: ["[call_uuid]", "[caller_id]", "[number]", "[total_duration]"]) } }
        default: return Self.error(404, "base", "Not found")
        }
    }

    private static let roots: Set<String> = ["calls", "subscriptions", "phone_numbers", "offers", "traffic_sources", "buyers", "tokens"]

    private func isAuthorized(_ request: APIRequest) -> Bool {
        let pair = "Basic " + base64(Array("\(publicKey):\(privateKey)".utf8))
        let given = request.headers["authorization"]
        return given == pair || given == "Token \(token)" || given == nil && request.field("auth_token") == token
    }

    private mutating func calls(_ request: APIRequest, _ book: CallBook) -> Reply {
        let query = request.query
        var window = TimeWindow()
        for (name, path) in [("created_at_from", \TimeWindow.low), ("created_at_to", \TimeWindow.high)] {
            guard let text = query[name] else { continue }
            guard let time = Milliseconds(dateText: text) else { return Self.error(422, name, "is not a date") }
            window[keyPath: path] = time
        }
        let byUpdate = query["order"] == "updated_at"
        let isDescending = query["order_dir"]?.lowercased() != "asc"
        let base =
            byUpdate
            ? CallRows.updates(book.updated(from: nil, to: nil), descending: isDescending)
            : CallRows.starts(book.started(from: window.low, to: window.high), descending: isDescending)
        let names = [
            "buyer_converted", "offer_converted", "offer_id", "traffic_source_id", "number_id", "buyer_id", "caller_number", "in_progress",
        ]
        let filters = names.compactMap { name in query[name].map { (name, $0) } }
        var rows = base
        if !filters.isEmpty || byUpdate && window.isBounded {
            rows = cache.rows(for: "\(byUpdate) \(isDescending) \(window) \(filters)", of: book) {
                base.filtered(of: book) { call in
                    window.contains(call.startedAt) && filters.allSatisfy { Self.field($0.0, of: call, book.catalog) == $0.1 }
                }
            }
        }
        let size = request.pageSize(min(1000, max(1, query.integer("per_page") ?? 25)))
        if request.pagingFault == .shrinking { shrunk += 7 }
        let drop = request.pagingFault == .shrinking ? shrunk : 0
        return Self.page(request, rows: rows, size: size, byUpdate: byUpdate, isDescending: isDescending, drop: drop, book: book)
    }

    // The cursor is the id of the last call shown, so that calls which come in while a client pages shift nothing; ordered by
    // `updated_at` it is a row count.
    private static func page(
        _ request: APIRequest, rows: CallRows, size: Int, byUpdate: Bool, isDescending: Bool, drop: Int, book: CallBook
    ) -> Reply {
        let query = request.query
        let cursor = query.integer("cursor")
        var offset = (max(1, query.integer("page") ?? 1) - 1) * size
        if let cursor {
            if cursor == 0 { return error(422, "cursor", "0 is the end") }
            offset = cursor < 0 ? 0 : byUpdate ? cursor : rows.offset(after: cursor - 9_100_000, descending: isDescending, of: book)
        }
        let isLoop = request.pagingFault == .loop
        let found = rows.page(offset: isLoop ? 0 : offset + drop, limit: size, of: book)
        let isEnd = offset + drop + found.count >= rows.count
        let next = byUpdate ? offset + found.count : found.last?.numericID ?? 0
        let columns = query["columns"].map { Set($0.split(separator: ",").map(String.init)) }
        let isGrid = query["serializer"] == "call_grid"
        func write(_ json: inout JSONText) {
            for call in found {
                json.object { json in
                    json.only = columns
                    TrackDriveRecord.write(call, isGrid: isGrid, catalog: book.catalog, to: &json)
                }
            }
        }
        if query["root"] == "false" { return .json { $0.array(nil, write) } }
        return .json { json in
            json.object { json in
                json.put("status", 200)
                json.object("errors") { _ in }
                json.array("calls", write)
                json.object("metadata") { json in
                    json.put("root", "calls")
                    json.put("per_page", size)
                    if cursor != nil {
                        json.put("next_cursor", isLoop ? max(1, cursor ?? 1) : isEnd ? 0 : next)
                    } else {
                        json.put("page", offset / size + 1)
                    }
                    if cursor == nil { json.put("total_count", rows.count) }
                }
            }
        }
    }

    private func call(_ id: String, _ book: CallBook) -> Reply {
        guard let call = book.call(id: id) else { return Self.error(404, "base", "Call \(id) not found") }
        return Self.single(call, book)
    }

    /// `{status, errors, call, checksum, metadata}`.
    static func single(_ call: MockCall, _ book: CallBook) -> Reply {
        var record = JSONText()
        record.object { TrackDriveRecord.write(call, isGrid: false, catalog: book.catalog, to: &$0) }
        let checksum = Insecure.MD5.hash(data: record.bytes).hexText
        return .json { json in
            json.object { json in
                json.put("status", 200)
                json.object("errors") { _ in }
                json.put("call", verbatim: String(decoding: record.bytes, as: UTF8.self))
                json.put("checksum", checksum)
                json.object("metadata") { $0.put("root", "call") }
            }
        }
    }

    private mutating func update(_ request: APIRequest, _ id: String, _ book: inout CallBook) -> Reply {
        guard let call = book.call(id: id) else { return Self.error(404, "base", "Call \(id) not found") }
        let revenue = request.field("revenue", root: "call"), buyer = request.field("buyer_converted", root: "call")
        let offer = request.field("offer_converted", root: "call")
        if let revenue, Double(revenue) == nil { return Self.error(422, "revenue", "is not a number") }
        let after = book.change(call.serial, at: request.now) { call in
            if let revenue = revenue.flatMap(Double.init) { call.revenue = Money(revenue) }
            if let buyer { call.isConverted = ["true", "1"].contains(buyer) }
            if offer == "true", call.payout == nil { call.payout = Money(cents: 1000) }
        }
        changed.append(call.serial)
        return Self.single(after, book)
    }

    /// Value of a column as a query writes it.
    static func field(_ name: String, of call: MockCall, _ catalog: Catalog) -> String {
        switch name {
        case "offer_id": String(catalog.campaigns[call.campaign].numericID)
        case "traffic_source_id": String(catalog.publishers[call.publisher].numericID)
        case "number_id": String(catalog.numbers[call.number].numericID)
        case "buyer_id": call.target.map { String(catalog.buyers[catalog.targets[$0].buyer].numericID) } ?? ""
        case "schedule_id": "88"
        case "caller_number": call.caller.e164
        case "buyer_converted": String(call.isConverted)
        case "offer_converted": String(call.payout != nil)
        case "either_converted": String(call.isConverted || call.payout != nil)
        case "has_recording": String(call.hasRecording)
        case "in_progress": String(call.isLive)
        default: ""
        }
    }

    /// `{status, errors:{field:[...]}}`.
    static func error(_ status: Int, _ field: String, _ message: String) -> Reply {
        .json(status) { json in
            json.object { json in
                json.put("status", status)
                json.object("errors") { $0.array(field, texts: [message]) }
            }
        }
    }

    // MARK: Webhooks

    func event(for stage: CallStage, call: MockCall) -> String? {
        switch stage {
        case .started: "new_call"
        case .ringing: "call_ringing"
        case .answered: "call_forwarded"
        case .ended: "call_ended"
        case .converted, .recorded, .changed: "call_changed"
        case .finalized: nil
        }
    }

    func message(_ event: String, call: MockCall, book: CallBook, target: String, ordinal: Int) -> WebhookMessage {
        var json = JSONText(reserving: 1024)
        func write(_ json: inout JSONText) { TrackDriveRecord.write(call, isGrid: false, catalog: book.catalog, to: &json) }
        if wrapsCalls, ordinal % 2 == 1 { json.object { $0.object("call", write) } } else { json.object(nil, write) }
        let hasEvent = target.contains("?event=") || target.contains("&event=")
        let url = hasEvent ? target : target + (target.contains("?") ? "&" : "?") + "event=\(event)"
        let key = event == "call_changed" ? "\(call.externalID):\(event):\(call.updatedAt)" : "\(call.externalID):\(event)"
        return WebhookMessage(
            event: event, externalID: call.externalID, dedupKey: key, method: "POST", url: url,
            headers: [("Content-Type", "application/json")],
            body: json.bytes, serial: call.serial)
    }

    func subscribers(_ event: String, call: MockCall, book: CallBook) -> [String] {
        subscriptions.filter { $0.event == event && $0.matches(call, book.catalog) }.map(\.targetURL)
    }
    var hasSubscribers: Bool { !subscriptions.isEmpty }

    mutating func takeChanged() -> [Int] {
        defer { changed = [] }
        return changed
    }
}
