// Operations on demand and the credential's proof.

import BerthPluginSDK
import BerthPluginTesting
import RingbaAdapter
import Testing

@Suite struct RingbaActionTests {
    private func harness(_ answer: @escaping (HarnessRequest) throws -> HarnessResponse) throws -> PluginHarness {
        try PluginHarness(RingbaAdapter.self, settings: RingbaReadTests.settings, http: answer)
    }

    @Test func getsOneCall() throws {
        // Breaks when detail asks under the wrong key, or its answer without totalCount is refused.
        let detail = try Fixture.text("detail.json")
        let plugin = try harness { _ in .json(detail) }
        let outcome = plugin.perform("get_call", #"{"call_id":"v2demo_AAAA"}"#)
        #expect(outcome.error == nil)
        #expect(outcome.reply?.at("/events/0/name")?.string == "ConnectedCall")
        #expect(outcome.records.first?["revenue"] == "30")
        #expect(plugin.requests[0].json?.at("/InboundCallIds/0")?.string == "v2demo_AAAA")
        #expect(plugin.requests[0].requestClass == "details")
        #expect(plugin.perform("get_call", #"{"call_id":"other"}"#).failure?.status == .notFound)
        #expect(plugin.perform("get_call", "{}").failure?.status == .invalidArgument)
    }

    @Test func overridesAmountsExactly() throws {
        // Breaks when money is rounded on its way out, or an amount not given is set to nothing.
        let plugin = try harness { _ in .json(#"{"transactionId":"T","result":{"conversionAmount":30.10}}"#) }
        let outcome = plugin.perform("update_call", #"{"call_id":"c1","revenue":"30.10"}"#)
        #expect(outcome.error == nil)
        let sent = try #require(plugin.requests.first)
        #expect(sent.url == "/v2/RA1/calls/payments/override" && !sent.isIdempotent)
        #expect(sent.json?["newConversionAmount"]?.numberText == "30.10")
        #expect(sent.json?["adjustPayout"]?.bool == false && sent.json?["newPayoutAmount"] == nil)
        #expect(outcome.records.first?["revenue"] == "30.10")
        #expect(outcome.records.first?.fields.contains("payout") == false)
    }

    @Test func buysAndReleasesNumbers() throws {
        // Breaks when a bought number is not known at once, or a released one stays.
        let plugin = try harness { $0.method == "DELETE" ? .status(204) : .json(#"{"numberId":"PV1","number":"+18885550100"}"#) }
        let bought = plugin.perform("provision_number", #"{"toll_free":true,"campaign_id":"CA1"}"#)
        #expect(bought.records.first?["number"] == "+18885550100" && bought.records.first?.key == "PV1")
        #expect(plugin.requests[0].json?["isTollFree"]?.bool == true)
        let released = plugin.perform("release_number", #"{"number_id":"PV1"}"#)
        #expect(released.error == nil)
        #expect(released.records.first?.isDelete == true)
        #expect(plugin.requests[1].url == "/v2/RA1/numbers/PV1?unlink=true")
        #expect(plugin.perform("dance").failure?.status == .unsupported)
    }

    @Test func provesTheCredentialForThisAccount() throws {
        // Breaks when a token of another account passes the check.
        let accounts = try Fixture.text("accounts.json")
        let plugin = try harness { _ in .json(accounts) }
        #expect(plugin.checkCredentials().reply?["name"]?.string == "Acme Calls")
        #expect(plugin.requests[0].url == "/v2/ringbaaccounts")
        let other = try PluginHarness(RingbaAdapter.self, settings: #"{"account_id":"RA2"}"#) { _ in .json(accounts) }
        #expect(other.checkCredentials().failure?.status == .authDenied)
        #expect(try harness { _ in .status(401) }.checkCredentials().failure?.status == .authDenied)
    }

    @Test func offersWhatItsManifestSays() throws {
        // Breaks when an ability is lost from the tables.
        let plugin = try harness { _ in .status(500) }
        for interface in ["berth.events/1", "berth.read-stream/1", "berth.actions/1", "berth.credentials/1"] {
            #expect(plugin.offers(interface))
        }
        #expect(!plugin.offers("berth.verify/1") && !plugin.offers("berth.nothing/1") && !plugin.offers(""))
    }
}
