// The control API as data: one row per route, with its permission. The server dispatches from this table, the OpenAPI
// document is made of it, and a route without a permission does not compile.

public import BerthModel

/// One route.
public struct Route: Sendable, Hashable {
    /// What a caller must be allowed.
    public enum Permission: Int, Sendable, Codable, Comparable, CaseIterable {
        /// Look at things that hold no customer data.
        case read
        /// Look at everything, run syncs, replay.
        case operate
        /// Change connections, plugins, settings.
        case admin
        /// By what they include.
        public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
    }

    /// HTTP method.
    public let method: String
    /// Path with `{parameters}`.
    public let path: String
    /// What a caller must be allowed.
    public let permission: Permission
    /// Unique name; also the operationId of the OpenAPI document.
    public let operation: Operation
    /// One line for people.
    public let summary: String
    /// Schema of the body; nil: none.
    public let request: String?
    /// Schema of the answer.
    public let response: String
    /// Query parameters with their meaning.
    public let query: [(name: String, help: String)]

    init(
        _ method: String, _ path: String, _ permission: Permission, _ operation: Operation, _ summary: String, request: String? = nil,
        response: String, query: [(name: String, help: String)] = []
    ) {
        self.method = method
        self.path = path
        self.permission = permission
        self.operation = operation
        self.summary = summary
        self.request = request
        self.response = response
        self.query = query
    }

