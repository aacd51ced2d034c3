// Schemes: what is verified, with vectors made elsewhere, and that nothing forged is.

import BerthModel
import BerthSeams
import Crypto
import Testing

@testable import BerthEngine

@Suite struct SignatureVerifierTests {
    private static let now = moment(1_700_000_000)

    private static func key(_ text: String) throws -> VerificationKey { try #require(VerificationKey(Secret(copying: text.utf8))) }

    private static func spec(_ hmac: SignatureScheme.HMAC = .init(), places: [ValueSelector] = []) -> WebhookSpec {
        WebhookSpec(
            methods: ["POST"], schemes: SignatureScheme.Kind.allCases, defaultScheme: .hmac, hmac: hmac, tokenPlaces: places)
    }

    /// The code of the refusal; `ok` when verified.
    private static func outcome(
        _ delivery: RawDelivery, _ rules: ConnectionWebhook, _ keys: [VerificationKey], spec: WebhookSpec = spec(), now: Timestamp = now
    ) -> String {
        switch SignatureVerifier().verify(delivery, spec: spec, rules: rules, keys: keys, now: now) {
        case .verified: "ok"
        case .askPlugin: "plugin"
        case .refused(let error, _): error.code.rawValue
        }
    }

    // MARK: Standard Webhooks

    private static func standard(
        id: String = "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: String = "1614265330",
        signature: String = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", body: String = #"{"test": 2432232314}"#
    ) -> RawDelivery {
        delivery(
            headers: [
                (name: "webhook-id", value: id), (name: "webhook-timestamp", value: timestamp),
                (name: "webhook-signature", value: signature),
            ], body: body)
    }
    private static let standardRules = ConnectionWebhook(scheme: .standardWebhooks)
    private static let standardKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    private static let standardNow = moment(1_614_265_330)

    // Without these vectors the implementation would only agree with itself.
    @Test func standardWebhooksVectors() throws {
        let key = try Self.key(Self.standardKey)
        #expect(Self.outcome(Self.standard(), Self.standardRules, [key], now: Self.standardNow) == "ok")
        let bare = try Self.key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        #expect(Self.outcome(Self.standard(), Self.standardRules, [bare], now: Self.standardNow) == "ok")
        let second = Self.standard(
            id: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", timestamp: "1649367553", signature: "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            body: #"{"email":"test@example.com","username":"test_user"}"#)
        let secondKey = try Self.key("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
        #expect(Self.outcome(second, Self.standardRules, [secondKey], now: moment(1_649_367_553)) == "ok")
        #expect(Self.outcome(second, Self.standardRules, [key, secondKey], now: moment(1_649_367_553)) == "ok")
        #expect(Self.outcome(second, Self.standardRules, [key], now: moment(1_649_367_553)) == "signature_invalid")
    }

    // Without the list rules, unknown versions would break a rotation, or a thousand signatures would buy a thousand guesses.
    @Test func standardWebhooksLists() throws {
        let key = try Self.key(Self.standardKey)
        let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        func outcome(_ signature: String) -> String {
            Self.outcome(Self.standard(signature: signature), Self.standardRules, [key], now: Self.standardNow)
        }
        #expect(outcome("v1a,hnO3f9T8Ytu9HwrXslvumlUp \(good)") == "ok")
        #expect(outcome("v2,abcd v1,AAAA \(good)") == "ok")
        #expect(outcome(String(good.dropLast())) == "ok")  // unpadded
        #expect(outcome("v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=") == "signature_invalid")
        #expect(outcome("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=") == "signature_invalid")
        #expect(outcome("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=") == "signature_invalid")  // unused bits set
        #expect(outcome("v1,") == "signature_invalid")
        #expect(outcome(String(repeating: "v1,AAAA ", count: 16) + good) == "signature_invalid")
        #expect(outcome(String(repeating: good + " ", count: 1000)) == "signature_invalid")
        #expect(outcome(String(repeating: "v1,AAAA ", count: 15) + good) == "ok")
    }

    // Without these refusals a header could be bent to another meaning, or an old delivery sent again.
    @Test func standardWebhooksHeaders() throws {
        let key = try Self.key(Self.standardKey)
        func outcome(_ delivery: RawDelivery, at seconds: Int64 = 1_614_265_330, rules: ConnectionWebhook = Self.standardRules) -> String {
            Self.outcome(delivery, rules, [key], now: moment(seconds))
        }
        #expect(outcome(Self.standard(id: "msg.1")) == "message_id_invalid")
        #expect(outcome(Self.standard(timestamp: "1614265330.0")) == "timestamp_invalid")
        #expect(outcome(Self.standard(timestamp: "+1614265330")) == "timestamp_invalid")
        for age: Int64 in [-300, -1, 0, 299, 300] { #expect(outcome(Self.standard(), at: 1_614_265_330 + age) == "ok") }
        for age: Int64 in [-301, 301, 86_400, -1_000_000_000, 10_000_000_000] {
            #expect(outcome(Self.standard(), at: 1_614_265_330 + age) == "timestamp_out_of_tolerance")
        }
        let strict = ConnectionWebhook(scheme: .standardWebhooks, toleranceSeconds: 10)
        #expect(outcome(Self.standard(), at: 1_614_265_341, rules: strict) == "timestamp_out_of_tolerance")
        for (index, code) in ["message_id_invalid", "timestamp_missing", "signature_missing"].enumerated() {
            var without = Self.standard()
            without.headers.remove(at: index)
            #expect(outcome(without) == code)
            var twice = Self.standard()
            twice.headers.append(twice.headers[index])
            #expect(outcome(twice) == "header_repeated")
        }
    }

    // MARK: hmac

    private static func hmac(_ change: (inout SignatureScheme.HMAC) -> Void) -> SignatureScheme.HMAC {
        var details = SignatureScheme.HMAC()
        change(&details)
        return details
    }
    private static let hmacRules = ConnectionWebhook(scheme: .hmac)

    // Without vectors made elsewhere (RFC 4231 case 2, RFC 2202 case 2) the hash could be wrong everywhere alike.
    @Test(arguments: [
        (SignatureScheme.HMAC.Algorithm.sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (.sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (
            .sha512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        ),
    ]) func hmacVectors(algorithm: SignatureScheme.HMAC.Algorithm, signature: String) throws {
        let key = try Self.key("Jefe")
        let spec = Self.spec(Self.hmac { $0.algorithm = algorithm })
        func outcome(_ value: String, _ spec: WebhookSpec = spec, _ rules: ConnectionWebhook = Self.hmacRules) -> String {
            Self.outcome(
                delivery(headers: [(name: "x-signature", value: value)], body: "what do ya want for nothing?"), rules, [key], spec: spec)
        }
        #expect(outcome(signature) == "ok")
        #expect(outcome(signature.uppercased()) == "ok")
        #expect(outcome("\(algorithm.rawValue)=\(signature)") == "ok")
        #expect(outcome("00, \(signature)") == "ok")
        #expect(outcome(String(signature.dropLast())) == "signature_invalid")
        #expect(outcome(signature + "0") == "signature_invalid")
        #expect(outcome(signature + "00") == "signature_invalid")
        #expect(outcome(String(signature.dropLast(2))) == "signature_invalid")
        #expect(outcome("0x" + signature) == "signature_invalid")
        #expect(outcome("") == "signature_missing")
        #expect(outcome(String(repeating: "00,", count: 16) + signature) == "signature_invalid")
        // A connection's own details win over the manifest's.
        let other: SignatureScheme.HMAC.Algorithm = algorithm == .sha1 ? .sha256 : .sha1
        let wrong = Self.spec(
            Self.hmac {
                $0 = .init(); $0.algorithm = other; $0.prefix = "\(other.rawValue)="
            })
        #expect(outcome(signature, wrong) == "signature_invalid")
        #expect(outcome(signature, wrong, ConnectionWebhook(scheme: .hmac, algorithm: algorithm)) == "ok")
    }

    // Without the prefix rules a signature of one form would be taken for another, or a provider's list be refused.
    @Test func hmacForms() throws {
        let key = try Self.key("secret")
        let body = Array(#"{"id":1}"#.utf8)
        let mac = Array(HMAC<SHA256>.authenticationCode(for: body, using: SymmetricKey(data: Array("secret".utf8))))
        let hex = SignatureText.hex(mac)
        let base64 = Base64.encode(mac, urlSafe: false)
        func outcome(_ value: String, _ change: (inout SignatureScheme.HMAC) -> Void) -> String {
            Self.outcome(
                delivery(headers: [(name: "x-signature", value: value)], body: #"{"id":1}"#), Self.hmacRules, [key],
                spec: Self.spec(Self.hmac(change)))
        }
        #expect(outcome("v0=\(hex)") { $0.prefix = "v0=" } == "ok")
        #expect(outcome(hex) { $0.prefix = "v0=" } == "signature_invalid")
        #expect(outcome("t=1,v1=00,v1=\(hex),v0=11") { $0.prefix = "v1=" } == "ok")
        #expect(outcome("v0=\(hex)") { $0.prefix = nil } == "signature_invalid")
        #expect(outcome("HMAC-SHA256 \(hex)") { $0.prefix = "HMAC-SHA256 " } == "ok")
        #expect(outcome(hex) { $0.prefix = "HMAC-SHA256 " } == "signature_invalid")
        #expect(outcome(base64) { $0.encoding = .base64 } == "ok")
        #expect(outcome(base64.replacing("=", with: "")) { $0.encoding = .base64 } == "ok")
        #expect(outcome("sha256=\(base64)") { $0.encoding = .base64 } == "ok")
        #expect(outcome(base64 + "=") { $0.encoding = .base64 } == "signature_invalid")
        #expect(outcome(base64) { $0.encoding = .hex } == "signature_invalid")
        #expect(outcome(hex) { $0.encoding = .base64 } == "signature_invalid")
    }

    private static func signed(_ details: SignatureScheme.HMAC, secret: String, _ request: RawDelivery, timestamp: String?) -> RawDelivery {
        var text: [UInt8] = []
        for part in details.signed {
            switch part {
            case .body: text += request.body
            case .timestamp: text += Array((timestamp ?? "").utf8)
            case .method: text += Array(request.method.utf8)
            case .path: text += Array(request.path.utf8)
            case .query: text += Array(request.query.utf8)
            case .literal(let literal): text += Array(literal.utf8)
            }
        }
        let mac = HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: Array(secret.utf8)))
        var request = request
        request.headers.append((name: details.header, value: SignatureText.hex(mac)))
        if let timestamp, let name = details.timestampHeader { request.headers.append((name: name, value: timestamp)) }
        return request
    }

    private static let timed = hmac {
        $0.signed = [.timestamp, .literal("."), .method, .path, .query, .literal("."), .body]
        $0.timestampHeader = "x-timestamp"
    }

    // Without the time rules an old delivery could be sent again for ever.
    @Test(arguments: [
        ("1700000000", "ok"), ("1699999700", "ok"), ("1700000300", "ok"), ("1699999699", "timestamp_out_of_tolerance"),
        ("1700000301", "timestamp_out_of_tolerance"), ("1700000000123", "ok"), ("1699999699999", "timestamp_out_of_tolerance"),
        ("2023-11-14T22:13:20Z", "ok"), ("2023-11-14T23:13:20.5+01:00", "ok"), ("2023-11-14T22:00:00Z", "timestamp_out_of_tolerance"),
        ("yesterday", "timestamp_invalid"), ("-1700000000", "timestamp_invalid"), ("99999999999999999999", "timestamp_invalid"),
        ("17e8", "timestamp_invalid"), (" 1700000000", "timestamp_invalid"),
    ]) func hmacTimes(timestamp: String, expected: String) throws {
        let request = Self.signed(Self.timed, secret: "secret", delivery(query: "a=1"), timestamp: timestamp)
        #expect(Self.outcome(request, Self.hmacRules, [try Self.key("secret")], spec: Self.spec(Self.timed)) == expected)
    }

    // Without these a part that is declared signed could be changed on the way.
    @Test func everySignedPartCounts() throws {
        let key = try Self.key("secret")
        let good = Self.signed(Self.timed, secret: "secret", delivery(query: "a=1", body: "{}"), timestamp: "1700000000")
        func outcome(_ change: (inout RawDelivery) -> Void) -> String {
            var request = good
            change(&request)
            return Self.outcome(request, Self.hmacRules, [key], spec: Self.spec(Self.timed))
        }
        #expect(outcome { _ in } == "ok")
        #expect(outcome { $0.method = "PUT" } == "signature_invalid")
        #expect(outcome { $0.path += "/" } == "signature_invalid")
        #expect(outcome { $0.query = "a=2" } == "signature_invalid")
        #expect(outcome { $0.body.append(32) } == "signature_invalid")
        #expect(outcome { $0.headers.removeLast() } == "timestamp_missing")
        #expect(outcome { $0.headers.append((name: "x-timestamp", value: "1700000000")) } == "header_repeated")
        #expect(outcome { $0.headers.append((name: "x-signature", value: "00")) } == "header_repeated")
        let undeclared = Self.hmac { $0.signed = [.timestamp, .body] }
        #expect(Self.outcome(good, Self.hmacRules, [key], spec: Self.spec(undeclared)) == "timestamp_missing")
    }

    // MARK: forging

    // Without exact comparison one of these 8,000 forgeries would pass.
    @Test func nothingForgedIsVerified() throws {
        let key = try Self.key("a key of the connection")
        let body = String((0..<1024).map { Character(UnicodeScalar(UInt8(97 + $0 % 26))) })
        let good = Self.signed(Self.timed, secret: "a key of the connection", delivery(body: body), timestamp: "1700000000")
        let spec = Self.spec(Self.timed)
        #expect(Self.outcome(good, Self.hmacRules, [key], spec: spec) == "ok")
        var passed = 0
        func attempt(_ request: RawDelivery, _ keys: [VerificationKey] = [key]) {
            if Self.outcome(request, Self.hmacRules, keys, spec: spec) == "ok" { passed += 1 }
        }
        for bit in 0..<good.body.count * 8 {
            var forged = good
            forged.body[bit / 8] ^= 1 << UInt8(bit % 8)
            attempt(forged)
        }
        let signature = try #require(SignatureVerifierTests.hexBytes(good.headers[0].value))
        for bit in 0..<signature.count * 8 {
            var flipped = signature
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            var forged = good
            forged.headers[0].value = SignatureText.hex(flipped)
            attempt(forged)
        }
        let digits = Array("1700000000")
        for index in digits.indices {
            for digit in "0123456789" where digit != digits[index] {
                var changed = digits
                changed[index] = digit
                var forged = good
                forged.headers[1].value = String(changed)
                attempt(forged)
            }
        }
        attempt(good, [])
        attempt(good, [try Self.key("a key of another connection")])
        attempt(Self.signed(Self.timed, secret: "", delivery(body: body), timestamp: "1700000000"))
        #expect(passed == 0)
        #expect(VerificationKey(Secret(copying: [])) == nil)
    }

    // Without exact comparison one of these forgeries of a Standard Webhooks delivery would pass.
    @Test func nothingForgedIsVerifiedByStandardWebhooks() throws {
        let key = try Self.key(Self.standardKey)
        let secret = try #require(SignatureText.base64Bytes("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"[...].utf8))
        let body = String(repeating: "x", count: 1024)
        let mac = Array(
            HMAC<SHA256>.authenticationCode(for: Array("msg_1.1614265330.\(body)".utf8), using: SymmetricKey(data: secret)))
        func request(_ mac: [UInt8], id: String = "msg_1", time: String = "1614265330") -> RawDelivery {
            Self.standard(id: id, timestamp: time, signature: "v1," + Base64.encode(mac, urlSafe: false), body: body)
        }
        func isVerified(_ request: RawDelivery) -> Bool {
            Self.outcome(request, Self.standardRules, [key], now: Self.standardNow) == "ok"
        }
        #expect(isVerified(request(mac)))
        var passed = 0
        for bit in 0..<256 {
            var flipped = mac
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            if isVerified(request(flipped)) { passed += 1 }
        }
        for bit in 0..<8192 {
            var forged = request(mac)
            forged.body[bit / 8] ^= 1 << UInt8(bit % 8)
            if isVerified(forged) { passed += 1 }
        }
        for index in 0..<10 {
            for digit in 0...9 {
                var digits = Array("1614265330".utf8)
                guard digits[index] != UInt8(48 + digit) else { continue }
                digits[index] = UInt8(48 + digit)
                if isVerified(request(mac, time: String(decoding: digits, as: UTF8.self))) { passed += 1 }
            }
        }
        if isVerified(request(mac, id: "msg_2")) { passed += 1 }
        #expect(passed == 0)
        // A key that is no base64, or that stands for no bytes, verifies nothing: not even its own text's hash.
        for text in ["whsec_", "whsec_!!!!", "whsec_A"] {
            #expect(
                Self.outcome(request(mac), Self.standardRules, [try Self.key(text)], now: Self.standardNow) == "verification_key_missing")
        }
    }

    private static func hexBytes(_ text: String) -> [UInt8]? {
        [UInt8](unsafeUninitializedCapacity: text.utf8.count) { buffer, count in
            count = SignatureText.decodeHex(text[...].utf8, into: UnsafeMutableRawBufferPointer(buffer)) ?? 0
        }
    }

    // MARK: token, basic, plugin

    // Without these rules a token would be found in the wrong place, or a wrong one be made good by another.
    @Test func tokens() throws {
        let keys = [try Self.key("tok-current"), try Self.key("tok-before")]
        let places: [ValueSelector] = [.header("x-berth-token"), .header("authorization"), .query("token")]
        func outcome(_ request: RawDelivery, _ keys: [VerificationKey] = keys) -> String {
            Self.outcome(request, ConnectionWebhook(scheme: .token), keys, spec: Self.spec(places: places))
        }
        #expect(outcome(delivery(token: "tok-current")) == "ok")
        #expect(outcome(delivery(token: "tok-before")) == "ok")
        #expect(outcome(delivery(token: "tok-curren")) == "token_invalid")
        #expect(outcome(delivery(token: "tok-currentt")) == "token_invalid")
        #expect(outcome(delivery(token: "")) == "token_missing")
        #expect(outcome(delivery()) == "token_missing")
        #expect(outcome(delivery(token: "tok-current"), []) == "verification_key_missing")
        #expect(outcome(delivery(headers: [(name: "x-berth-token", value: "tok-current")])) == "ok")
        #expect(outcome(delivery(headers: [(name: "authorization", value: "Bearer tok-current")])) == "ok")
        #expect(outcome(delivery(query: "a=b&token=tok%2Dcurrent")) == "ok")
        #expect(outcome(delivery(token: "wrong", headers: [(name: "x-berth-token", value: "tok-current")])) == "token_invalid")
        #expect(outcome(delivery(query: "token=tok-current", headers: [(name: "x-berth-token", value: "wrong")])) == "token_invalid")
        let twice = [(name: "x-berth-token", value: "tok-current"), (name: "x-berth-token", value: "tok-current")]
        #expect(outcome(delivery(headers: twice)) == "header_repeated")
        for bit in 0..<"tok-current".utf8.count * 8 {
            var bytes = Array("tok-current".utf8)
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            guard let forged = String(validating: bytes, as: UTF8.self) else { continue }
            #expect(outcome(delivery(token: forged)) == "token_invalid")
        }
    }

    // Without strict reading a password could be shown in forms that the check does not expect.
    @Test(arguments: [
        ("Basic YmVydGg6cGFzcw==", "ok"), ("basic YmVydGg6cGFzcw", "ok"), ("Basic YmVydGg6cGFzdA==", "signature_invalid"),
        ("Basic YmVydGg6cGFzcx==", "signature_invalid"), ("Basic  YmVydGg6cGFzcw==", "ok"),
        ("Bearer YmVydGg6cGFzcw==", "signature_invalid"),
        ("Basic", "signature_invalid"), ("Basic YmVydGg6", "signature_invalid"), ("Basic a b", "signature_invalid"),
        ("", "signature_missing"),
    ]) func basic(header: String, expected: String) throws {
        let request = delivery(headers: [(name: "authorization", value: header)])
        #expect(Self.outcome(request, ConnectionWebhook(scheme: .basic), [try Self.key("berth:pass")]) == expected)
    }

    // Without these a connection could use a scheme its plugin never offered.
    @Test func offeredSchemesOnly() throws {
        let key = try Self.key("secret")
        let spec = WebhookSpec(methods: ["POST"], schemes: [.hmac], defaultScheme: .hmac)
        #expect(Self.outcome(delivery(token: "secret"), ConnectionWebhook(scheme: .token), [key], spec: spec) == "scheme_not_offered")
        #expect(Self.outcome(delivery(), ConnectionWebhook(scheme: .plugin), [key], spec: spec) == "scheme_not_offered")
        #expect(Self.outcome(delivery(), ConnectionWebhook(scheme: .plugin), []) == "plugin")
    }

    // Without masking the audit log would hold what is needed to send the delivery again.
    @Test func auditTextsAreMasked() throws {
        let verifier = SignatureVerifier()
        let request = Self.signed(Self.timed, secret: "secret", delivery(), timestamp: "1700000000")
        guard
            case .verified(let audit) = verifier.verify(
                request, spec: Self.spec(Self.timed), rules: Self.hmacRules, keys: [try Self.key("secret")], now: Self.now)
        else {
            Issue.record("not verified")
            return
        }
        #expect(audit == "hmac sha256 \(request.headers[0].value.prefix(4))...")
        guard
            case .refused(_, let token) = verifier.verify(
                delivery(token: "s3cr3t-t0ken"), spec: Self.spec(), rules: ConnectionWebhook(scheme: .token), keys: [try Self.key("other")],
                now: Self.now)
        else {
            Issue.record("verified")
            return
        }
        #expect(token == "token in path")
        guard
            case .refused(_, let odd) = verifier.verify(
                delivery(headers: [(name: "x-signature", value: "\u{1B}[2J\u{202E}")]), spec: Self.spec(), rules: Self.hmacRules,
                keys: [try Self.key("other")], now: Self.now)
        else {
            Issue.record("verified")
            return
        }
        #expect(odd == "hmac sha256 ?[2J...")
    }
}
