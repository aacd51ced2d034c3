// `/_mock/oauth/...`: steers the authorization server and tells what it knows. Tokens are shown in full: they are the mock's own, and
// a test looks for them where they must not be.

extension AuthorizationServer {
    /// Answers a request below `/_mock/oauth`. - Parameter path: segments behind it.
    func administer(_ request: APIRequest, path: [String]) -> Reply {
        do {
            switch (request.method, path.first ?? "", path.count) {
            case ("GET", "ledger", 1): return summary(withEntries: request.query["entries"] != "0")
            case ("DELETE", "ledger", 1):
                ledger.clear()
                resources.clear()
                return .empty(204)
            case ("GET", "grants", 1): return grantList()
            case ("GET", "tokens", 1):
                return .json { json in
                    json.object { json in
                        for (kind, texts) in book.issued { json.array(kind, texts: texts) }
                    }
                }
            case ("POST", "grants", 1): return try issueDirectly(request)
            case ("POST", "grants", 3) where path[2] == "revoke":
                guard book.grants[path[1]] != nil else { throw MockProblem("no grant \(path[1])") }
                book.revoke(path[1], reason: "user_revoked", now: now)
                return grantList()
            case ("POST", "expire", 1):
                let count = book.expireAccess(grant: request.document?["grant"]?.text, now: now)
                return .json { $0.object { $0.put("expired", count) } }
            case ("GET", "requests", 1): return requestLog(request)
            case ("GET", "limits", 1): return limits()
            case ("GET", "cached", 1): return cachedList()
            case ("PUT", "cached", 2):
                var thing = resources.cached[path[1]] ?? ProtectedResources.Cached(version: 0, changedAt: now)
                thing.version += 1
                // Last-Modified counts whole seconds: a change within one would not show.
                thing.changedAt = max(now, thing.changedAt / 1000 * 1000 + 1000)
                resources.cached[path[1]] = thing
                return cachedList()
            case ("GET", "settings", 1): return .json { json in json.object { settings.write(to: &$0) } }
            case ("PUT", "settings", 1): return try change(request)
            default: return .json(404) { $0.object { $0.put("error", "no route \(request.method) \(request.path)") } }
            }
        } catch {
            return .json(400) { $0.object { $0.put("error", "\(error)") } }
        }
    }

    /// Counts for the mock's own summary line.
    func summary(withEntries: Bool) -> Reply {
        let grants = book.grants.values
        let reasons = Dictionary(grants.compactMap { $0.revocation.map { ($0.reason, 1) } }, uniquingKeysWith: +)
        return .json { json in
            json.object { json in
                ledger.write(to: &json, withEntries: withEntries)
                json.object("grants") { json in
                    json.put("alive", grants.filter { $0.revocation == nil }.count)
                    json.put("revoked", grants.filter { $0.revocation != nil }.count)
                    json.object("by_reason") { json in
                        for (reason, count) in reasons.sorted(by: { $0.key < $1.key }) { json.put(reason, count) }
                    }
                }
                json.put("resource_requests", resources.requestCounts.values.reduce(0, +))
            }
        }
    }

    private func grantList() -> Reply {
        .json { json in
            json.object { json in
                json.array("grants") { json in
                    for grant in book.ordered {
                        json.object { json in
                            json.put("id", grant.id)
                            json.put("client", grant.client)
                            json.put("account", grant.account)
                            json.put("scope", grant.scopes.joined(separator: " "))
                            json.put("grant_type", grant.type)
                            json.put("created_at", milliseconds: grant.createdAt)
                            json.put("alive", grant.revocation == nil)
                            json.put("revoked_by", grant.revocation?.reason)
                            json.put("revoked_at", grant.revocation.map { Int($0.at) })
                            json.put("reused_generation", grant.revocation?.generation)
                            json.put("access_tokens", grant.accessCount)
                            json.put("refresh_generation", grant.generation)
                        }
                    }
                }
            }
        }
    }

    // Tokens without a flow: for tests of what comes after it.
    private func issueDirectly(_ request: APIRequest) throws -> Reply {
        let body = request.document
        let client = body?["client"]?.text ?? settings.clients.first?.id ?? ""
        let scopes = (body?["scope"]?.text ?? settings.defaultScope).split(separator: " ").map(String.init)
        let grant = book.begin(
            client: client, account: body?["account"]?.text ?? settings.account, scopes: scopes, type: "issued", now: now)
        let issued = try book.issue(grant.id, withRefresh: settings.issuesRefresh, settings: settings, now: now)
        return .json(201) { json in
            json.object { json in
                json.put("grant", grant.id)
                json.put("access_token", issued.access)
                json.put("refresh_token", issued.refresh)
                json.put("expires_in", settings.accessSeconds)
                json.put("scope", scopes.joined(separator: " "))
            }
        }
    }

    private func requestLog(_ request: APIRequest) -> Reply {
        let wanted = request.query["token"]
        return .json { json in
            json.object { json in
                json.object("tokens") { json in
                    for (token, requests) in resources.requests.sorted(by: { $0.key < $1.key }) where wanted == nil || wanted == token {
                        json.object(token) { json in
                            json.put("count", resources.requestCounts[token])
                            json.array("requests") { json in
                                for entry in requests {
                                    json.object { json in
                                        json.put("at", milliseconds: entry.at)
                                        json.put("method", entry.method)
                                        json.put("target", entry.target)
                                        json.put("status", entry.status)
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private func limits() -> Reply {
        let length = Milliseconds(settings.limit.seconds) * 1000
        return .json { json in
            json.object { json in
                json.put("limit", settings.limit.requests)
                json.put("window_seconds", settings.limit.seconds)
                json.array("counters") { json in
                    for (key, window) in resources.windows.sorted(by: { $0.key < $1.key }) {
                        json.object { json in
                            json.put("key", key.isEmpty ? "provider" : key)
                            json.put("admitted", window.admitted.count)
                            json.put("refused", window.refused)
                            json.put("peak_in_any_window", window.peak(lengthMilliseconds: length))
                            json.array("windows") { json in
                                for (start, count) in window.perWindow(lengthMilliseconds: length) {
                                    json.object { json in
                                        json.put("start", milliseconds: start)
                                        json.put("admitted", count)
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private func cachedList() -> Reply {
        .json { json in
            json.object { json in
                for (name, thing) in resources.cached.sorted(by: { $0.key < $1.key }) {
                    json.object(name) { json in
                        json.put("version", thing.version)
                        json.object("full") { json in
                            for (variant, count) in thing.full.sorted(by: { $0.key < $1.key }) { json.put(variant, count) }
                        }
                        json.object("not_modified") { json in
                            for (variant, count) in thing.notModified.sorted(by: { $0.key < $1.key }) { json.put(variant, count) }
                        }
                    }
                }
            }
        }
    }

    // All or nothing: a body with one wrong value changes none.
    private func change(_ request: APIRequest) throws -> Reply {
        guard let members = request.document?.members, !members.isEmpty else { throw MockProblem("body is an object of settings") }
        var changed = settings
        for (name, value) in members { try changed.set(name, value.text ?? "") }
        settings = changed
        return .json { json in json.object { changed.write(to: &$0) } }
    }
}
