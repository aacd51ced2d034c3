// Schemas of the control API's bodies. A test encodes every type and compares its members with its schema.

public import BerthModel

/// JSON Schemas by name.
public enum SchemaCatalog {
    private static func object(_ members: [String: JSONValue], required: [String] = []) -> JSONValue {
        var schema: [String: JSONValue] = ["type": "object", "properties": .object(members)]
        if !required.isEmpty { schema["required"] = .array(required.map { .string($0) }) }
        return .object(schema)
    }
    private static func of(_ type: String) -> JSONValue { .object(["type": .string(type)]) }
    private static func list(_ items: JSONValue) -> JSONValue { .object(["type": "array", "items": items]) }
    private static func reference(_ name: String) -> JSONValue { .object(["$ref": .string("#/components/schemas/\(name)")]) }
    private static func page(_ name: String) -> JSONValue {
        object(["items": list(reference(name)), "next": .object(["type": .array(["string", "null"])])], required: ["items", "next"])
    }
    private static let string = of("string")
    private static let integer = of("integer")
    private static let boolean = of("boolean")
    private static let time: JSONValue = .object(["type": "string", "format": "date-time"])
    private static let timeOrDate = described(string, "An RFC 3339 time, or a date: its first moment in UTC.")
    private static let map = of("object")
    private static let mapOrNull: JSONValue = .object(["type": .array(["object", "null"])])
    /// Why an attempt failed.
    private static let failure = object(
        ["status": string, "message": string, "remote_status": integer, "remote_code": string, "retry_after_ms": integer],
        required: ["status", "message"])
    private static func one(of values: [String]) -> JSONValue { .object(["type": "string", "enum": .array(values.map { .string($0) })]) }
    private static let health = one(of: ["ok", "degraded", "failing"])
    private static func described(_ schema: JSONValue, _ text: String) -> JSONValue {
        .object((schema.objectValue ?? [:]).merging(["description": .string(text)]) { $1 })
    }
    private static func amounts() -> JSONValue { .object(["type": "object", "additionalProperties": integer]) }
    private static let counts = object(
        [
            "processed": integer, "created": integer, "updated": integer, "unchanged": integer, "deleted": integer, "failed": integer,
        ], required: ["processed", "created", "updated", "unchanged", "deleted", "failed"])

    private static let webhook = object([
        "scheme": string, "secret": string, "allow_ips": list(string), "header": string, "algorithm": string, "encoding": string,
        "prefix": string, "tolerance_seconds": integer,
    ])
    private static let newConnection: [String: JSONValue] = [
        "provider": string, "workspace": string, "name": string, "base_url": string, "credentials": map, "settings": map,
        "webhook": webhook, "streams": map,
    ]

