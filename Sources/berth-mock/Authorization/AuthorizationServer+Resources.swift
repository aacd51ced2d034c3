// The protected API: who am I, a paged list, cacheable things in every variant, and a limited resource.

extension AuthorizationServer {
    /// Answers a request below `/api`, and notes it under its access token.
    func resource(_ request: APIRequest) -> Reply {
        let (reply, token) = answerResource(request)
        let target = request.rawQuery.isEmpty ? request.path : request.path + "?" + request.rawQuery
        resources.note(ResourceRequest(at: clock(), method: request.method, target: target, status: reply.status), token: token ?? "")
        return reply
    }

    /// Notes a request that a fault answered.
    func noteResource(_ request: APIRequest, status: Int) {
        resources.note(
            ResourceRequest(at: clock(), method: request.method, target: request.path, status: status), token: Self.bearer(request) ?? "")
    }

    private func answerResource(_ request: APIRequest) -> (Reply, String?) {
        guard let text = Self.bearer(request) else {
            return (Reply(status: 401, headers: [("WWW-Authenticate", "Bearer realm=\"berth-mock\"")]), nil)
        }
        let token: AccessToken
        let grant: Grant
        switch book.use(text, now: now) {
        case .valid(let found, let of): (token, grant) = (found, of)
        case .expired: return (Self.unauthorized("The access token expired"), text)
        case .revoked: return (Self.unauthorized("The access token was revoked"), text)
        case .unknown: return (Self.unauthorized("The access token is unknown"), text)
        }
        guard token.scopes.contains(where: grant.scopes.contains) || grant.scopes.isEmpty else {
            let scope = grant.scopes.joined(separator: " ")
            return (Self.challenge(403, "insufficient_scope", "The token's scope does not allow this", ", scope=\"\(scope)\""), text)
        }
        let path = request.segments
        switch (request.method, path[1]) {
        case ("GET", "me"): return (me(token, grant), text)
        case ("GET", "items"): return (items(request), text)
        case ("POST", "items"): return (create(request), text)
        case ("GET", "cached") where path.count == 4: return (cached(request, variant: path[2], name: path[3], token), text)
        case ("GET", "limited"): return (limited(path.count > 2 ? path[2] : settings.limitStyle.rawValue, text), text)
        case ("POST", "limited"): return (limited(path.count > 2 ? path[2] : settings.limitStyle.rawValue, text), text)
        default: return (.json(404) { $0.object { $0.put("error", "not_found") } }, text)
        }
    }

    private func me(_ token: AccessToken, _ grant: Grant) -> Reply {
        .json { json in
            json.object { json in
                json.put("account", token.account)
                json.array("scopes", texts: token.scopes)
                json.put("client", grant.client)
                json.put("grant", grant.id)
            }
        }
    }

    // Twenty a page from 1; `next_page` is null on the last.
    private func items(_ request: APIRequest) -> Reply {
        let page = max(1, request.query.integer("page") ?? 1), size = 20
        let total = settings.itemCount + resources.posted.count
        let first = (page - 1).multipliedReportingOverflow(by: size)
        let from = first.overflow ? total : min(first.partialValue, total)
        let end = min(from + size, total)
        return .json { json in
            json.object { json in
                json.array("items") { json in
                    for number in from..<end { json.object { Self.item(number + 1, to: &$0) } }
                }
                json.put("page", page)
                json.put("next_page", end < total ? page + 1 : nil)
                json.put("total", total)
            }
        }
    }

    private func create(_ request: APIRequest) -> Reply {
        let key = request.headers["idempotency-key"]
        if let key, let before = resources.posted.first(where: { $0.key == key }) {
            return .json { $0.object { Self.item(before.number, to: &$0) } }
        }
        let number = settings.itemCount + resources.posted.count + 1
        resources.posted.append((key, number))
        return .json(201) { $0.object { Self.item(number, to: &$0) } }
    }

    private static func item(_ number: Int, to json: inout JSONText) {
        json.put("id", "item-\(number)")
        json.put("name", "Item \(number)")
        json.put("value", number * 7 % 101)
    }

