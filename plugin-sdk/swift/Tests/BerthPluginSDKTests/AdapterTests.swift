// The SDK's own behaviour between adapter and host, with a small adapter through the real tables.

import BerthPluginSDK
import BerthPluginTesting
import Testing

/// Does what its events and streams are called.
private struct ScriptedAdapter: EventHandler, StreamReader, RecordPusher, ActionPerformer, DeliveryVerifier {
    static let stateSchema: UInt32 = 3

    init(_ setup: AdapterSetup) throws {
        if setup.flag("refuse", default: false) { throw ProviderError(.invalidArgument, "refused by its settings") }
    }

    struct Odd: Error {}

    func handle(_ event: Event, _ context: Context) throws {
        try context.upsert("calls", key: event.kind, sourceTime: event.receivedAt) { $0.set(.name, "x") }
        switch event.kind {
        case "odd": throw Odd()
        case "throttled": throw ProviderError(.throttled, "slow down", remoteStatus: 429, remoteCode: "E1", retryAfter: .milliseconds(1500))
        case "half":
            try context.upsert("calls", key: "half-2", sourceTime: nil) { record in
                record.set(.name, "lost")
                throw Odd()
            }
        case "original": try context.upsert("calls", key: "original", sourceTime: nil, raw: try event.json()) { $0.set(.name, "small") }
        case "large": try context.upsert("calls", key: "large", sourceTime: nil) { $0.set(.name, String(repeating: "x", count: 1 << 20)) }
        case "ask": _ = try context.http.get("/x")
        default: break
        }
    }

    func read(_ request: ReadRequest, _ context: ReadContext) throws {
        let start = request.state?["n"]?.int64 ?? 0
        for number in start..<start + 1000 {
            try context.upsert("calls", key: "\(number)", sourceTime: nil) { record in
                record.set(Field<FieldKind.Integer>("number"), number)
                record.set(.name, "quote \" and \\ é")
                record.set(.revenue, nil)
            }
        }
        try context.checkpoint { json in
            json.key("n")
            json.value(start + 1000)
        }
        try context.delete("calls", key: "never", sourceTime: nil)
        throw ProviderError(.retry, "broken off")
    }

    func write(_ record: OutgoingRecord, to stream: String, _ context: Context) throws {
        guard !record.isDelete else { return try context.delete(stream, key: record.key, sourceTime: nil) }
        let key = record.key.isEmpty ? "new-\(record.idempotencyKey)" : record.key
        try context.upsert(stream, key: key, sourceTime: nil) { $0.set(.name, record.payload["name"]) }
    }

