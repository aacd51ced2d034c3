// What crosses the border during a call: handles and slices.

import BerthLoader
import BerthModel
import Testing

@Suite struct CallTests {
    private let plugin: LoadedPlugin

    init() throws { plugin = try LoadedPlugin.load(try Variant.library()) }

    // Without this a call after an operation's end would land in freed memory or in another operation.
    @Test func aStaleHandleIsAnsweredStale() throws {
        #expect(try plugin.act("keep").status == .ok)
        let late = try plugin.act("late")
        #expect(late.seen.reply == "[13,1]" && late.seen.records.isEmpty)
        let never = try plugin.act("never")
        #expect(never.seen.reply == "[13,13]" && never.seen.records.isEmpty && never.seen.violations.isEmpty)
    }

    // Without this the host would read as far as the plugin says, whatever is mapped there.
    @Test(arguments: ["key-endless", "key-nowhere", "record-longer", "state-too-long"])
    func aSliceBeyondItsBoundsIsAViolation(_ action: String) throws {
        let call = try plugin.act(action)
        #expect(call.seen.violations.count == 1 && call.seen.records.isEmpty && call.seen.checkpoints == 0, "\(call.seen)")
        #expect(call.status == .internal || call.status == AttemptStatus(abi: 14))
    }

    // Without this an id that a provider made too long would be held against the plugin, or be stored cut.
    @Test func anIDThatIsTooLongEndsWhatItBelongsTo() throws {
        let call = try plugin.act("key-too-long")
        #expect(call.status == .invalidEvent && call.seen.violations.isEmpty && call.seen.records.isEmpty, "\(call)")
    }

    // Without this a rule that is one byte too strict would pass unnoticed; and a log line could read through a null address.
    @Test func theLongestAllowedIsAllowed() throws {
        let longest = try plugin.act("key-longest")
        #expect(longest.status == .ok && longest.seen.violations.isEmpty && longest.seen.records.first?.change.externalID.utf8.count == 512)
        #expect(try plugin.act("log-endless").seen.lines.isEmpty)
    }

    // Without this a plugin would see a slice one byte short or long, or need a terminator that is not promised.
    @Test func slicesHaveExactlyTheirBytes() throws {
        #expect(try plugin.act("measure", input: "").seen.reply == "[0,-1]")
        #expect(try plugin.act("measure", input: "abc").seen.reply == "[3,99]")
        #expect(try plugin.act("measure", input: String(repeating: "x", count: 1 << 20) + "~").seen.reply == "[1048577,126]")
        let instance = try plugin.makeInstance(connection: "con_1", settings: Array("{}".utf8), baseURL: "").get()
        let events = ["", "a", "bc"].enumerated().map { index, body in
            PluginEvent(
                id: "evt_\(index)", attempt: 1, receivedAt: 1, kind: "k", method: "POST", query: "",
                headers: index == 0 ? [] : [("h", "v\(index)")],
                body: Array(body.utf8))
        }
        let recorder = Recorder()
        #expect(instance.handle(events, recorder) == [.ok, .ok, .ok])
        #expect(recorder.seen.records.map(\.item) == [0, 1, 2])
        #expect(
            recorder.seen.records.map { String(decoding: $0.change.payload, as: UTF8.self) } == [
                #"{"size":112,"body":0,"last":-1,"headers":0,"first":""}"#, #"{"size":112,"body":1,"last":97,"headers":1,"first":"v1"}"#,
                #"{"size":112,"body":2,"last":99,"headers":1,"first":"v2"}"#,
            ])
    }
}
