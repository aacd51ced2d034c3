// What a field without a value does to the stored one, and fields of a plugin's own entities.

import BerthPluginSDK
import BerthPluginTesting
import Testing

/// Writes the row of its event under the coverage that the event is called.
private struct RowAdapter: EventHandler {
    init(_ setup: AdapterSetup) throws {}

    func handle(_ event: Event, _ context: Context) throws {
        let row = try event.json()
        let coverage: RowCoverage = event.kind == "whole" ? .whole : event.kind == "members" ? .members : .facts
        try context.upsert("rows", key: "r", sourceTime: event.receivedAt, raw: row, coverage: coverage) { record in
            record.set(.name, row["text"])
            record.set(.callerNumber, row["phone"])
            record.set(.startedAt, row["time"])
            record.set(.revenue, row["money"])
            record.set(.duration, row["seconds"])
            record.set(.converted, row["flag"])
            record.set(.tags, row["json"])
            record.set(Field<FieldKind.Integer>("integer"), row["integer"])
            record.set(.direction, row["choice"] == nil ? nil : CallDirection.inbound)
            if row["text"] == nil { record.clear(.currency) }
        }
    }
}

/// A provider with an entity of its own, as in the README.
private struct LeadAdapter: EventHandler, RecordPusher {
    static let value = Field<FieldKind.Money>("value")
    static let wonAt = Field<FieldKind.Time>("won_at")
    enum Stage: String { case open, won }
    static let stage = Field<FieldKind.Choice<Stage>>("stage")

    init(_ setup: AdapterSetup) throws {}

    func handle(_ event: Event, _ context: Context) throws {
        let fields = try event.fields()
        guard let id = fields.text("id") else { throw ProviderError.invalidEvent("the delivered lead has no id") }
        try context.upsert("leads", key: id, sourceTime: event.receivedAt, raw: fields.root) { lead in
            lead.set(Self.value, fields.first("value"))
            lead.set(Self.wonAt, fields.first("won"))
            lead.set(Self.stage, fields.first("won") == nil ? Stage.open : .won)
        }
    }

    func write(_ record: OutgoingRecord, to stream: String, _ context: Context) throws {
        let answer = try context.http.post("/leads") { json in
            json.key("value")
            json.value(record.payload["value"]?.scalarText ?? "0")
        }
        let lead = try answer.json()
        guard let id = lead["id"]?.scalarText else { throw ProviderError(.remoteDown, "the answer to a new lead has no id") }
        try context.upsert(stream, key: id, sourceTime: answer.askedAt, raw: lead, coverage: .members) { written in
            written.set(Self.value, lead["value"])
        }
    }
}

@Suite struct RecordWriterTests {
    private func record(_ kind: String, _ body: String) throws -> HarnessRecord {
        let outcome = try PluginHarness(RowAdapter.self).handle(HarnessEvent(kind: kind, body: body))
        #expect(outcome.error == nil)
        return try #require(outcome.records.first)
    }

    static let empty =
        #"{"text":"","phone":null,"time":"0001-01-01T00:00:00","money":"a lot","seconds":null,"flag":"maybe","json":null,"integer":""}"#
    static let names = [
        "name", "caller_number", "started_at", "revenue", "duration_seconds", "converted", "tags", "integer",
    ]

    @Test func factsLeaveTheRestAlone() throws {
        // Breaks when a webhook with three facts wipes what a read told.
        let call = try record("facts", Self.empty)
        #expect(call.fields == [] && call.cleared == [])
        #expect(try record("facts", "{}").cleared == ["currency"])
    }

    @Test func membersClearWhatIsThereWithoutAValue() throws {
        // Breaks when a value that the provider took back stays for ever, or a column that was not asked for is wiped.
        #expect(try record("members", Self.empty).cleared == Self.names)
        #expect(try record("members", #"{"text":"x","money":null}"#).cleared == ["revenue"])
    }

    @Test func wholeRowsClearWhatIsMissingToo() throws {
        // Breaks when a provider that leaves empty keys out can take nothing back.
        #expect(try record("whole", "{}").cleared == Self.names + ["direction", "currency"])
        let row = #""text":"x","phone":"+12025550143","time":1772637667000,"money":"1.50","seconds":2,"flag":false,"json":{}"#
        let full = try record("whole", "{\(row),\"integer\":3,\"choice\":1}")
        #expect(full.cleared == [] && full.fields == Self.names + ["direction"])
    }

    @Test func writesFieldsOfItsOwnEntities() throws {
        // Breaks when the README's example of an entity of one's own does not hold.
        let plugin = try PluginHarness(LeadAdapter.self) { _ in .json(#"{"id":7,"value":"12.50"}"#) }
        let won = plugin.handle(HarnessEvent(kind: "lead", body: #"{"id":1,"value":"1,234.50","won":"2026-03-04 15:21:07 UTC"}"#))
        let lead = try #require(won.records.first)
        #expect(lead["value"] == "1234.50" && lead["won_at"] == "2026-03-04T15:21:07.000Z" && lead["stage"] == "won")
        let written = plugin.write(#"{"value":"12.50"}"#, to: "leads")
        #expect(written.records.map(\.key) == ["7"] && written.records[0]["value"] == "12.50")
    }

    @Test func findsTheFirstMemberWithAValue() throws {
        // Breaks when an empty member hides one with a value, or a null that should clear its field is lost.
        let row = try JSONDocument(Array(#"{"a":null,"b":"","c":1}"#.utf8)).root
        #expect(row.first("x", "a", "c")?.int64 == 1)
        #expect(row.first("x", "b", "a")?.string == "")
        #expect(row.first("x") == nil)
    }
}
