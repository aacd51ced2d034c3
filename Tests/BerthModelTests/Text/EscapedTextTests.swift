// Reading escapes and finding words in texts that a stranger chose.

import BerthModel
import Testing

@Suite struct EscapedTextTests {
    private func read(_ text: String, _ ways: EscapedText.Ways = .all) -> EscapedText? {
        Array(text.utf8).withUnsafeBytes { EscapedText($0, ways) }
    }

    // Without this a secret is not recognized in a form, a URL, JSON or HTML.
    @Test(arguments: [
        ("a%2Fb%2fc%", "a/b/c%"), (#"\"\\\/\'\b\f\n\r\t"#, "\"\\/'\u{8}\u{c}\n\r\t"),
        (#"\u00e4\u20AC\ud83d\ude00\u12"#, "ä€\u{1F600}\\u12"),
        ("&amp;&lt;&gt;&quot;&apos;&#47;&#x2f;&#X2F;&#228;&#x1F600;", "&<>\"'///ä\u{1F600}"), ("&amp;amp;%2541", "&amp;%41"),
    ]) func anEscapeIsRead(_ text: String, _ meaning: String) {
        #expect(read(text).map { String(decoding: $0.bytes, as: UTF8.self) } == meaning)
    }

    // Without this words that hold no escape are read as others, or reading goes past the end.
    @Test(arguments: [
        "", "%", "%4", "%zz", "\\", "\\u", "\\u12", "\\ud83d", "\\q", "&", "&;", "&#;", "&#x;", "&#", "&amp", "&nothing;", "&#x110000;",
        "&#12345678;", "&#xd800;", "plain",
    ]) func whatIsNoEscapeStays(_ text: String) { #expect(read(text) == nil) }

    // Without this the wrong bytes are covered, and those of the secret stay.
    @Test func aPlaceIsWhereItWasWritten() throws {
        let text = #"x \u0025\u0034\u0031b &#37;34"#
        let first = try #require(read(text))
        #expect(String(decoding: first.bytes, as: UTF8.self) == "x %41b %34")
        let second = try #require(first.next())
        #expect(String(decoding: second.bytes, as: UTF8.self) == "x Ab 4" && second.next() == nil)
        #expect(first.origin(of: 0..<2) == 0..<2 && first.origin(of: 3..<4) == 8..<14 && first.origin(of: 5..<6) == 20..<21)
        #expect(second.origin(of: 2..<3) == 2..<20 && second.origin(of: 2..<4) == 2..<21 && second.origin(of: 5..<6) == 22..<29)
    }

    // Without this a secret that itself looks escaped is read away before it is found.
    @Test func aWayIsReadByItself() {
        #expect(read(#"a\"b%41&amp;"#, .json).map { String(decoding: $0.bytes, as: UTF8.self) } == #"a"b%41&amp;"#)
        #expect(read(#"a%22b\n&amp;"#, .url).map { String(decoding: $0.bytes, as: UTF8.self) } == #"a"b\n&amp;"#)
        #expect(read("a%22&amp;", .html).map { String(decoding: $0.bytes, as: UTF8.self) } == "a%22&")
    }
}

@Suite struct ByteSearchTests {
    private func places(_ word: [UInt8], _ text: [UInt8]) -> [Int] {
        var found: [Int] = []
        word.withUnsafeBytes { word in
            text.withUnsafeBytes { text in
                _ = ByteSearch.places(of: word, in: text) {
                    found.append($0)
                    return true
                }
            }
        }
        return found
    }

    // Without this a place is missed: beside the one that compares all, over words and texts of two letters, which repeat themselves.
    @Test func everyPlaceIsFound() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let text = (0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...1, using: &random) }
            let period = Int.random(in: 1...9, using: &random)
            let word = (0..<Int.random(in: 1...80, using: &random)).map { text.count < 9 ? UInt8($0 & 1) : text[$0 % period] }
            let all = text.indices.filter { $0 + word.count <= text.count && text[$0..<$0 + word.count].elementsEqual(word) }
            #expect(places(word, text) == all)
            let more = word + text + word + word
            #expect(places(word, more) == more.indices.filter { more[$0...].starts(with: word) })
        }
        #expect(places([], [1]).isEmpty && places([1], []).isEmpty)
    }

    // Without this a provider that chooses word and text makes the search take their product: here 2^34 steps, and minutes.
    @Test func theTimeGrowsWithTheTextAlone() {
        let word = [UInt8](repeating: 65, count: 1 << 14)
        let almost: [UInt8] = (0..<64).flatMap { _ in word.dropLast() + [66] }
        let time = ContinuousClock().measure {
            #expect(places(word, almost).isEmpty)
            #expect(places(word, almost + word).count == 1)
        }
        #expect(time < .seconds(20))
    }
}
