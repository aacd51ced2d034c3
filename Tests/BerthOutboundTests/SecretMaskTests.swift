// What a provider repeats of a credential, in all the ways servers write things.

import BerthModel
import BerthSeams
import Dispatch
import Testing

@testable import BerthOutbound

@Suite struct SecretMaskTests {
    static let key = "K3y/with+odd=chars&<\"7'x"
    static let umlauts = "geheim-pässwört-42"

    private func mask(_ secrets: String..., names: [String] = []) -> SecretMask {
        SecretMask(secrets.map { Secret(copying: $0.utf8) }, names: names.map { Secret(copying: $0.utf8) })
    }

    private func covered(_ text: String, _ mask: SecretMask) -> String {
        var body = Array(text.utf8)
        let isFound = mask.cover(&body)
        let result = String(decoding: body, as: UTF8.self)
        #expect(isFound == (result != text))
        return result
    }

    // Without this a provider that repeats its request, in an error page, a log line or a debugging answer, hands the credential to the
    // plugin: each of these was seen.
    @Test(arguments: [
        // JSON: as Python writes it, as PHP does, within JSON, within that.
        (umlauts, #"geheim-p\u00e4ssw\u00f6rt-42"#), (umlauts, #"geheim-p\u00E4ssw\u00F6rt-42"#),
        (umlauts, #"geheim-p\\u00e4ssw\\u00f6rt-42"#), (key, #"K3y\/with+odd=chars&<\"7'x"#),
        (key, #"K3y/with+odd=chars\u0026\u003c\"7\u0027x"#),
        (key, #"K3y\\/with+odd=chars&<\\\"7'x"#), (key, #"K3y\\\\\\/with+odd=chars&<\\\\\\\"7'x"#),
        // URLs and forms, twice, and in JSON.
        (key, "K3y%2Fwith%2Bodd%3Dchars%26%3C%227%27x"), (key, "K3y%252Fwith%252Bodd%253Dchars%2526%253C%25227%2527x"),
        (umlauts, "geheim-p%C3%A4ssw%c3%b6rt-42"), (umlauts, "geheim-p%E4ssw%F6rt-42"), (key, #"K3y\u00252Fwith+odd=chars&<\"7'x"#),
        // HTML.
        (key, "K3y/with+odd=chars&amp;&lt;&quot;7&#39;x"), (key, "K3y&#47;with&#x2b;odd&#61;chars&#38;&lt;&#34;7&#x27;x"),
        (key, "K3y&amp;#47;with+odd=chars&amp;amp;&amp;lt;&amp;quot;7'x"), (key, "K3y%2Fwith+odd=chars&amp;%3C%227'x"),
        // Hexadecimal.
        (key, key.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()),
        (umlauts, umlauts.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined().uppercased()),
        // A secret that itself looks escaped.
        (#"pa\ss%41&amp;word"#, #"pa\ss%41&amp;word"#), (#"pa\ss%41&amp;"word"#, #"pa\\ss%41&amp;\"word"#),
        (#"pa\ss%41&amp;word"#, "pa%5Css%2541%26amp;word"), (#"pa\ss%41&amp;word"#, #"pa\ss%41&amp;amp;word"#),
        ("two words 1", "two+words+1"), ("two words 1", "two%20words%201"),
    ]) func aSecretIsCoveredHoweverItIsWritten(_ secret: String, _ form: String) {
        let mask = mask(secret)
        #expect(covered("100% [\(form)] \\ & %zz", mask) == "100% [\(String(repeating: "*", count: form.utf8.count))] \\ & %zz")
        #expect(mask.mask("100% [\(form)] \\ & %zz") == "100% [***] \\ & %zz")
    }

    // Without this `Authorization: Basic` of a debugging answer, or a whole request in base64, is the password.
    @Test(arguments: [key, umlauts, "äöüßÿþ>>>???"], 0..<9) func aSecretIsCoveredInBase64(_ secret: String, _ beside: Int) {
        let before = "user:".utf8.dropLast(beside % 3)
        let behind = "!!".utf8.dropLast(beside / 3)
        for isURLSafe in [false, true] {
            let text = Base64.encode(Array(before) + Array(secret.utf8) + Array(behind), urlSafe: isURLSafe)
            let found = covered("{\"request\":\"\(text)\"}", mask(secret))
            // All that the secret alone decides; at either end a character is shared with its neighbour.
            #expect(found.filter { $0 == "*" }.count >= secret.utf8.count * 4 / 3 - 1)
            #expect(found.hasPrefix("{\"request\":\"\(text.prefix(before.count))") && found.hasSuffix("\"}"))
            #expect(covered(text.replacing("/", with: "\\/").replacing("+", with: "%2B"), mask(secret)).contains("********"))
        }
    }

    // Without this the rest of the longer of two fields stays, once in eight connections.
    @Test func placesThatOverlapAreCoveredWhole() {
        for _ in 0..<20 {
            let both = mask("ACME-12345678", "ACME-12345678-s3cr3t-part", "part-and-more")
            #expect(covered("[ACME-12345678-s3cr3t-part-and-more]", both) == "[\(String(repeating: "*", count: 34))]")
            #expect(both.mask("[ACME-12345678-s3cr3t-part-and-more] ACME-12345678ACME-12345678") == "[***] ******")
            #expect(covered("xabcabcabcabcabcx", mask("abcabcabc")) == "x***************x")
        }
    }

    // Without this a password `test` or `2024` destroys what a provider says; and one of a few odd bytes is given away.
    @Test func aShortSecretIsCoveredAsAWordOfItsOwn() {
        let text = #"{"a":"s3cr3t7","b":"p=s3cr3t7&c","c":"s3cr3t7%0A"}"#
        #expect(covered(text, mask("s3cr3t7")) == text.replacing("s3cr3t7", with: "*******"))
        #expect(covered(#""s3\u0063r3t7""#, mask("s3cr3t7")) == #""************""#)
        let innocent = #"{"id":"xs3cr3t7","uuid":"6f1e-s3cr3t7-11","n":"äs3cr3t7","role":"test","at":"2024-11-21","b":"dGVzdA=="}"#
        #expect(covered(innocent, mask("s3cr3t7")) == innocent)
        for weak in ["test", "2024", "t3s"] { #expect(covered(innocent, mask(weak)) == innocent) }
        // In headers and errors nothing is lost by it.
        #expect(mask("test").mask("xtest") == "x***" && mask("t3s").mask("t3s") == "t3s")
    }

    // Without this a debugging answer shows a short password in the Authorization header that it came in.
    @Test(arguments: ["s3cr3t7", "t3s", "long-password-1"]) func aBasicHeaderIsCovered(_ password: String) async throws {
        let server = try ScriptedServer { peer, request, _ in
            let value = request.headers["authorization"] ?? ""
            return peer.answer(200, ["X-You": value], Array("[\(value)|\(value.replacing("=", with: ""))]".utf8))
        }
        let broker = try outbound(["username": "ann-1", "password": password])
        let basic = CredentialSpec(kind: .basic, placements: [])
        let answer = try #require(await broker.send(get("/me"), for: target(server.url, credential: basic)).response)
        #expect(answer.headers.contains { $0 == ("x-you", "Basic ***") })
        let both = String(decoding: answer.body, as: UTF8.self).split(separator: "|")
        #expect(both[0].dropFirst(7).allSatisfy { $0 == "*" } && both[1].dropFirst(6).dropLast(2).allSatisfy { $0 == "*" })
        await broker.close()
        server.stop()
    }

    // Without this every answer that names the account is damaged.
    @Test func aNameStandsInBodies() {
        let mask = mask("long-password-1", names: ["ann-the-user"])
        #expect(covered("ann-the-user long-password-1", mask) == "ann-the-user ***************")
        #expect(mask.mask("ann-the-user long-password-1") == "*** ***")
    }

    // Without this a provider that chooses its token and its answer stops the broker for half a minute with 9 KB on the wire.
    @Test func theTimeGrowsWithTheBodyAlone() {
        let mask = mask(String(repeating: "A", count: 16_384))
        var almost: [UInt8] = (0..<64).flatMap { _ in [UInt8](repeating: 65, count: 16_383) + [66] }
        let time = ContinuousClock().measure { #expect(!mask.cover(&almost)) }
        #expect(time < .seconds(20))
    }

    // Without this one provider's long answer holds up every request of every connection while it is searched.
    @Test func aLongAnswerHoldsUpNobody() async throws {
        let server = try ScriptedServer { peer, request, _ in
            let size = ["/large": 1 << 20, "/page": 1 << 16][request.target] ?? 10
            return peer.answer(200, [:], Array("long-api-key-1".utf8) + [UInt8](repeating: 97, count: size))
        }
        let broker = try outbound(["token": "long-api-key-1"])
        let credential = CredentialSpec(kind: .apiKey, placements: [.init(field: "token", place: .authorization(scheme: "Bearer"))])
        let queue = await broker.longAnswers.largeQueue
        queue.suspend()
        async let first = broker.send(get("/large"), for: target(server.url, credential: credential))
        async let second = broker.send(get("/large"), for: target(server.url, credential: credential))
        while await broker.longAnswers.waiting[connectionID()]?.count != 1 { await Task.yield() }
        // Their search can't begin; requests go on, also of the same connection.
        for number: UInt64 in 1...2 {
            let other = target(server.url, connection: connectionID(number), credential: credential)
            #expect(await broker.send(get("/short"), for: other).response?.body.prefix(15) == Array("**************a".utf8)[...])
        }
        // So does a page of another connection.
        let page = await broker.send(get("/page"), for: target(server.url, connection: connectionID(2), credential: credential))
        #expect(page.response?.body.prefix(15) == Array("**************a".utf8)[...])
        queue.resume()
        for answer in await [first, second] {
            #expect(answer.response?.body.prefix(15) == Array("**************a".utf8)[...] && answer.response?.body.count == 14 + 1 << 20)
        }
        #expect(await broker.longAnswers.waiting.isEmpty)
        await broker.close()
        server.stop()
    }
}
