// Schemas against the types they describe: every member that a type encodes is named, what is required is always there, and a
// request's known members are its schema's.

import BerthControlAPI
import BerthModel
import Foundation
import Testing

@Suite struct SchemaTests {
    private static let time = Timestamp("2026-01-02T03:04:05.678Z") ?? Timestamp(milliseconds: 0)
    private static let failure = AttemptFailure(.throttled, "slow down", remoteStatus: 429, remoteCode: "x", retryAfterMilliseconds: 5)

    /// Answers with every optional member set and with none.
    private static let samples: [(name: String, full: any Encodable & Sendable, least: any Encodable & Sendable)] = {
        let problem = Problem(BerthError(.invalid, "a", hint: "b", isRetryable: true), status: 400, title: "Bad Request")
        let status = Status(
            version: "1", health: "ok", listen: "a", started_at: time, pid: 1, plugins: ["ready": 1], connections: [:], events: [:],
            open_runs: 0,
            records: ["call": 1], circuits: ["ringba/main": "open"])
        func plugin(_ problem: Problem?) -> PluginView {
            PluginView(
                id: "a", name: "a", version: "1", publisher: "p", state: "ready", problem: problem, isolation: "worker", generation: 1,
                digest: "d",
                signed_by: problem.map { _ in "acme" }, path: "/p", restarts: 0, workers: [1], settings: [:], credentials: [], streams: [],
                actions: [],
                webhook: problem == nil ? .null : .object([:]))
        }
        func connection(_ isFull: Bool) -> ConnectionView {
            var view = ConnectionView(
                id: "a", provider: "p", workspace: "w", name: "n", status: "active", base_url: isFull ? "u" : nil,
                credentials: .object([:]),
                settings: [:],
                webhook: isFull
                    ? .init(
                        url: "u", scheme: "s", header: "h", algorithm: "a", encoding: "e", prefix: "p", allow_ips: [], token: "t",
                        secret: "s",
                        secret_set_at: time) : nil,
                streams: [:], failures: 0, last_error: isFull ? "e" : nil, last_sync_at: isFull ? time : nil, created_at: time,
                updated_at: time)
            guard isFull else { return view }
            view.circuit = .init(state: "open", failures: 5, retry_after_seconds: 1, last_failure: "f")
            view.limits = [.init(requests: 5, window_seconds: 60, request_class: "c", scope: "provider", used: 5, retry_after_seconds: 1)]
            view.pauses = ["": 1]
            view.egress = .init(
                set_in: "s", allowed_hosts: ["h"], denied_hosts: [], private_networks: [], proxy: "p", proxy_has_credentials: true,
                ca_file: "/c")
            view.credentials_set_at = time
            view.credentials_age_days = 1
            return view
        }
        func request(_ isFull: Bool) -> RequestView {
            RequestView(
                at: time, connection: "c", provider: "p", method: "GET", host: "h", path: "/", request_class: isFull ? "k" : nil,
                status: isFull ? 200 : nil, failure: isFull ? "f" : nil, reason: isFull ? "r" : nil,
                duration_seconds: 1, waited_seconds: 0, bytes: 1, tries: 1)
        }
        return [
            ("Problem", problem, Problem(BerthError(.invalid, "a"))), ("Status", status, status),
            ("Health", Health(parts: [.init(name: "a", status: "ok", detail: "d", hint: "h")]), Health(parts: [])),
            ("Plugin", plugin(problem), plugin(nil)),
            ("PluginList", List(items: [plugin(problem)], next: "x"), List<PluginView>(items: [])),
            ("Connection", connection(true), connection(false)),
            (
                "VaultRotation", VaultRotation(key: "k", older_keys: ["o"], rewrapped: 1, current: 1),
                VaultRotation(key: "k", older_keys: [], rewrapped: 0, current: 0)
            ),
            (
                "Consent", Consent(url: "u", redirect_uri: "r", expires_at: time), Consent(url: "u", redirect_uri: "r", expires_at: time)
            ),
            (
                "CheckResult", CheckResult(ok: false, account: .object([:]), failure: failure),
                CheckResult(ok: true, account: .null, failure: nil)
            ),
            ("ActionResult", ActionResult(output: .array([]), records: 1), ActionResult(output: .null, records: 0)),
            ("Request", request(true), request(false)), ("CacheCleared", CacheCleared(removed: 1), CacheCleared(removed: 0)),
            (
                "Replay", Replay(dry_run: true, events: [EventID(time: Timestamp(milliseconds: 1), random: (1, 1))]),
                Replay(dry_run: false, events: [])
            ),
            (
                "Audit", AuditView(at: time, kind: "k", actor: "a", connection: "c", detail: "d", address: "1"),
                AuditView(at: time, kind: "k", actor: "a", connection: nil, detail: "", address: nil)
            ),
            ("LogLevel", LogLevel(level: "info"), LogLevel(level: "info")), ("Backup", Backup(path: "/a"), Backup(path: "/a")),
        ]
    }()

