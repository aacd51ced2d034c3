// Values and keys found in deliveries.

import BerthModel
import Testing

@testable import BerthEngine

@Suite struct DeliveryKeysTests {
    private static let body =
        #"{"call":{"id":12345678901234567890,"uuid":"a\u0041\n","ok":true,"tags":["x","y"],"none":null,"empty":"","a/b":1.50},"id":"first","id":"second"}"#

    // Without exact values two events would share a key, or one would get two.
    @Test(arguments: [
        ("json:/call/id", "12345678901234567890"), ("json:/call/uuid", "aA\n"), ("json:/call/ok", "true"), ("json:/call/tags/1", "y"),
        ("json:/call/a~1b", "1.50"), ("json:/id", "first"), ("json:/call/none", nil), ("json:/call/empty", nil), ("json:/call", nil),
        ("json:/call/tags", nil), ("json:/nothing", nil), ("json:/call/tags/9", nil), ("query:a", "1 2"), ("query:b", "x y&z"),
        ("query:dup", "one"), ("query:flag", nil), ("query:bad", nil), ("query:pct", "100%"), ("query:na me", "v"), ("query:none", nil),
        ("header:x-kind", "first"), ("header:none", nil), ("constant:c", "c"), ("form:a", nil),
        ("json:/nothing|query:none|constant:d", "d"),
        ("query:none|json:/id", "first"), ("query:é", "ü"), ("query:late", "2"),
    ]) func finds(selector: String, expected: String?) throws {
        let request = delivery(
            query: "a=1+2&b=x%20y%26z&dup=one&dup=two&flag&bad=%FF&pct=100%&na+me=v&%C3%A9=%c3%bc&&=x&late=2",
            headers: [
                (name: "content-type", value: "application/json"), (name: "x-kind", value: "first"), (name: "x-kind", value: "second"),
            ],
            body: Self.body)
        var selectors = DeliverySelectors(request)
        #expect(selectors.value(try #require(ValueSelector.alternatives(selector))) == expected)
    }

    // Without this a form's fields would be missed, or a JSON text be read as a form.
    @Test func forms() throws {
        func value(_ type: String?, _ body: String) -> String? {
            var selectors = DeliverySelectors(
                delivery(headers: type.map { [(name: "content-type", value: $0)] } ?? [], body: body))
            return selectors.value([.form("CallSid")])
        }
        #expect(value("application/x-www-form-urlencoded; charset=utf-8", "a=b&CallSid=CA%31+x") == "CA1 x")
        #expect(value("Application/X-WWW-Form-Urlencoded", "CallSid=1") == "1")
        #expect(value(nil, "CallSid=1") == "1")
        #expect(value("application/json", "CallSid=1") == nil)
        #expect(value(nil, #"{"CallSid":1}"#) == nil)
        #expect(value(nil, "") == nil)
    }

    // Without this a broken body would be an error, and the delivery lost.
    @Test(arguments: [
        "", "{", "<xml/>", "[1,2", "{\"id\":1,}", "\u{FEFF}{\"id\":1}", "nul", "{\"id\":01}", String(repeating: "[", count: 100_000),
    ]) func brokenBodiesGiveNoValue(body: String) throws {
        let spec = WebhookSpec(
            methods: ["POST"], schemes: [.token], defaultScheme: .token, eventKind: [.json("/event"), .constant("unknown")],
            dedupKey: [[.json("/id")]], orderingKey: [[.json("/id")]])
        let keys = DeliveryKeys(of: delivery(body: body), by: spec)
        #expect(keys.kind == "unknown" && keys.ordering == nil)
        #expect(keys.dedup.hasPrefix("sha256:") && keys.dedup.utf8.count == 71)
    }

    // Without separation by length or separator, ("ab","c") and ("a","bc") would be one event.
    @Test func differentPartsGiveDifferentKeys() {
        let alphabet = ["a", "b", "\u{1F}", "1", ":", "ab", "a\u{1F}", "\u{1F}b", "1:a", "sha256:", "3:x"]
        var seen: [String: [String]] = [:]
        for first in alphabet {
            for second in alphabet {
                for third in alphabet {
                    for parts in [[first], [first, second], [first, second, third], [first + second, third]] {
                        let key = DeliveryKeys.join(parts)
                        if let other = seen[key] { #expect(other == parts) }
                        seen[key] = parts
                    }
                }
            }
        }
        let long = DeliveryKeys.join([String(repeating: "x", count: 100_000)])
        #expect(long.utf8.count < 100)
        #expect(long != DeliveryKeys.join([String(repeating: "x", count: 100_001)]))
        #expect(DeliveryKeys.join([long]) != long)
    }

    // Without the fallback a delivery without its declared key would be taken for another without one.
    @Test func missingPartsFallBackToAHash() {
        let spec = WebhookSpec(
            methods: ["POST"], schemes: [.token], defaultScheme: .token, dedupKey: [[.query("id")], [.query("event")]],
            orderingKey: [[.query("id")]])
        func keys(_ query: String, method: String = "GET", body: String = "") -> DeliveryKeys {
            DeliveryKeys(of: delivery(method: method, query: query, body: body), by: spec)
        }
        #expect(keys("id=1&event=start").dedup == "1\u{1F}start")
        #expect(keys("id=1&event=start").ordering == "1")
        #expect(keys("id=1").dedup != keys("id=2").dedup)
        #expect(keys("id=1").dedup == keys("id=1").dedup)
        #expect(keys("id=1").dedup != keys("id=1", method: "POST").dedup)
        #expect(keys("id=1").dedup != keys("id=1", body: "x").dedup)
        #expect(keys("x", body: "y").dedup != keys("xy").dedup)
        #expect(keys("id=&event=start").dedup.hasPrefix("sha256:"))
    }
}
