// The adapter through the real tables of the ABI, without a daemon.

import BerthPluginSDK
import BerthPluginTesting
import CallboxAdapter
import Testing

@Suite struct CallboxAdapterTests {
    @Test func readsAllPages() throws {
        // Breaks when paging or mapping does.
        let plugin = try PluginHarness(CallboxAdapter.self) { request in
            request.query("page") == "1"
                ? .json(#"{"calls":[{"id":1,"from":"+12025550143","price":0.10,"state":"done"}],"next_page":2}"#)
                : .json(#"{"calls":[{"id":2}]}"#)
        }
        let read = plugin.read("calls")
        #expect(read.error == nil)
        #expect(read.records.map(\.key) == ["1", "2"])
        #expect(read.records[0]["revenue"] == "0.10")
    }

    @Test func mapsAWebhook() throws {
        // Breaks when deliveries are not mapped, or unknown ones are not marked.
        let plugin = try PluginHarness(CallboxAdapter.self)
        let outcome = plugin.handle(HarnessEvent(kind: "call.done", body: #"{"id":"7","state":"done"}"#))
        #expect(outcome.records.first?["status"] == "completed")
        #expect(plugin.handle(HarnessEvent(kind: "invoice.paid")).failure?.status == .unsupported)
    }
}
