// What comes from providers and their webhooks, and what plugins ask to be sent.

import BerthModel
import BerthSeams
import CCurl

@testable import BerthEngine
@testable import BerthOutbound

/// Another one in every process: libFuzzer learns what its input is compared with.
private let key = VerificationKey(Secret(copying: (0..<32).map { _ in UInt8.random(in: 33...126) }))!
private let noon = Timestamp(milliseconds: 1_780_000_000_000)

/// F7: URLs that a plugin asks for. What is let through leads to the connection's host or an allowed one, by http or https.
@Sendable func url(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var http = PluginManifest.HTTP()
    http.baseURL = "https://api.acme.example"
    http.allowedHosts = ["files.acme.example"]
    let target = OutboundTarget(
        connection: ConnectionID("con_01m7yp7wfkfvnv200vwns4wyqy")!, provider: ProviderName("acme")!,
        baseURL: "https://api.acme.example/v1", http: http,
        credential: nil)
    guard case .success(let egress) = EgressGuard.make(for: target, policy: EgressPolicy()) else {
        preconditionFailure("the good base URL is refused")
    }
    if case .success(let found) = egress.resolve(text(data, count)) {
        precondition(found.origin.scheme == "https", "another scheme: \(found.origin)")
        precondition(["api.acme.example", "files.acme.example"].contains(found.origin.host), "another host: \(found.origin)")
        precondition(found.origin.port == 443, "another port: \(found.origin)")
        precondition(found.url.part(CURLUPART_USER) == nil && found.url.part(CURLUPART_PASSWORD) == nil, "user or password let through")
    }
    // And as the base URL that an operator gives.
    _ = EgressGuard.make(
        for: OutboundTarget(
            connection: target.connection, provider: target.provider, baseURL: text(data, count), http: http, credential: nil),
        policy: EgressPolicy())
    return 0
}

/// F3: signature headers and bodies of anybody. Without the key nothing is authentic.
@Sendable func signature(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = bytes(data, count)
    guard let first = input.first else { return 0 }
    let parts = text(data, count).dropFirst().split(separator: "\n", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
    let kinds: [SignatureScheme.Kind] = [.hmac, .standardWebhooks, .token, .basic]
    let kind = kinds[Int(first) % kinds.count]
    var hmac = SignatureScheme.HMAC()
    hmac.encoding = first & 16 == 0 ? .hex : .base64
    hmac.algorithm = [.sha256, .sha1, .sha512][Int(first >> 5) % 3]
    if first & 8 != 0 { hmac.timestampHeader = "x-timestamp" }
    let spec = WebhookSpec(
        methods: ["POST"], schemes: kinds, defaultScheme: kind, hmac: hmac, tokenPlaces: [.query("token"), .header("authorization")])
    let value = parts.first ?? ""
    let headers = [
        ("x-signature", value), ("webhook-signature", value), ("authorization", value), ("webhook-id", parts.count > 1 ? parts[1] : ""),
        ("webhook-timestamp", parts.count > 2 ? parts[2] : "1780000000"), ("x-timestamp", parts.count > 2 ? parts[2] : "1780000000"),
    ].map { (name: $0.0, value: $0.1) }
    let delivery = RawDelivery(
        provider: "acme", connection: "main", pathToken: parts.count > 1 ? parts[1] : nil, method: "POST", path: "/webhooks/acme/main",
        query: parts.count > 2 ? parts[2] : "", headers: headers, body: Array((parts.count > 3 ? parts[3] : "").utf8),
        remoteAddress: "192.0.2.1",
        receivedAt: noon)
    if case .verified = SignatureVerifier().verify(delivery, spec: spec, rules: ConnectionWebhook(scheme: kind), keys: [key], now: noon) {
        preconditionFailure("authentic without the key")
    }
    return 0
}

/// F4: where kind, dedup id and order stand in a delivery. Every delivery has a dedup key that is not empty and not endless.
@Sendable func selectors(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = text(data, count).split(separator: "\n", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    let spec = WebhookSpec(
        methods: ["POST"], schemes: [.token], defaultScheme: .token, eventKind: [.json("/event"), .query("event"), .form("event")],
        dedupKey: [[.json("/data/0/id"), .header("x-id")], [.form("id")]], orderingKey: [[.query("order")]])
    let delivery = RawDelivery(
        provider: "acme", connection: nil, pathToken: nil, method: "POST", path: "/", query: input.first ?? "",
        headers: [(name: "content-type", value: input.count > 1 ? input[1] : "")], body: Array((input.count > 2 ? input[2] : "").utf8),
        remoteAddress: "192.0.2.1", receivedAt: noon)
    let keys = DeliveryKeys(of: delivery, by: spec)
    precondition(!keys.dedup.isEmpty && keys.dedup.utf8.count <= 512, "a dedup key of \(keys.dedup.utf8.count) bytes")
    return 0
}

/// F8: answers that ask to wait. Never a negative wait, never more than a day.
@Sendable func throttle(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = text(data, count).split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let specs = [
        ThrottleSpec(bodyPointer: "/isRateLimited", equals: .bool(true), wait: .init(bodyPointer: "/wait")),
        ThrottleSpec(status: 503, header: "x-wait", wait: .init(header: "x-wait", boundarySeconds: 60)),
    ]
    let headers = [(name: "x-wait", value: input.first ?? ""), (name: "retry-after", value: input.first ?? "")]
    let body = Array((input.count > 1 ? input[1] : "").utf8)
    for status in [200, 503] {
        if let wait = ThrottleNotice.milliseconds(specs, status: status, headers: headers, body: body, now: noon) {
            precondition((0...86_400_000).contains(wait), "a wait of \(wait) ms")
        }
    }
    return 0
}

/// Limits and freshness that headers tell: dates of any year, numbers of any size. One header a line. Never a negative wait, never
/// more than a day.
@Sendable func headers(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let names = ["retry-after", "date", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit", "expires", "cache-control", "age"]
    let lines = text(data, count).split(separator: "\n", maxSplits: names.count - 1, omittingEmptySubsequences: false).map(String.init)
    let headers = zip(names, lines).map { (name: $0, value: $1) }
    for wait in [
        RateLimitSignals.retryAfterMilliseconds(headers, now: noon), RateLimitSignals.exhaustedMilliseconds(headers, now: noon),
        RateLimitSignals.exhaustedMilliseconds(headers, now: noon, isRefusal: true),
    ] {
        if let wait { precondition((0...86_400_000).contains(wait), "a wait of \(wait) ms") }
    }
    if let fresh = CacheDirectives.freshSeconds(headers, now: noon) { precondition(fresh >= 0, "fresh for \(fresh) s") }
    return 0
}
