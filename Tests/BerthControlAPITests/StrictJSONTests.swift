// Request bodies: what Foundation's decoder would let through must be refused, with the place and the nearest right name.

import BerthControlAPI
import BerthModel
import Testing

@Suite struct StrictJSONTests {
    private func refusal<Body: RequestBody>(_ type: Body.Type, _ text: String) -> BerthError? { refusal(type, Array(text.utf8)) }

    private func refusal<Body: RequestBody>(_ type: Body.Type, _ bytes: [UInt8]) -> BerthError? {
        do throws(BerthError) {
            _ = try StrictJSON.decode(type, from: bytes)
            return nil
        } catch { return error }
    }

    @Test(arguments: [
        "", " ", "{", "}", "{]", "{\"path\":\"a\",}", "{'path':'a'}", "{\"path\":\"a\"}x", "{\"path\":\"a\"}{}", "\u{FEFF}{}",
        "{\"path\":01}",
        "{\"path\":NaN}", "{\"path\":1e}", "{\"path\":\"\\ud800\"}", "{\"path\":\"\\udc00\\ud800\"}", "{\"path\":\"\\u12\"}",
        "{\"path\":\"\\x\"}",
        "{\"path\":\"a\nb\"}", "{\"path\":\"a\"/**/}", "{\u{0}}", "[]", "1", "null", "\"x\"", "true",
    ])
    func textsThatAreNoObject(_ text: String) throws {
        // Would break: a lenient reader, which two programs read differently.
        let error = try #require(refusal(InstallPlugin.self, text), "\(text)")
        #expect(error.code == .invalid)
        #expect(error.message.contains("JSON"))
    }

    @Test func bytesThatAreNoUTF8() {
        // Would break: texts repaired with U+FFFD, which nobody sent.
        for bytes: [UInt8] in [[0xFF], [0xED, 0xA0, 0x80], [0xC0, 0xAF], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]] {
            #expect(refusal(InstallPlugin.self, Array("{\"path\":\"".utf8) + bytes + Array("\"}".utf8)) != nil)
        }
    }

    @Test func repeatedNames() {
        // Would break: the last one silently wins, also when it is spelled with an escape.
        #expect(refusal(InstallPlugin.self, #"{"path":"a","path":"b"}"#) != nil)
        #expect(refusal(InstallPlugin.self, #"{"path":"a","p\u0061th":"b"}"#) != nil)
        #expect(refusal(NewConnection.self, #"{"provider":"x","settings":{"a":{"b":1,"b":2}}}"#) != nil)
        #expect(refusal(NewConnection.self, #"{"provider":"x","settings":{"a":1,"b":{"a":1}}}"#) == nil)
    }

    @Test func wordsOutOfASet() {
        // Would break: "Cannot initialize EventState from invalid String value", which names nothing that an operator can write.
        let state = refusal(ReplayFilter.self, #"{"states":["discarded","discared"]}"#)?.message ?? ""
        #expect(state.contains("'discared' is not one of available, running"))
        #expect(state.hasSuffix("did you mean 'discarded'?"))
        #expect(refusal(SyncRequest.self, #"{"mode":"fast"}"#)?.message.contains("'fast' is not one of full, incremental, range") == true)
        #expect(refusal(SyncRequest.self, #"{"mode":1}"#)?.message == "'mode' must be text")
        #expect(refusal(SyncRequest.self, #"{"mode":"full"}"#) == nil)
    }

    @Test func nesting() {
        // Would break: a stack overflow by request.
        for depth in [33, 10_000, 60_000] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let inner = String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
                let error = refusal(NewConnection.self, "{\"provider\":\"x\",\"settings\":{\"a\":\(inner)}}")
                #expect(error?.message.contains("deep") == true, "\(depth) \(String(describing: error))")
            }
        }
    }

    @Test func unknownMembers() throws {
        // Would break: a mistyped member that changes nothing without a word.
        let top = try #require(refusal(NewConnection.self, #"{"provider":"x","nmae":"y"}"#))
        #expect(top.message == "'nmae' is not known here; did you mean 'name'?")
        #expect(top.hint?.contains("provider") == true)
        let inner = try #require(refusal(NewConnection.self, #"{"provider":"x","webhook":{"secrte":"y"}}"#))
        #expect(inner.message.contains("'webhook.secrte'") && inner.message.contains("'secret'"))
        let stream = try #require(refusal(NewConnection.self, #"{"provider":"x","streams":{"calls":{"every":"y"}}}"#))
        #expect(stream.message.contains("'streams.calls.every'"))
        #expect(
            refusal(NewConnection.self, #"{"provider":"x","settings":{"anything":{"deeper":1}},"credentials":{"kind":"k","any":"s"}}"#)
                == nil)
        // A secret in a wrong place is not repeated.
        #expect(refusal(ConnectionChange.self, #"{"provider":"x"}"#) != nil)
    }

    @Test(arguments: [
        (#"{}"#, "'provider' is required"), (#"{"provider":1}"#, "'provider' must be text"), (#"{"provider":null}"#, "'provider'"),
        (#"{"provider":"x","settings":[]}"#, "'settings' must be an object"),
        (#"{"provider":"x","webhook":{"allow_ips":"a"}}"#, "must be a list"),
        (#"{"provider":"x","webhook":{"tolerance_seconds":1.5}}"#, "'webhook.tolerance_seconds' must be a whole number"),
        (#"{"provider":"x","webhook":{"tolerance_seconds":99999999999999999999}}"#, "'webhook.tolerance_seconds' must be a whole number"),
        (#"{"provider":"x","webhook":{"tolerance_seconds":"1"}}"#, "'webhook.tolerance_seconds' must be a whole number"),
        (#"{"provider":"x","credentials":{"token":5}}"#, "token"),
    ])
    func wrongTypes(_ text: String, _ words: String) throws {
        // Would break: errors that name neither the member nor what it should be.
        let error = try #require(refusal(NewConnection.self, text))
        #expect(error.message.contains(words), "\(error.message)")
    }

    @Test func secretsAreNotRepeated() throws {
        // Would break: a credential in an error body or a log.
        let body = try StrictJSON.decode(NewConnection.self, from: Array(#"{"provider":"x","credentials":{"token":"canary-1"}}"#.utf8))
        #expect(!"\(body)".contains("canary-1") && !String(reflecting: body).contains("canary-1"))
        let error = try #require(refusal(NewConnection.self, #"{"provider":"x","credentials":{"token":{"a":"canary-2"}}}"#))
        #expect(!error.description.contains("canary-2"))
    }
}
