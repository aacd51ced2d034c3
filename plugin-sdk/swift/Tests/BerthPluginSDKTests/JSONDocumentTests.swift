// The JSON reader against RFC 8259: what it must take, what it must refuse, and that digits survive.

import BerthPluginSDK
import Testing

@Suite struct JSONDocumentTests {
    private func parse(_ text: String, _ limits: JSONDocument.Limits = .init()) throws -> JSONNode {
        try JSONDocument(Array(text.utf8), limits: limits).root
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "[1 2]", "01", "-", "1.", ".5", "1e", "+1", "nul", "truely", "\"\n\"",
        "\"\\x\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\udc00\"", "[1]x", "{\"a\":1}}", "\u{FEFF}{}", "'a'", "[\"a]",
    ])
    func refuses(_ text: String) {
        // Breaks when a text that is not JSON is taken for JSON, and a provider's broken page is stored as data.
        #expect(throws: JSONError.self) { try parse(text) }
    }

    @Test(arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82]] as [[UInt8]])
    func refusesInvalidUTF8(_ bytes: [UInt8]) {
        // Breaks when broken text reaches the store, which holds UTF-8 only.
        #expect(throws: JSONError.self) { try JSONDocument([0x22] + bytes + [0x22]) }
    }

    @Test func keepsDigitsOfNumbers() throws {
        // Breaks when money passes through a binary fraction: 0.10 would become 0.1, the long one lose its tail.
        let root = try parse(#"{"a":0.10,"b":12345678901234567890.123,"c":-0,"d":1e-7,"e":9223372036854775807,"f":-9223372036854775808}"#)
        #expect(root["a"]?.numberText == "0.10")
        #expect(root["b"]?.numberText == "12345678901234567890.123")
        #expect(root["b"]?.int64 == nil)
        #expect(root["d"]?.double == 1e-7)
        #expect(root["e"]?.int64 == .max)
        #expect(root["f"]?.int64 == .min)
    }

    @Test func unescapesText() throws {
        // Breaks when escapes are kept as they stand, so that names with quotes or emoji are wrong in the store.
        #expect(try parse(#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#).string == "a\"\\/\u{8}\u{C}\n\r\té😀")
    }

    @Test func walksNestedValues() throws {
        // Breaks when skipping over nested values lands in the middle of one.
        let root = try parse(#"{"x":[[],{},[{"y":[1,{"z":2}]}]],"a/b":{"~":3},"n":null}"#)
        #expect(root.at("/x/2/0/y/1/z")?.int64 == 2)
        #expect(root.at("/a~1b/~0")?.int64 == 3)
        #expect(root["n"]?.isNull == true)
        #expect(root["x"]?.elements.map(\.kind) == [.array, .object, .array])
        #expect(root.members.compactMap { $0.name.string } == ["x", "a/b", "n"])
        #expect(root.at("/x/9") == nil)
    }

    @Test func limitsDepthAndDuplicates() throws {
        // Breaks when a hostile body can nest without end, or say two things under one name unnoticed.
        let deep = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        #expect(throws: Never.self) { try parse(deep) }
        #expect(throws: JSONError.self) { try parse("[" + deep + "]") }
        #expect(throws: JSONError.self) { try parse(#"{"a":1,"\u0061":2}"#, .init(allowsDuplicateKeys: false)) }
        #expect(try parse(#"{"a":1,"a":2}"#)["a"]?.int64 == 1)
    }

    @Test func namesThePlace() {
        // Breaks when an operator is told only that something is not JSON.
        #expect { try parse("{\n \"a\": tru }") } throws: { error in
            (error as? JSONError).map { $0.line == 2 && $0.offset >= 8 } == true
        }
    }

    @Test func writesWhatItReads() throws {
        // Breaks when the writer forgets an escape or a comma.
        var json = JSONWriter()
        json.beginObject()
        json.key("a")
        json.value("q\"\\\n\u{1}é")
        json.key("b")
        json.beginArray()
        json.value(Int64.min)
        json.value(true)
        json.null()
        json.endArray()
        json.key("c")
        json.beginObject()
        json.endObject()
        json.endObject()
        let root = try JSONDocument(json.bytes).root
        #expect(root["a"]?.string == "q\"\\\n\u{1}é")
        #expect(root["b"]?[0]?.int64 == .min)
        #expect(root["b"]?.count == 3)
        #expect(root["c"]?.kind == .object)
    }
}
