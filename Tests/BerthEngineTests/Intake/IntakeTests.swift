// The whole line from raw delivery to answer, over seams in memory.

import BerthModel
import BerthSeams
import Synchronization
import Testing

@testable import BerthEngine

@Suite struct IntakeTests {
    private static func spec(
        schemes: [SignatureScheme.Kind] = SignatureScheme.Kind.allCases, handshake: WebhookSpec.Handshake? = nil,
        success: WebhookSpec.Success = .init()
    ) -> WebhookSpec {
        WebhookSpec(
            methods: ["POST", "GET"], schemes: schemes, defaultScheme: .token,
            tokenPlaces: [.header("x-berth-token"), .query("token")], eventKind: [.json("/event"), .query("event")],
            dedupKey: [[.json("/id"), .query("id")]], orderingKey: [[.json("/call"), .query("call")]], success: success,
            handshake: handshake)
    }
    private static let token = ConnectionWebhook(scheme: .token)

    // Without this a delivery would not be kept as it came, or kept with the token that lets anybody send.
    @Test func acceptsAndStoresWithoutSecrets() async throws {
        let bed = try await IntakeBed(
            Self.spec(success: .init(status: 204, body: "", contentType: "text/plain")), Self.token, keys: ["t0ken"])
        let answer = await bed.intake.receive(
            delivery(
                method: "GET", query: "token=t0ken&event=start&id=7&call=c1",
                headers: [
                    (name: "host", value: "h"), (name: "cookie", value: "s=1"), (name: "authorization", value: "Bearer z"),
                    (name: "x-berth-token", value: "t0ken"),
                ], body: "raw"))
        guard case .accepted(let receipt, let success) = answer else {
            Issue.record("\(answer)")
            return
        }
        #expect(success.status == 204 && !receipt.isDuplicate)
        let kept = try #require(bed.inbox.deliveries.first)
        #expect(kept.id == receipt.event && kept.connection == bed.connection.id)
        #expect(kept.method == "GET" && kept.query == "event=start&id=7&call=c1" && kept.body == Array("raw".utf8))
        #expect(kept.headers.map(\.name) == ["host"])
        #expect(kept.kind == "start" && kept.dedupKey == "7" && kept.orderingKey == "c1")
        #expect(kept.audit == "token in header x-berth-token" && kept.remoteAddress == "127.0.0.1")
        #expect(bed.wokenConnections == [bed.connection.id])
        #expect(bed.log.seen.withLock { $0 } == ["ringba start accepted"])
    }

