// What may be shown of a provider's words: no secret, however it is written.

import BerthModel
import BerthSeams
import Testing

@testable import BerthGrants

@Suite struct ForeignWordsTests {
    static let secret = "s3cret/with \"odd\" ä+letters"

    // Without this a server that repeats what it was sent puts a secret into logs, audit and every answer: each of these was seen.
    @Test(arguments: [
        secret, TokenRequest.formEncoded(secret), TokenRequest.formEncoded(secret).lowercased(),
        TokenRequest.formEncoded(secret).replacing("%20", with: "+"), secret.replacing("/", with: "\\/").replacing("\"", with: "\\\""),
        secret.utf16.map { "\\u" + String(repeating: "0", count: 4 - String($0, radix: 16).count) + String($0, radix: 16) }.joined(),
        secret.utf16.map { "\\\\u00" + String($0, radix: 16, uppercase: true) }.joined(),
        TokenRequest.formEncoded(secret.replacing("/", with: "\\/").replacing("\"", with: "\\\"")),
        TokenRequest.formEncoded(TokenRequest.formEncoded(secret)),
        Array(secret.utf8).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined(),
        "s3cret&#47;with &quot;odd&quot; &#xe4;+letters", "s3cret/with &amp;quot;odd&amp;quot; &amp;#228;+letters",
    ]) func noFormOfASecretIsShown(_ form: String) {
        let words = ForeignWords(hiding: [Secret(copying: Self.secret.utf8), Secret(copying: "other".utf8)])
        #expect(
            words.plain("token \(form) of other is 100% bad \\ %zz \\u12", 200) == "token [hidden] of [hidden] is 100% bad \\ %zz \\u12")
    }

    // Without this words that hold no secret are changed, or a pair of secrets that touch shows a piece of one.
    @Test func whatIsNoSecretStays() {
        let words = ForeignWords(hiding: [Secret(copying: "abcdef".utf8), Secret(copying: "defghi".utf8)])
        #expect(words.plain("a %41 \\u0041 \\/ \u{1F600}", 100) == "a %41 \\u0041 \\/ ????")
        #expect(words.plain("x abcdefghi y abcdef%61bcdef", 100) == "x [hidden] y [hidden][hidden]")
        #expect(words.plain("\\ud83d\\ude00 \\ud83d %", 100) == "\\ud83d\\ude00 \\ud83d %")
        #expect(ForeignWords(hiding: [Secret(copying: "\u{1F600}key".utf8)]).plain("no \\ud83d\\ude00key.", 100) == "no [hidden].")
    }

    // Without this a server that chooses refresh token and error text keeps the grants of all others waiting.
    @Test func theTimeGrowsWithTheTextAlone() {
        let words = ForeignWords(hiding: [Secret(copying: [UInt8](repeating: 65, count: 16_384))])
        let text = String(repeating: String(repeating: "A", count: 16_383) + "B", count: 4)
        let time = ContinuousClock().measure { #expect(words.plain(text, 100) == text.prefix(100)) }
        #expect(time < .seconds(20))
    }
}
