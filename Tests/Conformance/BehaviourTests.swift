// The ABI's promises, each in both hosts: a plugin cannot tell where it runs, nor can the engine.

import BerthModel
import BerthPlugins
import BerthSeams
import Crypto
import Foundation
import Synchronization
import Testing

extension Conformance {
    @Suite struct BehaviourTests {
        // Without this one event's failure would take its neighbours with it, or its records would be kept.
        @Test(arguments: bothHosts) func eventsOfABatchSucceedAndFailOnTheirOwn(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation)
            let outcome = await rig.handle(
                "record", "emit-then-retry", "invalid", "unsupported", "silent-failure", "undeclared-stream", "delete", "headers", "nothing"
            )
            #expect(outcome.suspect == nil)
            try #require(outcome.outcomes.count == 9)
            let all = outcome.outcomes
            #expect(all[0].failure == nil && all[0].records.count == 1 && all[0].records[0].text == "{\"a\":1}")
            #expect(all[0].records[0].sourceTime == Timestamp(milliseconds: 1_700_000_000_000))
            #expect(
                all[1].failure
                    == AttemptFailure(.retry, "try me later", remoteStatus: 503, remoteCode: "E42", retryAfterMilliseconds: 1500))
            #expect(all[1].records.isEmpty)
            #expect(all[2].failure?.status == .invalidEvent && all[2].failure?.message == "no call id")
            #expect(all[3].failure?.status == .unsupported)
            #expect(all[4].failure?.status == .remoteDown)
            #expect(all[5].failure?.status == .internal && all[5].failure?.message.contains("nonsense") == true && all[5].records.isEmpty)
            #expect(all[6].failure == nil && all[6].records[0].kind == .delete && all[6].records[0].sourceTime == nil)
            #expect(all[7].records.first?.text == "{\"headers\":2,\"first\":\"one\",\"query\":\"a=b\",\"attempt\":1}")
            #expect(all[8].failure == nil && all[8].records.isEmpty)
            try await rig.end()
        }

        // Without this a large document of a provider would be held against the plugin and quarantine it, take its neighbours in the
        // batch with it, or be dropped while its event counts as done.
        @Test(arguments: bothHosts) func whatIsTooLargeIsItsOwnEventsTrouble(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation)
            let outcome = await rig.handle("record", "large-original", "large-fields", "record")
            #expect(outcome.suspect == nil)
            try #require(outcome.outcomes.count == 4)
            let all = outcome.outcomes
            #expect(all[0].failure == nil && all[3].failure == nil && all[3].records.count == 1)
            #expect(all[1].failure == nil && all[1].records.first?.text == "{\"a\":1}" && all[1].records.first?.raw.isEmpty == true)
            #expect(all[2].failure?.status == .invalidEvent && all[2].records.isEmpty)
            #expect(all[2].failure?.message.contains("1048592 bytes; 1048576 are allowed") == true, "\(all[2])")
            #expect(await rig.handle("endless-original").outcomes[0].failure?.status == .contractViolation)
            try await rig.end()
        }

        // Without this a read would leave a row out that is too large, and count as complete.
        @Test(arguments: bothHosts) func aReadEndsAtARowThatIsTooLarge(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation, settings: "{\"total\":3,\"page\":1,\"size\":1048576}")
            let rows = PageKeeper()
            let failure = await rig.read(rows)
            #expect(
                failure?.status == .invalidEvent && failure?.message.contains("fields of record 'row-0'") == true,
                "\(String(describing: failure))")
            #expect(await rows.count == 0)
            try await rig.end()
        }

        // Without this events that the plugin never came to would be lost or retried without its reason.
        @Test(arguments: bothHosts) func unreachedEventsShareTheBatchsReason(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation)
            let outcome = await rig.handle("record", "stop-batch", "record").outcomes
            #expect(outcome[0].failure == nil && outcome[0].records.count == 1)
            #expect(outcome[1].failure?.status == .throttled && outcome[2].failure?.status == .throttled)
            #expect(outcome[2].failure?.message == "slow down" && outcome[2].records.isEmpty)
            try await rig.end()
        }

        // Without this emits beyond one frame would be lost or come out of order.
        @Test(arguments: bothHosts) func manyRecordsOfOneEventArriveInOrder(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation)
            let outcome = await rig.handle("record", "many").outcomes
            #expect(outcome[0].records.count == 1)
            #expect(outcome[1].records.map(\.externalID) == (0..<5000).map { "k\($0)" })
            try await rig.end()
        }

        // Without this a read would lose or repeat rows at its page borders, or not go on where it stopped.
        @Test(arguments: bothHosts) func aReadComesInPagesAndGoesOnFromItsCheckpoint(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation, settings: "{\"total\":1050,\"page\":100}")
            let whole = PageKeeper()
            #expect(await rig.read(whole) == nil)
            #expect(await whole.pages == 11)
            #expect(await whole.records.map(\.externalID) == (0..<1050).map { "row-\($0)" })
            #expect(await whole.last == Checkpoint(schema: 1, state: Array("1050".utf8)))
            let first = PageKeeper(refusesAfter: 3)
            let failure = await rig.read(first)
            #expect(failure?.status == .retry && failure?.message == "disk full")
            #expect(await first.count == 300)
            let rest = PageKeeper()
            #expect(await rig.read(rest, from: await first.last) == nil)
            #expect(await rest.records.first?.externalID == "row-300")
            #expect(await rest.count == 750)
            try await rig.end()
        }

        // Without this a slow store would let pages pile up in the daemon's memory. While the sink holds the first page back, the
        // plugin gets no further than the next one.
        @Test(arguments: bothHosts) func aSlowSinkHoldsThePluginBack(_ isolation: Isolation) async throws {
            let outbound = ScriptedOutbound()
            let rig = try await Rig.start(
                in: isolation, settings: "{\"total\":2000,\"page\":100,\"with_http\":1}", outbound: outbound)
            let arrived = Signal()
            let letGo = Signal()
            let sink = PageKeeper(pause: { page in
                guard page == 0 else { return }
                await arrived.open()
                await letGo.wait()
            })
            async let ended = rig.read(sink)
            await arrived.wait()
            // A request of the page after the next one would be the third: give it every chance to come.
            for _ in 0..<200 where outbound.requests.withLock({ $0.count }) < 3 { try await Task.sleep(for: .milliseconds(1)) }
            #expect(outbound.requests.withLock { $0.count } <= 2)
            await letGo.open()
            #expect(await ended == nil)
            #expect(await sink.count == 2000)
            #expect(outbound.requests.withLock { $0.count } == 20)
            try await rig.end()
        }

        // Without this a stopped sync or a daemon that ends would wait for a plugin for ever.
        @Test(arguments: bothHosts) func cancellingEndsAnOperationSoon(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation)
            let task = Task { await rig.handle("until-cancelled") }
            task.cancel()
            let cancelledAtOnce = await task.value.outcomes[0].failure
            #expect(cancelledAtOnce?.status == .cancelled)
            let arrived = Signal()
            let rigWithHTTP = try await Rig.start(
                in: isolation,
                outbound: ScriptedOutbound { _ in
                    await arrived.open()
                    do { try await Task.sleep(for: .seconds(600)) } catch {}  // only cancellation ends it
                    return .failure(AttemptFailure(.cancelled, "cancelled"))
                })
            let waiting = Task { await rigWithHTTP.handle("http") }
            await arrived.wait()
            let began = ContinuousClock.now
            waiting.cancel()
            #expect(await waiting.value.outcomes[0].failure?.status == .cancelled)
            #expect(ContinuousClock.now - began < .seconds(2))
            #expect(await rig.handle("record").outcomes[0].failure == nil)
            try await rig.end()
            try await rigWithHTTP.end()
        }

        // Without this a plugin that listens to is_cancelled would still hold its connection for ever.
        @Test(arguments: bothHosts) func theDeadlineEndsAnOperation(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation, runtimeTable: "event_deadline_seconds = 1")
            let began = ContinuousClock.now
            let outcome = await rig.handle("until-cancelled")
            #expect(outcome.outcomes[0].failure?.status == .timeout)
            #expect(ContinuousClock.now - began < .seconds(3))
            try await rig.end()
        }

        // Without this a plugin could not reach its provider, or would see more than the answer.
        @Test(arguments: bothHosts) func requestsGoThroughTheDaemon(_ isolation: Isolation) async throws {
            let outbound = ScriptedOutbound()
            let rig = try await Rig.start(in: isolation, outbound: outbound)
            let outcome = await rig.handle("http").outcomes[0]
            #expect(outcome.records.first?.text == "{\"status\":200,\"headers\":1,\"body\":{\"ok\":true}}")
            let request = try #require(outbound.requests.withLock { $0.first })
            #expect(request.method == "GET" && request.url == "/thing?a=1" && request.requestClass == "pages" && request.isAuthenticated)
            #expect(request.headers.map(\.name) == ["accept"])
            try await rig.end()
        }

        // Without this the reason of a failed request would be lost on its way through the plugin.
        @Test(arguments: bothHosts) func aFailedRequestKeepsItsReason(_ isolation: Isolation) async throws {
            let failure = AttemptFailure(.throttled, "GET /thing: 429", remoteStatus: 429, retryAfterMilliseconds: 7000)
            let rig = try await Rig.start(in: isolation, outbound: ScriptedOutbound { _ in .failure(failure) })
            #expect(await rig.handle("http").outcomes[0].failure == failure)
            let sync = try await Rig.start(
                in: isolation, settings: "{\"with_http\":1}", outbound: ScriptedOutbound { _ in .failure(failure) })
            #expect(await sync.read(PageKeeper()) == failure)
            try await rig.end()
            try await sync.end()
        }

        // Without this actions and credential checks would give no result.
        @Test(arguments: bothHosts) func actionsAndChecksReply(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation)
            let echo = try await rig.runtime.perform(
                ActionRequest(name: "echo", input: Array("{\"n\":1}".utf8), idempotencyKey: "key-1"), for: rig.instance
            ).get()
            #expect(String(decoding: echo.output, as: UTF8.self) == "{\"n\":1}")
            #expect(echo.records.map(\.externalID) == ["key-1"])
            let other = await rig.runtime.perform(ActionRequest(name: "other", input: [], idempotencyKey: "k"), for: rig.instance)
            #expect(throws: AttemptFailure(.notFound, "no such number", remoteStatus: 503, remoteCode: "E42")) { try other.get() }
            // Large because the provider's answer is: no broken contract, of which three put a plugin out of work.
            guard
                case .failure(let large) = await rig.runtime.perform(
                    ActionRequest(name: "large", input: [], idempotencyKey: "l"), for: rig.instance)
            else {
                Issue.record("a result of more than 1 MiB passed")
                return
            }
            #expect(large.status == .internal && large.message.contains("1048577 bytes; 1048576 are allowed"), "\(large)")
            #expect(try await rig.runtime.checkCredentials(for: rig.instance).get() == Array("{\"ok\":true}".utf8))
            let denied = try await Rig.start(
                in: isolation, outbound: ScriptedOutbound { _ in .success(ProviderResponse(status: 401, headers: [], body: [])) })
            guard case .failure(let failure) = await denied.runtime.checkCredentials(for: denied.instance) else {
                Issue.record("a refused key passed")
                return
            }
            #expect(failure.status == .authDenied)
            try await rig.end()
            try await denied.end()
        }

        // Without this a plugin's own signature scheme could not be checked, or would need the secret.
        @Test(arguments: bothHosts) func signaturesAreVerifiedWithoutTheSecret(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation)
            let body = Array("payload".utf8)
            let right = HMAC<SHA256>.authenticationCode(for: body, using: SymmetricKey(data: Array("key".utf8)))
            let hex = right.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
            func delivery(_ headers: [(name: String, value: String)]) -> RawDelivery {
                RawDelivery(
                    provider: "probe", connection: nil, pathToken: nil, method: "POST", path: "/", query: "", headers: headers, body: body,
                    remoteAddress: "127.0.0.1", receivedAt: Timestamp(milliseconds: 1))
            }
            #expect(await rig.runtime.verify(delivery([("x-signature", hex)]), for: rig.instance) == nil)
            let forged = String(hex.dropLast()) + (hex.last == "0" ? "1" : "0")
            #expect(await rig.runtime.verify(delivery([("x-signature", forged)]), for: rig.instance)?.status == .authDenied)
            // A verification that asks for a request is denied one.
            #expect(await rig.runtime.verify(delivery([]), for: rig.instance)?.status == .denied)
            try await rig.end()
        }

        // Without this a plugin that promised to be called once at a time would be called twice at once, or one that promised more
        // would be slowed to one.
        @Test(arguments: bothHosts, [1, 3]) func declaredConcurrencyIsReachedAndKept(_ isolation: Isolation, _ limit: Int) async throws {
            let rig = try await Rig.start(in: isolation, runtimeTable: "max_concurrency = \(limit)")
            let seen = await withTaskGroup(of: String.self, returning: [String].self) { group in
                for _ in 0..<9 { group.addTask { await rig.handle("concurrency").outcomes[0].records.first?.text ?? "" } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let most = seen.compactMap { Int($0.dropFirst("{\"running\":".count).dropLast()) }.max()
            #expect(most == limit)
            try await rig.end()
        }

        // Without this a sync of hours would hold up every webhook of its connection.
        @Test(arguments: bothHosts) func aLongReadHoldsUpNoEvents(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation, settings: "{\"total\":300,\"page\":100}")
            let arrived = Signal()
            let letGo = Signal()
            let sink = PageKeeper(pause: { _ in
                await arrived.open()
                await letGo.wait()
            })
            async let ended = rig.read(sink)
            await arrived.wait()
            #expect(await rig.handle("record").outcomes[0].failure == nil)
            await letGo.open()
            #expect(await ended == nil)
            try await rig.end()
        }

        // Without this settings the plugin refuses would be reported as a crash or not at all.
        @Test(arguments: bothHosts) func refusedSettingsAreAFailureOfEachEvent(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation, settings: "{\"refuse\":1}")
            let outcome = await rig.handle("record", "record")
            #expect(outcome.outcomes.count == 2 && outcome.suspect == nil)
            #expect(outcome.outcomes[0].failure?.message.contains("settings") == true)
            try await rig.end()
        }

        // Without this an empty batch or one of the largest size would be a special case somebody forgot.
        @Test(arguments: bothHosts) func batchesOfAllSizes(_ isolation: Isolation) async throws {
            let rig = try await Rig.start(in: isolation)
            #expect(await rig.runtime.handle([], for: rig.instance).outcomes.isEmpty)
            let events = (0..<1024).map { _ in rig.event("record") }
            let outcome = await rig.runtime.handle(events, for: rig.instance)
            #expect(outcome.outcomes.count == 1024)
            #expect(zip(events, outcome.outcomes).allSatisfy { $1.failure == nil && $1.records.map(\.externalID) == [$0.id.description] })
            // 25 MiB is the largest body intake accepts.
            let large = rig.event("record", body: "{\"a\":\"\(String(repeating: "x", count: 900_000))\"}")
            #expect(await rig.runtime.handle([large], for: rig.instance).outcomes[0].records.first?.payload.count == large.body.count)
            let huge = rig.event("nothing", body: String(repeating: "x", count: 25 << 20))
            #expect(await rig.runtime.handle([huge], for: rig.instance).outcomes[0].failure == nil)
            try await rig.end()
        }

        // Without this a changed connection would go on with its old settings.
        @Test(arguments: bothHosts) func changedSettingsMakeANewInstance(_ isolation: Isolation) async throws {
            var rig = try await Rig.start(in: isolation, settings: "{\"total\":10}")
            let before = PageKeeper()
            #expect(await rig.read(before) == nil)
            rig.settings = "{\"total\":20}"
            await rig.runtime.forget(rig.connection)
            let after = PageKeeper()
            #expect(await rig.read(after) == nil)
            #expect(await before.count == 10)
            #expect(await after.count == 20)
            try await rig.end()
        }
    }
}