    /// By method and path.
    public static func == (lhs: Route, rhs: Route) -> Bool { lhs.method == rhs.method && lhs.path == rhs.path }
    /// By method and path.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(method)
        hasher.combine(path)
    }

    /// Every operation of the control API.
    public enum Operation: String, Sendable, CaseIterable {
        case status, health, metrics, openapi
        case listPlugins, showPlugin, installPlugin, reloadPlugin, rollbackPlugin, removePlugin
        case listConnections, createConnection, showConnection, changeConnection, removeConnection
        case checkConnection, connectConnection, completeConnection, disconnectConnection, pauseConnection, resumeConnection
        case resetCircuit, clearCache, syncStream, performAction
        case listRuns, showRun, cancelRun
        case listEvents, showEvent, replayEvent, replayEvents, cancelEvent
        case listRecords, showRecord
        case listDeadLetters, redriveDeadLetters
        case feed, listRequests, listAudit, setLogLevel, backup, rotateVault
    }

    private static let paging = [
        (name: "limit", help: "1 to 1000, default 50"), (name: "cursor", help: "`next` of the page before"),
    ]

    /// All routes.
    public static let all: [Route] = [
        Route("GET", "/v1/status", .read, .status, "What runs here, and how it is", response: "Status"),
        Route("GET", "/v1/health", .read, .health, "Health with its parts", response: "Health"),
        Route("GET", "/metrics", .read, .metrics, "Prometheus text 0.0.4", response: "text"),
        Route("GET", "/v1/openapi.json", .read, .openapi, "This document", response: "object"),
        Route("GET", "/v1/plugins", .read, .listPlugins, "Installed plugins", response: "PluginList"),
        Route("GET", "/v1/plugins/{id}", .read, .showPlugin, "One plugin: settings, credentials, streams, actions", response: "Plugin"),
        Route("POST", "/v1/plugins", .admin, .installPlugin, "Install a bundle folder", request: "InstallPlugin", response: "Plugin"),
        Route("POST", "/v1/plugins/{id}/reload", .admin, .reloadPlugin, "Load the bundle again with nothing dropped", response: "Plugin"),
        Route("POST", "/v1/plugins/{id}/rollback", .admin, .rollbackPlugin, "Go back to the generation before", response: "Plugin"),
        Route(
            "DELETE", "/v1/plugins/{id}", .admin, .removePlugin, "Stop and forget a plugin; refused while connections use it",
            response: "empty",
            query: [(name: "force", help: "true: also with connections; their events wait for its return")]),
        Route("GET", "/v1/connections", .operate, .listConnections, "All connections", response: "ConnectionList"),
        Route("POST", "/v1/connections", .admin, .createConnection, "Add a connection", request: "NewConnection", response: "Connection"),
        Route(
            "GET", "/v1/connections/{id}", .operate, .showConnection, "One connection, by id, name or provider/name", response: "Connection"
        ),
        Route(
            "PATCH", "/v1/connections/{id}", .admin, .changeConnection, "Change a connection", request: "ConnectionChange",
            response: "Connection"),
        Route(
            "DELETE", "/v1/connections/{id}", .admin, .removeConnection,
            "Remove a connection and its secrets; 200 instead of 204 where its provider may still hold the grant",
            response: "ConnectionRemoved"),
        Route("POST", "/v1/connections/{id}/check", .operate, .checkConnection, "Try the credential", response: "CheckResult"),
        Route(
            "POST", "/v1/connections/{id}/pause", .operate, .pauseConnection, "Stop dispatch and syncs; webhooks are still kept",
            response: "Connection"),
        Route(
            "POST", "/v1/connections/{id}/connect", .admin, .connectConnection, "Begin a person's consent: answers the URL to open",
            request: "ConnectRequest", response: "Consent"),
        Route(
            "POST", "/v1/connections/{id}/connect/complete", .admin, .completeConnection,
            "End a consent with a pasted code or redirect URL", request: "ConsentAnswer", response: "Connection"),
        Route(
            "POST", "/v1/connections/{id}/disconnect", .admin, .disconnectConnection,
            "Cut off from the provider: tokens are revoked and secrets forgotten", response: "Connection"),
        Route(
            "DELETE", "/v1/connections/{id}/cache", .operate, .clearCache, "Forget kept answers of the provider", response: "CacheCleared",
            query: [(name: "prefix", help: "only those whose path and query begin with it")]),
        Route("POST", "/v1/connections/{id}/resume", .operate, .resumeConnection, "Go on, and clear an error", response: "Connection"),
        Route(
            "POST", "/v1/connections/{id}/reset-circuit", .operate, .resetCircuit, "Send requests again at once after failures",
            response: "Connection"),
        Route(
            "POST", "/v1/connections/{id}/streams/{stream}/sync", .operate, .syncStream, "Run a sync now", request: "SyncRequest",
            response: "Run"),
        Route(
            "POST", "/v1/connections/{id}/actions/{action}", .admin, .performAction, "Perform an action of the plugin", request: "object",
            response: "ActionResult"),
        Route(
            "GET", "/v1/runs", .operate, .listRuns, "Sync runs, newest first", response: "RunList",
            query: [(name: "connection", help: "id or name"), (name: "stream", help: "stream name"), (name: "status", help: "run status")]
                + paging),
        Route("GET", "/v1/runs/{id}", .operate, .showRun, "One run", response: "Run"),
        Route("POST", "/v1/runs/{id}/cancel", .operate, .cancelRun, "Stop a run", response: "Run"),
        Route(
            "GET", "/v1/events", .operate, .listEvents, "Webhook deliveries, newest first", response: "EventList",
            query: [
                (name: "connection", help: "id or name"), (name: "provider", help: "provider"),
                (name: "state", help: "comma-separated states"),
                (name: "kind", help: "event kind"), (name: "since", help: "received at or after"), (name: "until", help: "received before"),
            ] + paging),
        Route("GET", "/v1/events/{id}", .operate, .showEvent, "One delivery with headers and body", response: "Event"),
        Route("POST", "/v1/events/{id}/replay", .operate, .replayEvent, "Process a settled delivery again", response: "Replay"),
        Route("POST", "/v1/events/{id}/cancel", .operate, .cancelEvent, "Give a delivery up that waits for an attempt", response: "Event"),
        Route(
            "POST", "/v1/events/replay", .operate, .replayEvents, "Process settled deliveries again, by filter", request: "ReplayFilter",
            response: "Replay"),
        Route(
            "GET", "/v1/records/{entity}", .operate, .listRecords,
            "Records; any field filters: ?status=completed&started_at[gte]=2026-01-01",
            response: "RecordList",
            query: [
                (name: "sort", help: "field, with - for descending; default -created_at"), (name: "deleted", help: "true: tombstones too"),
            ] + paging),
        Route("GET", "/v1/records/{entity}/{id}", .operate, .showRecord, "One record", response: "Record"),
        Route(
            "GET", "/v1/dead-letters", .operate, .listDeadLetters, "Events that wait for a person", response: "EventList",
            query: [
                (name: "connection", help: "id or name"), (name: "provider", help: "provider"), (name: "kind", help: "event kind"),
                (name: "since", help: "received at or after"), (name: "until", help: "received before"),
            ] + paging),
        Route(
            "POST", "/v1/dead-letters/redrive", .operate, .redriveDeadLetters, "Process dead letters again", request: "ReplayFilter",
            response: "Replay"),
        Route(
            "GET", "/v1/feed", .operate, .feed,
            "Server-sent events after commit; Last-Event-ID resumes, an event feed.gap tells what can't be told any more",
            response: "stream",
            query: [
                (name: "connection", help: "id or name"),
                (name: "topic", help: "comma-separated, such as record.created,run.finished; a feed.gap comes in any case"),
            ]),
        Route(
            "GET", "/v1/requests", .operate, .listRequests, "Requests to providers, newest first, without headers and bodies",
            response: "RequestList",
            query: [
                (name: "connection", help: "id or name"), (name: "provider", help: "provider"), (name: "status", help: "HTTP status"),
                (name: "failed", help: "true: only without answer or with 400 and above"), (name: "since", help: "ended at or after"),
                (name: "until", help: "ended before"),
            ] + paging),
        Route(
            "GET", "/v1/audit", .admin, .listAudit, "Who did what, newest first", response: "AuditList",
            query: [
                (name: "kind", help: "entry kind; ending in '.': all that begin so"), (name: "actor", help: "who: uid:1000, scheduler"),
                (name: "connection", help: "id or name"), (name: "since", help: "at or after"), (name: "until", help: "before"),
            ] + paging),
        Route("PUT", "/v1/log/level", .admin, .setLogLevel, "Change the log level", request: "LogLevel", response: "LogLevel"),
        Route(
            "POST", "/v1/vault/rotate", .admin, .rotateVault, "Change the key that secrets are sealed with, while the daemon runs",
            request: "RotateVault", response: "VaultRotation"),
        Route("POST", "/v1/backup", .admin, .backup, "Write a consistent copy of the database", request: "Backup", response: "Backup"),
    ]

    /// Reads a request's query strictly: no broken escape, no field this route does not know, none twice. Records are filtered by
    /// any field, and by one field more than once (`[gte]`, `[lt]`).
    public func query(from text: some StringProtocol) throws(BerthError) -> ListQuery {
        var fields: [(name: String, value: String)] = []
        for field in text.split(separator: "&") {
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentDecoding.decode(parts[0], plusIsBlank: true),
                let value = parts.count > 1 ? PercentDecoding.decode(parts[1], plusIsBlank: true) : ""
            else {
                throw BerthError(
                    .invalid, "the query's '\(field.prefix(64))' has a broken percent escape or is not UTF-8",
                    hint: "a percent sign itself is written %25")
            }
            let known = query.map(\.name)
            if operation != .listRecords, !known.contains(name) {
                let nearest = NearestName.of(name, among: known).map { "; did you mean '\($0)'?" } ?? ""
                throw BerthError(
                    .invalid, "\(method) \(path) knows no query field '\(name.prefix(64))'\(nearest)",
                    hint: known.isEmpty ? "it takes none" : "known: \(known.joined(separator: ", "))")
            }
            if operation != .listRecords || known.contains(name), fields.contains(where: { $0.name == name }) {
                throw BerthError(.invalid, "the query field '\(name)' stands there twice", hint: "give it once")
            }
            fields.append((name, value))
        }
        return ListQuery(fields)
    }

    /// The route of a request and its path parameters, percent-decoded; nil when no path matches. `methods` then tells
    /// whether only the method was wrong.
    public static func match(_ method: String, _ path: String) -> (route: Route?, parameters: [String: String], methods: [String]) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        var methods: [String] = []
        for route in all {
            let pattern = route.path.split(separator: "/", omittingEmptySubsequences: false)
            guard pattern.count == parts.count else { continue }
            var parameters: [String: String] = [:]
            let fits = zip(pattern, parts).allSatisfy { expected, given in
                guard expected.hasPrefix("{") else { return expected == given }
                guard let decoded = PercentDecoding.decode(given), !decoded.isEmpty else { return false }
                parameters[String(expected.dropFirst().dropLast())] = decoded
                return true
            }
            guard fits else { continue }
            if route.method == method { return (route, parameters, []) }
            methods.append(route.method)
        }
        return (nil, [:], methods)
    }
}

/// Percent-decoding of paths and queries.
public enum PercentDecoding {
    /// Fields of a query string in order; those with broken escapes are left out. For strangers' queries: routes use
    /// ``Route/query``, which refuses.
    public static func fields(_ query: some StringProtocol) -> [(name: String, value: String)] {
        query.split(separator: "&").compactMap { field in
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decode(parts[0], plusIsBlank: true), let value = parts.count > 1 ? decode(parts[1], plusIsBlank: true) : ""
            else { return nil }
            return (name, value)
        }
    }

    /// The text; nil for broken escapes or invalid UTF-8. In queries `+` is a blank.
    public static func decode(_ text: some StringProtocol, plusIsBlank: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var iterator = text.utf8.makeIterator()
        func hex(_ byte: UInt8?) -> UInt8? {
            switch byte {
            case let digit? where (48...57).contains(digit): digit - 48
            case let letter? where (97...102).contains(letter | 0x20): (letter | 0x20) - 87
            default: nil
            }
        }
        while let byte = iterator.next() {
            if byte == UInt8(ascii: "%") {
                guard let high = hex(iterator.next()), let low = hex(iterator.next()) else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(plusIsBlank && byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