    private func value(_ encodable: any Encodable) throws -> JSONValue {
        try #require(JSONValue(text: Array(JSONEncoder().encode(encodable))))
    }

    /// What differs, as texts.
    private func differences(_ value: JSONValue, _ schema: JSONValue, _ path: String, isFull: Bool) -> [String] {
        if let name = schema["$ref"]?.stringValue?.split(separator: "/").last, let target = SchemaCatalog.schemas[String(name)] {
            return differences(value, target, path, isFull: isFull)
        }
        if case .array(let items) = value, let schema = schema["items"] {
            return items.flatMap { differences($0, schema, path + "[]", isFull: isFull) }
        }
        guard case .object(let members) = value, case .object(let properties)? = schema["properties"] else { return [] }
        var found = members.keys.filter { properties[$0] == nil }.map { "\(path).\($0) is not in the schema" }
        if case .array(let required)? = schema["required"] {
            found += required.compactMap(\.stringValue).filter { members[$0] == nil }.map { "\(path).\($0) is required and missing" }
        }
        if isFull { found += properties.keys.filter { members[$0] == nil }.map { "\(path).\($0) is never encoded" } }
        for (name, member) in members {
            if let schema = properties[name] { found += differences(member, schema, "\(path).\(name)", isFull: isFull && path.isEmpty) }
        }
        return found
    }

    @Test func answersAreWhatTheirSchemasSay() throws {
        // Would break: a new member that clients generated from the document do not know.
        for sample in Self.samples {
            let schema = try #require(SchemaCatalog.schemas[sample.name], "\(sample.name)")
            #expect(try differences(value(sample.full), schema, "", isFull: true) == [], "\(sample.name)")
            #expect(try differences(value(sample.least), schema, "", isFull: false) == [], "\(sample.name)")
        }
    }

    @Test func requestsKnowWhatTheirSchemasName() throws {
        // Would break: a member that the document offers and the daemon refuses.
        let requests: [(String, any RequestBody.Type)] = [
            ("NewConnection", NewConnection.self), ("ConnectionChange", ConnectionChange.self), ("SyncRequest", SyncRequest.self),
            ("ReplayFilter", ReplayFilter.self), ("InstallPlugin", InstallPlugin.self),
            ("ConnectRequest", ConnectRequest.self), ("RotateVault", RotateVault.self), ("ConsentAnswer", ConsentAnswer.self),
            ("LogLevel", LogLevel.self), ("Backup", Backup.self),
        ]
        for (name, type) in requests {
            guard case .object(let properties)? = SchemaCatalog.schemas[name]?["properties"] else {
                Issue.record("\(name) has no schema")
                continue
            }
            #expect(Set(properties.keys) == Set(type.members.filter { !$0.contains(".") }), "\(name)")
        }
        let named = Set(Route.all.compactMap(\.request)).subtracting(["object"])
        #expect(named == Set(requests.map(\.0)))
    }

    @Test func everyNamedSchemaIsThere() {
        // Would break: a reference into nothing.
        let special: Set = ["empty", "text", "stream", "object"]
        for route in Route.all {
            for name in [route.request, route.response].compactMap(\.self) where !special.contains(name) {
                #expect(SchemaCatalog.schemas[name] != nil, "\(route.path): \(name)")
            }
        }
    }
}