    func perform(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws {
        let (seconds, attoseconds) = context.remaining.components
        reply.value(seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }

    func verify(_ event: Event, _ context: Context) throws {
        guard event.header("x-good") == "yes" else { throw ProviderError(.authDenied, "forged") }
    }
}

@Suite struct AdapterTests {
    private func harness(_ answer: @escaping (HarnessRequest) throws -> HarnessResponse = { _ in .status(500) }) throws -> PluginHarness {
        try PluginHarness(ScriptedAdapter.self, http: answer)
    }

    @Test func oneEventsFailureLeavesTheOthersAlone() throws {
        // Breaks when a failing event takes its batch with it, keeps its records, or loses its details.
        let outcomes = try harness().handle(["a", "odd", "throttled", "half", "b"].map { HarnessEvent(kind: $0) })
        #expect(outcomes.map { $0.failure?.status } == [nil, .internal, .throttled, .internal, nil])
        #expect(outcomes.map { $0.records.map(\.key) } == [["a"], [], [], [], ["b"]])
        let throttled = try #require(outcomes[2].failure)
        #expect(throttled.message == "slow down" && throttled.remoteStatus == 429 && throttled.remoteCode == "E1")
        #expect(throttled.retryAfter == .milliseconds(1500))
        #expect(outcomes[4].records[0]["name"] == "x")
    }

    @Test func whatTheDaemonWouldNotTakeIsAnInvalidEvent() throws {
        // Breaks when a provider's overlong id or document reaches the daemon, which ends the worker for it.
        let long = String(repeating: "k", count: 512)
        let outcomes = try harness().handle(["a", "", long + "k", long, "large", "b"].map { HarnessEvent(kind: $0) })
        #expect(outcomes.map { $0.failure?.status } == [nil, .invalidEvent, .invalidEvent, nil, .invalidEvent, nil])
        #expect(outcomes.map { $0.records.map(\.key) } == [["a"], [], [], [long], [], ["b"]])
        #expect(outcomes[4].failure?.message.contains("'large'") == true)
    }

    @Test func aRecordIsWorthMoreThanItsOriginal() throws {
        // Breaks when a document of more than 1 MiB takes its record, or the whole run it came in, with it.
        let plugin = try harness()
        let body = #"{"note":"\#(String(repeating: "x", count: 1 << 20))"}"#
        let outcome = plugin.handle(HarnessEvent(kind: "original", body: body))
        #expect(outcome.error == nil)
        #expect(outcome.records.map(\.key) == ["original", "original"] && outcome.records[1]["name"] == "small")
        #expect(outcome.records[1].raw.isEmpty)
        #expect(plugin.logged.contains { $0.contains("'original'") && $0.contains("without its original") })
    }

    @Test func aHostsOwnVerdictIsPassedOnAsItIs() throws {
        // Breaks when what the daemon already knows of a failed request is overwritten by the SDK.
        let plugin = try harness { _ in throw ProviderError(.timeout, "no answer in 30 s") }
        #expect(plugin.handle(HarnessEvent(kind: "ask")).failure?.status == .timeout)
    }

    @Test func cancellingEndsTheBatch() throws {
        // Breaks when events of a cancelled batch count as processed though their records never left.
        let plugin = try harness { _ in .status(200) }
        plugin.isCancelled = { _ in true }
        let outcomes = plugin.handle(["a", "ask", "b"].map { HarnessEvent(kind: $0) })
        #expect(outcomes.allSatisfy { $0.error is CancelledError && $0.records.isEmpty })
    }

    @Test func readsKeepPagesAndResume() throws {
        // Breaks when records of a page are lost or doubled between host calls, or a checkpoint of another format is resumed.
        let plugin = try harness()
        let read = plugin.read("calls")
        #expect(read.failure?.status == .retry)
        #expect(read.pages.count == 1 && read.records.count == 1000)
        #expect(read.records.map(\.key) == (0..<1000).map(String.init))
        #expect(read.records.allSatisfy { $0.stream == "calls" })
        #expect(read.records[999]["number"] == "999" && read.records[999]["name"] == "quote \" and \\ é")
        #expect(!read.records[0].fields.contains("revenue"))
        #expect(read.pages[0].checkpoint == HarnessCheckpoint(schema: 3, state: #"{"n":1000}"#))
        #expect(plugin.read("calls", state: read.pages[0].checkpoint).records.first?.key == "1000")
        #expect(plugin.read("calls", state: HarnessCheckpoint(schema: 2, state: #"{"n":1000}"#)).records.first?.key == "0")
    }

    @Test func writesVerifiesAndPerforms() throws {
        // Breaks when one of the smaller interfaces is wired to the wrong place.
        let plugin = try harness()
        #expect(plugin.write(#"{"name":"n"}"#, to: "contacts").records.map(\.key) == ["new-key-1"])
        #expect(plugin.write("{}", key: "k", to: "contacts", isDelete: true).records.first?.isDelete == true)
        // Broken fields are the record's fault, not a defect of the adapter.
        for broken in ["{", "[]", "1"] { #expect(plugin.write(broken, to: "contacts").failure?.status == .invalidEvent, "\(broken)") }
        #expect(plugin.verify(HarnessEvent(kind: "", headers: [("x-good", "yes")])) == nil)
        #expect((plugin.verify(HarnessEvent(kind: "")) as? ProviderError)?.status == .authDenied)
        plugin.remaining = .seconds(2)
        #expect(plugin.perform("left").reply?.int64 == 2000)
        #expect(!plugin.offers("berth.credentials/1"))
    }

    @Test func settingsRefuseAConnection() {
        // Breaks when an adapter's refusal of its settings is swallowed.
        #expect { try PluginHarness(ScriptedAdapter.self, settings: #"{"refuse":true}"#) } throws: { error in
            (error as? ProviderError).map { $0.status == .invalidArgument && $0.message.contains("refused by its settings") } == true
        }
        #expect(throws: ProviderError.self) { try PluginHarness(ScriptedAdapter.self, settings: "[]") }
    }

    @Test func loopGuardAllowsProgress() throws {
        // Breaks when distinct pages are mistaken for a loop.
        var guarding = LoopGuard()
        for page in 0..<1000 { try guarding.pass("page \(page)", body: Array("body \(page)".utf8)[...]) }
        #expect(throws: ProviderError.self) {
            for _ in 0..<3 { try guarding.pass("same") }
        }
    }

    @Test func loopGuardNoticesARoundOfSeveralPages() {
        // Breaks when two pages that come in turn under ever new numbers are asked for without end.
        var guarding = LoopGuard()
        #expect(throws: ProviderError.self) {
            for page in 0..<6 { try guarding.pass("page \(page)", body: Array("body \(page % 2)".utf8)[...]) }
        }
    }
}