    // The body names account and version: a reply cached across accounts or beyond its version shows.
    private func cached(_ request: APIRequest, variant: String, name: String, _ token: AccessToken) -> Reply {
        var thing = resources.cached[name] ?? ProtectedResources.Cached(changedAt: now)
        defer { resources.cached[name] = thing }
        let tag = "\"\(name)-v\(thing.version)-\(token.account)\""
        var headers: [(name: String, value: String)] = []
        var isUnchanged = false
        switch variant {
        case "etag", "max-age", "weak-etag":
            let full = variant == "weak-etag" ? "W/" + tag : tag
            headers.append(("ETag", full))
            if variant == "max-age" { headers.append(("Cache-Control", "private, max-age=\(request.query.integer("seconds") ?? 60)")) }
            let offered = request.headers["if-none-match"]?.split(separator: ",").map { $0.drop { $0 == " " } } ?? []
            isUnchanged = offered.contains { $0 == "*" || $0 == full || $0 == tag || $0 == "W/" + tag }
        case "last-modified":
            headers.append(("Last-Modified", thing.changedAt.httpDate))
            if let since = request.headers["if-modified-since"].flatMap(Milliseconds.init(httpDate:)) {
                isUnchanged = thing.changedAt / 1000 <= since / 1000
            }
        case "no-store": headers += [("Cache-Control", "no-store"), ("ETag", tag)]
        case "plain": break
        default:
            return .json(404) { $0.object { $0.put("error", "variants are etag, weak-etag, last-modified, max-age, no-store, plain") } }
        }
        guard !isUnchanged else {
            thing.notModified[variant, default: 0] += 1
            return Reply(status: 304, headers: headers)
        }
        thing.full[variant, default: 0] += 1
        let version = thing.version
        return .json(headers: headers) { json in
            json.object { json in
                json.put("name", name)
                json.put("version", version)
                json.put("account", token.account)
            }
        }
    }

    private func limited(_ style: String, _ token: String) -> Reply {
        guard let style = LimitStyle(rawValue: style) else {
            return .json(404) { $0.object { $0.put("error", "no limit style \(style)") } }
        }
        let (limit, length) = (settings.limit.requests, settings.limit.seconds)
        let outcome = resources.windows[settings.isLimitPerToken ? token : "", default: RequestWindow()].admit(
            limit: limit, lengthMilliseconds: Milliseconds(length) * 1000, isSliding: settings.isLimitSliding, now: clock())
        let wait = Int((outcome.wait + 999) / 1000), reset = now + outcome.wait
        var headers: [(name: String, value: String)] = []
        switch style {
        case .xRateLimit, .xRateLimitDelta:
            headers = [
                ("X-RateLimit-Limit", String(limit)), ("X-RateLimit-Remaining", String(outcome.remaining)),
                ("X-RateLimit-Reset", String(style == .xRateLimit ? Int((reset + 999) / 1000) : wait)),
            ]
        case .rateLimit:
            headers = [
                ("RateLimit-Policy", "\"minute\";q=\(limit);w=\(length)"), ("RateLimit", "\"minute\";r=\(outcome.remaining);t=\(wait)"),
            ]
        case .retryAfter: if !outcome.isAdmitted { headers = [("Retry-After", String(wait))] }
        case .retryAfterDate: if !outcome.isAdmitted { headers = [("Retry-After", (reset + 999).httpDate)] }
        case .body, .bare: break
        }
        if outcome.isAdmitted { return .json(headers: headers) { $0.object { $0.put("ok", true) } } }
        guard style == .body else { return .json(429, headers: headers) { $0.object { $0.put("error", "rate_limited") } } }
        return .json { json in
            json.object { json in
                json.put("isRateLimited", true)
                json.put("exceedingRateLimit", "Minute")
                json.put("message", "Rate limit exceeded: \(limit) requests per \(length) s")
            }
        }
    }

    private static func bearer(_ request: APIRequest) -> String? {
        let words = request.headers["authorization"]?.split(separator: " ", maxSplits: 1) ?? []
        return words.count == 2 && words[0].lowercased() == "bearer" ? String(words[1]) : nil
    }

    private static func unauthorized(_ text: String) -> Reply { challenge(401, "invalid_token", text) }

    private static func challenge(_ status: Int, _ code: String, _ text: String, _ more: String = "") -> Reply {
        let value = "Bearer realm=\"berth-mock\", error=\"\(code)\", error_description=\"\(text)\"\(more)"
        return .json(status, headers: [("WWW-Authenticate", value)]) { json in
            json.object { json in
                json.put("error", code)
                json.put("error_description", text)
            }
        }
    }
}
