// Ringba's API v2 (public Postman collection) and its pixels. Exports, RTB and API token administration are not played.

/// Speaks as Ringba.
struct RingbaDialect: Dialect {
    /// The account, and its API token.
    let account: String, token: String
    /// Limits as the support article gives them, unless a flag overrides.
    var logThrottle: RingbaThrottle, detailThrottle: RingbaThrottle
    var callBacks: [RingbaCallBack] = []
    var random: SeededGenerator
    private var sessions: Set<String> = []
    private var cache = CallRowsCache()
    private var shrunk = 0

    init(account: String, token: String, seed: UInt64, limit: RateLimit) {
        self.account = account
        self.token = token
        random = SeededGenerator(seed: seed, "ringba ids")
        let (second, minute, detail): (Int?, Int?, Int?) =
            switch limit {
            case .asProvider: (5, 80, 200)
            case .off: (nil, nil, nil)
            case .perMinute(let number): (nil, number, number)
            }
        logThrottle = RingbaThrottle(resource: "CallLog", perSecond: second, perMinute: minute)
        detailThrottle = RingbaThrottle(resource: "CallLogDetail", perSecond: nil, perMinute: detail)
    }

    /// A fresh id of Ringba's form: two letters and 32 hexadecimal digits.
    mutating func id(_ prefix: String) -> String { prefix + random.characters(32, of: "0123456789abcdef") }

    mutating func answer(_ request: APIRequest, book: inout CallBook) -> Reply? {
        let path = request.segments
        guard path.first == "v2" else { return nil }
        if path == ["v2", "token"] { return session(request) }
        guard isAuthorized(request) else { return error(401, "Authorization has been denied for this request.", code: 0) }
        if path == ["v2", "ringbaaccounts"] { return accounts() }
        guard path.count >= 3 else { return error(404, "No such resource", code: 101) }
        guard path[1] == account else { return error(403, "You do not have access to account \(path[1])", code: 0) }
        do {
            return try route(request.method, path.dropFirst(2).map { $0.lowercased() }, path.last ?? "", request, &book)
        } catch let refusal as RingbaRefusal {
            return .json(400) { $0.object { $0.put("message", refusal.message) } }
        } catch {
            return self.error(500, "Unexpected", code: 0)
        }
    }

    private mutating func route(_ method: String, _ path: [String], _ last: String, _ request: APIRequest, _ book: inout CallBook) throws
        -> Reply
    {
        switch (method, path.count, path[0], path.count > 1 ? path[1] : "") {
        case ("POST", 1, "calllogs", _):
            if let refusal = throttled(\.logThrottle, request) { return refusal }
            var log = try RingbaCallLog(request.document)
            log.size = request.pageSize(log.size)
            if request.pagingFault == .shrinking { shrunk += 7 }
            return log.reply(
                book: book, cache: &cache, transaction: id("TR"), fault: request.pagingFault,
                shrunk: request.pagingFault == .shrinking ? shrunk : 0)
        case ("POST", 2, "calllogs", "detail"):
            if let refusal = throttled(\.detailThrottle, request) { return refusal }
            return detail(request, book)
        case ("GET", 2, "calllogs", "columns"): return columns()
        case ("GET", 1, "campaigns", _), ("GET", 2, "campaigns", _):
            return campaigns(book, only: path.count == 2 ? last : nil)
        case ("PATCH", 3, "campaigns", _): return link(request, book)
        case ("GET", 1, "numbers", _): return numbers(book)
        case ("POST", 1, "numbers", _): return try buy(request, &book)
        case ("DELETE", 2, "numbers", _): return release(last, request, &book)
        case ("GET", 1, "publishers", _): return list("publishers", book.catalog.publishers.map { ($0.code, $0.name) })
        case ("GET", 1, "targets", _): return list("targets", book.catalog.targets.map { ($0.code, $0.name) })
        case ("GET", 1, "buyers", _): return list("buyers", book.catalog.buyers.map { ($0.code, $0.name) })
        case ("POST", _, "calls", "payments"): return try pay(request, isOverride: path.last == "override", &book)
        case ("POST", 2, "calls", "void"): return try void(request, &book)
        case ("POST", 2, "calls", "annotate"): return try annotate(request, &book)
        case (_, _, "eventcallbacks", _): return try callBack(method, path, last, request)
        default: return error(404, "No resource at \(request.path)", code: 101)
        }
    }