    // Without this a provider's repeat would become a second event, or wake the dispatcher for nothing.
    @Test func repeatsAreDuplicates() async throws {
        let bed = try await IntakeBed(Self.spec(), Self.token, keys: ["t0ken"])
        let request = delivery(token: "t0ken", body: #"{"id":"e1","event":"end"}"#)
        var events: Set<EventID> = []
        for attempt in 0..<5 {
            guard case .accepted(let receipt, _) = await bed.intake.receive(request) else {
                Issue.record("not accepted")
                return
            }
            #expect(receipt.isDuplicate == (attempt > 0))
            events.insert(receipt.event)
        }
        #expect(events.count == 1 && bed.inbox.deliveries.count == 1 && bed.wokenConnections.count == 1)
    }

    // Without the same face for all, a sender could learn names, or which half of its proof was right.
    @Test func refusalsTellTheSenderLittleAndTheAuditMuch() async throws {
        let bed = try await IntakeBed(Self.spec(), Self.token, keys: ["t0ken"])
        var told: Set<String> = []
        for (request, reason) in [
            (delivery(), "token_missing"), (delivery(token: "wrong"), "token_invalid"),
            (
                delivery(headers: [(name: "x-berth-token", value: "t0ken"), (name: "x-berth-token", value: "t0ken")]),
                "header_repeated"
            ),
        ] {
            let answer = await bed.intake.receive(request)
            #expect(answer.status == 401)
            told.insert(answer.error?.description ?? "")
            #expect(bed.inbox.audits.last?.detail.hasPrefix("\(reason): ") == true, "\(bed.inbox.audits)")
            #expect(bed.inbox.audits.last?.connection == bed.connection.id)
        }
        #expect(told.count == 1)
        var unknown = delivery(token: "t0ken")
        unknown.provider = "nobody\u{1B}[31m\n"
        let names = [unknown, delivery(connection: "other", token: "t0ken"), delivery(connection: "con_00000000000000000000000000")]
        var answers: Set<String> = []
        for request in names {
            let answer = await bed.intake.receive(request)
            #expect(answer.status == 404)
            answers.insert(answer.error?.description ?? "")
        }
        #expect(answers.count == 1 && answers.first?.contains("main") == false)
        #expect(bed.inbox.deliveries.isEmpty)
        #expect(!bed.inbox.audits.contains { $0.detail.contains("t0ken") || $0.detail.contains("\u{1B}") || $0.detail.contains("\n") })
        #expect(bed.log.seen.withLock { $0 }.contains("unknown  not_found"))
    }

    // Without the state rules a paused connection would lose deliveries and a cut-off one keep taking them.
    @Test func connectionStates() async throws {
        let bed = try await IntakeBed(Self.spec(), Self.token, keys: ["t0ken"])
        func status(_ method: String = "POST", connection: String? = "main") async -> Int {
            await bed.intake.receive(delivery(method: method, connection: connection, token: "t0ken", body: "\(method)")).status
        }
        for state in [ConnectionStatus.active, .paused, .error] {
            bed.directory.update(bed.connection.id) { $0.status = state }
            #expect(await status() == 202)
        }
        #expect(await status("DELETE") == 405)
        #expect(await status(connection: nil) == 202)
        #expect(await status(connection: "\(bed.connection.id)") == 202)
        bed.directory.insert(try IntakeBed.connection(Self.token, number: 2, name: "second"))
        #expect(await status(connection: nil) == 404)
        let namesake = try IntakeBed.connection(Self.token, number: 3, workspace: "other")
        bed.directory.insert(namesake)
        #expect(await status(connection: "main") == 202)  // two workspaces have it: the token tells whose it is
        try await bed.secrets.set(Secret(copying: "t0ken".utf8), .webhook(index: 0), of: namesake.id)
        bed.directory.insert(namesake)
        #expect(await status(connection: "main") == 404)  // it may be either's: only ids are clear
        #expect(await status(connection: "\(bed.connection.id)") == 202)
        bed.directory.update(bed.connection.id) { $0.status = .disconnected }
        #expect(await status(connection: "\(bed.connection.id)") == 410)
        bed.directory.update(bed.connection.id) {
            $0.status = .active
            $0.webhook = nil
        }
        #expect(await status(connection: "\(bed.connection.id)") == 404)
        bed.host.manifests.withLock { $0 = [:] }
        #expect(await status(connection: "\(bed.connection.id)") == 503)
        bed.directory.remove(bed.connection.id)
        #expect(await status(connection: "\(bed.connection.id)") == 404)
    }

    // Without the list anybody who has the token could send from anywhere.
    @Test func addressLists() async throws {
        let rules = ConnectionWebhook(scheme: .token, allowIPs: ["203.0.113.0/24", "2001:db8::1"])
        let bed = try await IntakeBed(Self.spec(), rules, keys: ["t0ken"])
        for (address, status) in [
            ("203.0.113.9", 202), ("::ffff:203.0.113.9", 202), ("2001:db8:0::1", 202), ("203.0.114.9", 403), ("2001:db8::2", 403),
            ("", 403),
            ("unix", 403),
        ] {
            #expect(await bed.intake.receive(delivery(token: "t0ken", from: address)).status == status, "\(address)")
        }
        bed.directory.update(bed.connection.id) { $0.webhook?.allowIPs = ["no range"] }
        #expect(await bed.intake.receive(delivery(token: "t0ken", from: "203.0.113.9")).status == 403)
    }

    // Without the cache each request would wait for the vault; without its end a replaced key would go on working.
    @Test func keysAreReadOncePerVersion() async throws {
        let bed = try await IntakeBed(Self.spec(), Self.token, keys: ["first"])
        for number in 0..<10 { #expect(await bed.intake.receive(delivery(token: "first", body: "\(number)")).status == 202) }
        #expect(bed.secrets.reads.withLock { $0 } == 2)
        try await bed.secrets.set(Secret(copying: "first".utf8), .webhook(index: 1), of: bed.connection.id)
        try await bed.secrets.set(Secret(copying: "second".utf8), .webhook(index: 0), of: bed.connection.id)
        bed.directory.insert(bed.connection)
        #expect(await bed.intake.receive(delivery(token: "first")).status == 202)
        #expect(await bed.intake.receive(delivery(token: "second")).status == 202)
        try await bed.secrets.removeAll(of: bed.connection.id)
        bed.directory.insert(bed.connection)
        #expect(await bed.intake.receive(delivery(token: "first")).status == 401)
        #expect(bed.inbox.audits.last?.detail.hasPrefix("verification_key_missing") == true)
    }

    // Without separate keys one customer of a provider could send in another's name.
    @Test func anotherConnectionsKeyIsRefused() async throws {
        let bed = try await IntakeBed(Self.spec(), Self.token, keys: ["t0ken"])
        let other = try IntakeBed.connection(Self.token, number: 2, name: "second")
        bed.directory.insert(other)
        try await bed.secrets.set(Secret(copying: "other".utf8), .webhook(index: 0), of: other.id)
        #expect(await bed.intake.receive(delivery(connection: "second", token: "other")).status == 202)
        #expect(await bed.intake.receive(delivery(connection: "main", token: "other")).status == 401)
        #expect(await bed.intake.receive(delivery(connection: "second", token: "t0ken")).status == 401)
        #expect(bed.inbox.deliveries.count == 1)
    }

    // Without this a full store would look like success, or like a refusal for ever.
    @Test func aFullStoreIsOverloaded() async throws {
        let bed = try await IntakeBed(Self.spec(), Self.token, keys: ["t0ken"])
        bed.inbox.kept.withLock { $0.failure = BerthError(.overloaded, "queue of /var/lib/berth full", retryAfter: .seconds(7)) }
        guard case .overloaded(let seconds, let error) = await bed.intake.receive(delivery(token: "t0ken")) else {
            Issue.record("accepted")
            return
        }
        #expect(seconds == 7 && error.isRetryable && !error.message.contains("/var"))
        bed.inbox.kept.withLock { $0.failure = BerthError(.store, "disk") }
        #expect(await bed.intake.receive(delivery(token: "t0ken")).status == 503)
        #expect(bed.wokenConnections.isEmpty)
        bed.inbox.kept.withLock { $0.failure = nil }
        #expect(await bed.intake.receive(delivery(token: "t0ken")).status == 202)
    }

    // Without this the plugin's word would not count, or its crash would look like a forgery.
    @Test func thePluginDecides() async throws {
        let bed = try await IntakeBed(Self.spec(), ConnectionWebhook(scheme: .plugin))
        #expect(await bed.intake.receive(delivery()).status == 202)
        bed.host.verdict.withLock { $0 = AttemptFailure(.authDenied, "wrong signature") }
        #expect(await bed.intake.receive(delivery()).status == 401)
        for status in [AttemptStatus.crashed, .hung, .timeout, .internal, .retry] {
            bed.host.verdict.withLock { $0 = AttemptFailure(status, "no answer") }
            #expect(await bed.intake.receive(delivery()).status == 503)
        }
        #expect(bed.inbox.deliveries.count == 1)
    }

    // Without this a query beside a body that the plugin verified would count as verified too.
    @Test func whatThePluginsSignatureDoesNotCoverIsNotBelieved() async throws {
        var spec = Self.spec()
        let whole = try await IntakeBed(spec, ConnectionWebhook(scheme: .plugin))
        _ = await whole.intake.receive(delivery(query: "event=forged&id=1"))
        spec.pluginSigned = [.body]
        let body = try await IntakeBed(spec, ConnectionWebhook(scheme: .plugin))
        #expect(await body.intake.receive(delivery(query: "event=forged&id=1", body: #"{"id":"genuine"}"#)).status == 202)
        #expect(await body.intake.receive(delivery(query: "event=forged&id=1", body: "")).status == 401)
        #expect(whole.inbox.deliveries.map(\.kind) == ["forged"] && whole.inbox.deliveries.map(\.unproven) == [[]])
        let kept = try #require(body.inbox.deliveries.first)
        #expect(kept.kind == "" && kept.dedupKey == "genuine" && kept.query == "event=forged&id=1")
        #expect(kept.unproven == [.query, .method] && body.inbox.deliveries.count == 1)
    }

    // Without handshakes a provider would not register the URL; a wrong token must not be blessed by one.
    @Test func handshakes() async throws {
        let echo = try await IntakeBed(Self.spec(handshake: .echo(.query("challenge"))), Self.token, keys: ["t0ken"])
        guard
            case .handshake(200, let body, let type, _) = await echo.intake.receive(
                delivery(method: "GET", query: "challenge=a%3Cb%3E"))
        else {
            Issue.record("no handshake")
            return
        }
        #expect(body == "a<b>" && type.hasPrefix("text/plain"))
        #expect(await echo.intake.receive(delivery(method: "GET", token: "wrong", query: "challenge=a")).status == 401)
        #expect(await echo.intake.receive(delivery(method: "GET", token: "t0ken", query: "id=1")).status == 202)
        #expect(await echo.intake.receive(delivery(method: "GET", query: "challenge=")).status == 401)

        let probe = try await IntakeBed(Self.spec(handshake: .probe), ConnectionWebhook(scheme: .hmac), keys: ["key"])
        #expect(await probe.intake.receive(delivery(method: "HEAD")).status == 200)
        #expect(await probe.intake.receive(delivery(method: "GET")).status == 200)
        #expect(await probe.intake.receive(delivery(method: "GET", query: "a=1")).status == 401)

        let cloud = try await IntakeBed(Self.spec(handshake: .cloudEvents), ConnectionWebhook(scheme: .hmac), keys: ["key"])
        let origin = [(name: "webhook-request-origin", value: "events.example.com"), (name: "webhook-request-rate", value: "120")]
        guard case .handshake(200, _, _, let headers) = await cloud.intake.receive(delivery(method: "OPTIONS", headers: origin)) else {
            Issue.record("no handshake")
            return
        }
        #expect(headers.contains { $0 == ("webhook-allowed-origin", "events.example.com") })
        #expect(headers.contains { $0 == ("webhook-allowed-rate", "*") } && headers.contains { $0 == ("allow", "GET, POST") })
        let split = [(name: "webhook-request-origin", value: "a\r\nset-cookie: x")]
        #expect(await cloud.intake.receive(delivery(method: "OPTIONS", headers: split)).status == 405)
        #expect(await cloud.intake.receive(delivery(method: "OPTIONS")).status == 405)
        #expect(echo.inbox.deliveries.count == 1 && probe.inbox.deliveries.isEmpty && cloud.inbox.deliveries.isEmpty)
    }

    // Without the bound a flood of forged requests would fill the audit log and the disk.
    @Test func aFloodOfRefusalsIsCounted() async throws {
        let bed = try await IntakeBed(Self.spec(), Self.token, keys: ["t0ken"])
        for _ in 0..<5000 { _ = await bed.intake.receive(delivery(token: "wrong")) }
        #expect(bed.inbox.audits.count == 20)
        await bed.intake.flushRefusals()
        #expect(bed.inbox.audits.count == 20)  // the second is not over
        bed.clock.set(moment(1_700_000_001))
        await bed.intake.flushRefusals()
        #expect(bed.inbox.audits.count == 21)
        #expect(bed.inbox.audits.last?.detail == "token_invalid: 4980 more in the same second")
        _ = await bed.intake.receive(delivery(token: "wrong"))
        #expect(bed.inbox.audits.count == 22)
    }

    // Without it nobody can tell afterwards how much a full disk turned away; with an entry each they would fill it.
    @Test func whatIsAnswered503IsCountedAndWrittenWhenItIsOver() async throws {
        let bed = try await IntakeBed(Self.spec(), Self.token, keys: ["t0ken"])
        bed.inbox.kept.withLock { $0.failure = BerthError(.store, "the disk is full", isRetryable: true) }
        for _ in 0..<300 { #expect(await bed.intake.receive(delivery(token: "t0ken")).status == 503) }
        bed.clock.set(moment(1_700_000_004))
        await bed.intake.flushRefusals()
        #expect(bed.inbox.audits.isEmpty)
        #expect(await bed.intake.receive(delivery(token: "t0ken")).status == 503)
        bed.clock.set(moment(1_700_000_009))
        await bed.intake.flushRefusals()
        #expect(bed.inbox.audits.map(\.kind) == ["webhook.refused"])
        let detail = bed.inbox.audits.first?.detail ?? ""
        #expect(detail.hasPrefix("overloaded: 301 deliveries answered 503 since ") && detail.hasSuffix(", last: the disk is full"))
        #expect(bed.inbox.audits.first?.connection == bed.connection.id)
        await bed.intake.flushRefusals(all: true)
        #expect(bed.inbox.audits.count == 1)
    }

    // Without the bound senders could make up metric labels without end.
    @Test func kindLabelsAreBounded() {
        let labels = KindLabels()
        #expect(labels.label("call.ended") == "call.ended" && labels.label("") == "")
        #expect(labels.label("a\nb") == "other" && labels.label(String(repeating: "x", count: 65)) == "other")
        let seen = Set((0..<10_000).map { labels.label("kind\($0)") })
        #expect(seen.count <= 513 && seen.contains("other"))
        #expect(labels.label("call.ended") == "call.ended")
    }

    // Without this readers on other threads could see half a change of the directory.
    @Test func directoryUnderConcurrentChange() async throws {
        let directory = ConnectionDirectory()
        let connections = try (0..<50 as Range<UInt64>).map { try IntakeBed.connection(Self.token, number: $0, name: "c\($0)") }
        directory.replace(with: connections)
        await withTaskGroup(of: Void.self) { group in
            for connection in connections {
                group.addTask {
                    for round in 0..<50 {
                        directory.update(connection.id) { $0.consecutiveFailures += 1 }
                        #expect(directory.connection(connection.id)?.consecutiveFailures == round + 1)
                        #expect(directory.entry(provider: "ringba", connection: connection.name)?.connection.id == connection.id)
                    }
                }
            }
        }
        #expect(directory.connections().count == 50 && directory.connections().allSatisfy { $0.consecutiveFailures == 50 })
        #expect(directory.version == 2501)
        #expect(directory.soleConnection(of: connections[0].provider) == nil)
    }
}