    /// All schemas.
    public static let schemas: [String: JSONValue] = [
        "Problem": object(
            ["type": string, "title": string, "status": integer, "detail": string, "code": string, "hint": string, "retryable": boolean],
            required: ["detail", "code"]),
        "Status": object(
            [
                "version": string, "health": health, "listen": string, "started_at": time, "pid": integer, "plugins": amounts(),
                "connections": amounts(), "events": amounts(), "open_runs": integer, "records": amounts(),
                "circuits": .object(["type": "object", "additionalProperties": one(of: ["open", "half_open"])]),
            ],
            required: [
                "version", "health", "listen", "started_at", "pid", "plugins", "connections", "events", "open_runs", "records", "circuits",
            ]),
        "Health": object(
            [
                "status": health,
                "parts": list(
                    object(["name": string, "status": health, "detail": string, "hint": string], required: ["name", "status", "detail"])),
            ], required: ["status", "parts"]),
        "Plugin": object(
            [
                "id": string, "name": string, "version": string, "publisher": string, "state": string, "problem": reference("Problem"),
                "isolation": string, "generation": integer, "digest": string, "signed_by": string, "path": string, "restarts": integer,
                "workers": list(integer),
                "settings": map, "credentials": list(map), "streams": list(map), "actions": list(map), "webhook": mapOrNull,
            ],
            required: [
                "id", "name", "version", "publisher", "state", "isolation", "generation", "digest", "path", "restarts", "workers",
                "settings",
                "credentials", "streams", "actions", "webhook",
            ]),
        "PluginList": page("Plugin"),
        "InstallPlugin": object(["path": string], required: ["path"]),
        "NewConnection": object(newConnection, required: ["provider"]),
        "ConnectionChange": object(newConnection.filter { $0.key != "provider" && $0.key != "workspace" }),
        "Connection": object(
            [
                "id": string, "provider": string, "workspace": string, "name": string, "status": string, "base_url": string,
                "credentials": map, "settings": map,
                "webhook": object(
                    [
                        "url": string, "scheme": string, "header": string, "algorithm": string, "encoding": string, "prefix": string,
                        "allow_ips": list(string), "token": string, "secret": string, "secret_set_at": time,
                    ], required: ["url", "scheme", "allow_ips"]), "streams": map, "failures": integer, "last_error": string,
                "last_sync_at": time,
                "created_at": time, "updated_at": time,
                "circuit": object(
                    [
                        "state": one(of: ["closed", "open", "half_open"]), "failures": integer, "retry_after_seconds": of("number"),
                        "last_failure": string,
                    ], required: ["state", "failures"]),
                "limits": list(
                    object(
                        [
                            "requests": integer, "window_seconds": integer, "request_class": string,
                            "scope": one(of: ["connection", "provider"]),
                            "used": integer, "retry_after_seconds": of("number"),
                        ], required: ["requests", "window_seconds", "scope", "used"])),
                "pauses": .object(["type": "object", "additionalProperties": of("number")]),
                "egress": object(
                    [
                        "set_in": string, "allowed_hosts": list(string), "denied_hosts": list(string), "private_networks": list(string),
                        "proxy": string, "proxy_has_credentials": boolean, "ca_file": string,
                    ], required: ["set_in", "denied_hosts", "private_networks", "proxy_has_credentials"]),
                "credentials_set_at": time, "credentials_age_days": integer, "rotation_due": boolean,
            ],
            required: [
                "id", "provider", "workspace", "name", "status", "credentials", "settings", "streams", "failures", "created_at",
                "updated_at",
                "rotation_due",
            ]),
        "ConnectionList": page("Connection"),
        "RotateVault": object(["new_key": boolean]),
        "VaultRotation": object(
            ["key": string, "older_keys": list(string), "rewrapped": integer, "current": integer],
            required: ["key", "older_keys", "rewrapped", "current"]),
        "ConnectRequest": object(["redirect_uri": string]),
        "Consent": object(["url": string, "redirect_uri": string, "expires_at": time], required: ["url", "redirect_uri", "expires_at"]),
        "ConsentAnswer": object(["url": string, "code": string, "state": string]),
        "ConnectionRemoved": object(["problem": string], required: ["problem"]),
        "CacheCleared": object(["removed": integer], required: ["removed"]),
        "CheckResult": object(["ok": boolean, "account": mapOrNull, "failure": failure], required: ["ok", "account"]),
        "ActionResult": object(["output": .object([:]), "records": integer], required: ["output", "records"]),
        "SyncRequest": object(["mode": string, "since": timeOrDate, "until": timeOrDate]),
        "Run": object(
            [
                "id": string, "connection": string, "provider": string, "stream": string, "mode": string, "trigger": string,
                "status": string,
                "direction": string, "since": time, "until": time, "created_at": time, "started_at": time, "finished_at": time,
                "duration_seconds": of("number"),
                "counts": counts, "pages": integer, "attempts": integer, "error": failure, "waits_for": string,
            ],
            required: [
                "id", "connection", "provider", "stream", "mode", "trigger", "status", "direction", "until", "created_at", "counts",
                "pages",
                "attempts",
            ]),
        "RunList": page("Run"),
        "Event": object(
            [
                "id": string, "connection": string, "provider": string, "kind": string, "state": string, "unsupported": boolean,
                "attempt": integer, "dedup_key": string, "ordering_key": string, "received_at": time, "due_at": time, "settled_at": time,
                "failure": failure, "method": string, "query": string, "unproven": list(string),
                "headers": list(list(string)), "body": string, "body_base64": string,
            ],
            required: [
                "id", "connection", "provider", "kind", "state", "unsupported", "attempt", "dedup_key", "received_at", "method", "query",
            ]),
        "EventList": page("Event"),
        "ReplayFilter": object([
            "ids": list(string), "connection": string, "provider": string, "kind": string, "states": list(string),
            "since": timeOrDate, "until": timeOrDate, "limit": integer, "dry_run": boolean,
        ]),
        "Replay": object(
            [
                "dry_run": boolean, "count": integer, "truncated": described(boolean, "Whether there are more events than are listed."),
                "events": described(list(string), "The first 1,000."),
            ], required: ["dry_run", "count", "events", "truncated"]),
        "Record": object(
            [
                "id": string, "workspace": string, "provider": string, "connection": string, "external_id": string, "created_at": time,
                "updated_at": time, "deleted_at": .object(["type": .array(["string", "null"])]), "raw": .object([:]),
            ], required: ["id", "workspace", "provider", "connection", "external_id", "created_at", "updated_at", "deleted_at", "raw"]),
        "RecordList": page("Record"),
        "Audit": object(
            ["at": time, "kind": string, "actor": string, "connection": string, "detail": string, "address": string],
            required: ["at", "kind", "actor", "detail"]),
        "AuditList": page("Audit"),
        "Request": object(
            [
                "at": time, "connection": string, "provider": string, "method": string, "host": string, "path": string,
                "request_class": string, "reason": string,
                "status": integer, "failure": string, "duration_seconds": of("number"), "waited_seconds": of("number"), "bytes": integer,
                "tries": integer,
            ], required: ["at", "connection", "provider", "method", "host", "path", "duration_seconds", "waited_seconds", "bytes", "tries"]),
        "RequestList": page("Request"),
        "LogLevel": object(["level": string], required: ["level"]),
        "Backup": object(["path": string], required: ["path"]),
    ]
}