    // Session tokens are for people; API tokens for programs. Both open the same doors.
    private mutating func session(_ request: APIRequest) -> Reply {
        let form = request.form
        guard request.method == "POST", form["grant_type"] == "password" ? form["password"] != nil : form["refresh_token"] != nil else {
            return .json(400) { $0.object { $0.put("error", "unsupported_grant_type") } }
        }
        let token = random.characters(48, of: "abcdefghijklmnopqrstuvwxyz0123456789_-")
        sessions.insert(token)
        let refresh = random.characters(32, of: "0123456789abcdef")
        return .json { json in
            json.object { json in
                json.put("access_token", token)
                json.put("token_type", "bearer")
                json.put("expires_in", 3599)
                json.put("refresh_token", refresh)
                json.put("userName", form["username"] ?? form["user_name"] ?? "")
                json.put(".issued", request.now.rfc3339)
                json.put(".expires", (request.now + 3_599_000).rfc3339)
            }
        }
    }

    private func isAuthorized(_ request: APIRequest) -> Bool {
        let parts = (request.headers["authorization"] ?? "").split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return false }
        return parts[0] == "Token" ? parts[1] == token : parts[0].lowercased() == "bearer" && sessions.contains(parts[1])
    }

    private mutating func throttled(_ path: WritableKeyPath<RingbaDialect, RingbaThrottle>, _ request: APIRequest) -> Reply? {
        let transaction = id("TR")
        return self[keyPath: path].admit(
            request.now, status: request.throttleStatus, transaction: transaction, forced: request.isThrottleForced)
    }

    /// The error body; 400s use ``RingbaRefusal`` instead.
    mutating func error(_ status: Int, _ message: String, code: Int) -> Reply {
        let transaction = id("TR")
        return .json(status) { json in
            json.object { json in
                json.put("transactionId", transaction)
                json.put("message", message)
                json.put("messageCode", code)
                json.array("errors") { _ in }
            }
        }
    }

    // MARK: Webhooks

    func event(for stage: CallStage, call: MockCall) -> String? {
        switch stage {
        case .started: "incoming"
        case .answered: "connected"
        case .ended: call.isConnected ? "completed" : nil
        case .converted: "converted"
        case .recorded: "recording"
        case .finalized: "finalized"
        case .ringing, .changed: nil
        }
    }

    func message(_ event: String, call: MockCall, book: CallBook, target: String, ordinal: Int) -> WebhookMessage {
        // A registered pixel brings its own method and template; a URL from a flag gets the template of the documentation.
        let pixel = callBacks.first { $0.url == target && $0.event == event }
        let body = RingbaPixel.render(
            pixel?.body ?? RingbaPixel.defaultTemplate(event), call: call, catalog: book.catalog, escape: RingbaPixel.jsonEscaped)
        let url = RingbaPixel.render(target, call: call, catalog: book.catalog, escape: percentEncoded)
        let method = pixel?.method ?? "POST"
        return WebhookMessage(
            event: event, externalID: call.externalID, dedupKey: "\(call.externalID):\(event)", method: method, url: url,
            headers: method == "GET" ? [] : [("Content-Type", pixel?.contentType ?? "application/json")],
            body: method == "GET" ? [] : Array(body.utf8), serial: call.serial)
    }

    func subscribers(_ event: String, call: MockCall, book: CallBook) -> [String] { callBacks.filter { $0.event == event }.map(\.url) }
    var hasSubscribers: Bool { !callBacks.isEmpty }
    mutating func takeChanged() -> [Int] { [] }
}
